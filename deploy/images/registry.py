"""Unpacks Apicurio Registry: `registry.py PIN SITE TARGET`, from the site's tarball, else from Maven; if pinned."""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path


def tarball(pin: dict[str, str], site: Path, scratch: Path) -> Path:
    """The site's own file if there is one, else Maven's."""
    given = sorted(site.glob("*.tar.gz")) if site.is_dir() else []
    if given:
        return given[0]
    from jgo.maven import MavenContext, PythonResolver

    context = MavenContext(repo_cache=scratch, local_repos=[], resolver=PythonResolver(), timeout=60)
    found = context.project(pin["group"], pin["artifact"]).at_version(pin["version"])
    return Path(found.artifact(classifier="all", packaging="tar.gz").resolve())


def main(lock: Path, site: Path, target: Path) -> int:
    """Verify, then unpack; nothing is unpacked that is not the pinned file."""
    (pin,) = json.loads(lock.read_text("utf-8"))["jars"]
    with tempfile.TemporaryDirectory() as scratch:
        file = tarball(pin, site, Path(scratch))
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != pin["sha256"]:
            sys.stderr.write(f"{file.name}: SHA-256 {digest}, pinned {pin['sha256']}\n")
            return 1
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(file) as packed:
            if hasattr(tarfile, "data_filter"):  # not in the 3.11 of Debian 12
                packed.extraction_filter = tarfile.data_filter
            packed.extractall(target)  # noqa: S202 - it is the pinned file, to the last byte
    return 0


if __name__ == "__main__":
    sys.exit(main(*(Path(each) for each in sys.argv[1:4])))
