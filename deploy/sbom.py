"""Writes what is in an image as CycloneDX 1.5: `python3 deploy/sbom.py --name … --version … [--lock …] -o FILE`.

From the locks (pinned wheels and jars) and from dpkg's own list; nothing is guessed by looking at files. Standard
library only: it runs while an image is built. The same input gives the same bytes, a time stamp is left out.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

_PINNED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")
_DIGEST: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")

Component = dict[str, Any]


def of_lock(text: str) -> Iterator[Component]:
    """The distributions of a requirements lock; each with the digests of all files that it may be installed from."""
    name = version = ""
    digests: list[str] = []
    for line in [*text.splitlines(), "end==0"]:
        pinned = _PINNED.match(line)
        if pinned:
            if name:
                yield _component("pypi", "", name, version, digests)
            (name, version), digests = pinned.groups(), []
        digests += _DIGEST.findall(line)


def of_jars(text: str) -> Iterator[Component]:
    """The jars of broker/jars.lock, agents too."""
    for rows in json.loads(text).values():
        for row in rows:
            yield _component("maven", row["group"], row["artifact"], row["version"], [row["sha256"]])


def of_dpkg(text: str) -> Iterator[Component]:
    """The packages of a dpkg status file that are installed."""
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if re.match(r"[A-Za-z-]+: ", line))
        if fields.get("Status", "install ok installed") == "install ok installed" and "Package" in fields:
            yield _component("deb", "debian", fields["Package"], fields["Version"], [], fields.get("Architecture", ""))


def document(name: str, version: str, components: Iterable[Component]) -> str:
    """Return the document as text; components are sorted, and each is listed once."""
    by_purl = {each["purl"]: each for each in components}
    value: Mapping[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "container", "bom-ref": f"{name}@{version}", "name": name, "version": version},
            "tools": {"components": [{"type": "application", "name": "eltax-hub deploy/sbom.py", "version": version}]},
        },
        "components": [by_purl[each] for each in sorted(by_purl)],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _component(
    kind: str, group: str, name: str, version: str, digests: Iterable[str], architecture: str = ""
) -> Component:
    path = "/".join(quote(each, safe="") for each in (group, name) if each)
    purl = f"pkg:{kind}/{path}@{quote(version, safe='')}" + (f"?arch={architecture}" if architecture else "")
    made: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if group:
        made["group"] = group
    hashes = [{"alg": "SHA-256", "content": each} for each in digests]
    if len(hashes) == 1:
        made["hashes"] = hashes
    elif hashes:  # one of them was installed, and which one the lock does not say
        made["externalReferences"] = [{"type": "distribution", "url": purl, "hashes": [each]} for each in hashes]
    return made


def main(arguments: list[str]) -> int:
    """Read, write, and say how many there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    for option in ("--lock", "--jars", "--dpkg"):
        parser.add_argument(option, type=Path, action="append", default=[])
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    found: list[Component] = []
    for files, read in ((given.lock, of_lock), (given.jars, of_jars), (given.dpkg, of_dpkg)):
        for file in files:
            found += read(file.read_text("utf-8"))
    if not found:
        parser.error("nothing is listed")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(document(given.name, given.version, found), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
