"""The jars of Apache Kafka: resolved once in pure Python, pinned by SHA-256, verified at every start.

`jars.lock` names each jar by its Maven coordinates, file name and SHA-256; it names no host. The cache is
`$XDG_CACHE_HOME/eltax-hub/kafka-<version>` (`~/.cache` by default); `HUB_JARS` names another directory.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.errors import JarMismatch, JarsUnavailable

LOCK: Final = Path(__file__).parent / "jars.lock"
GROUP: Final = "org.apache.kafka"
ARTIFACT: Final = "kafka_2.13"
VERSION: Final = "4.4.0"
_EXTRA: Final = (("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5"),)
"""Kafka logs through slf4j 1.7; without this binding it would say nothing when it fails"""


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.artifact}-{self.version}.jar"


def read_lock(path: Path = LOCK) -> tuple[Jar, ...]:
    """The pinned jars, in the order of the class path."""
    return tuple(Jar(**row) for row in json.loads(path.read_text())["jars"])


def cache_directory() -> Path:
    """Where verified jars are kept between starts."""
    if given := os.environ.get("HUB_JARS"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "eltax-hub" / f"kafka-{VERSION}"


def class_path(jars: tuple[Jar, ...] | None = None, directory: Path | None = None) -> list[Path]:
    """The verified jars, downloaded first if they are not there yet.

    Raises JarsUnavailable if a download is impossible, JarMismatch if a jar's SHA-256 is another.
    """
    pinned = read_lock() if jars is None else jars
    where = directory or cache_directory()
    missing = [jar for jar in pinned if not (where / jar.file).exists()]
    if missing:
        where.mkdir(parents=True, exist_ok=True)
        with (where / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two first starts at once: the second finds all done
            missing = [jar for jar in pinned if not (where / jar.file).exists()]
            if missing:
                _download(missing, where)
    return [_verified(jar, where / jar.file) for jar in pinned]


def _verified(jar: Jar, path: Path) -> Path:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != jar.sha256:
        raise JarMismatch(f"{path}: SHA-256 {digest}, pinned {jar.sha256}")
    return path


def _download(missing: list[Jar], where: Path) -> None:
    from jgo.maven import MavenContext, PythonResolver

    with tempfile.TemporaryDirectory(prefix="eltax-hub-jars-") as scratch:
        context = MavenContext(repo_cache=Path(scratch), resolver=PythonResolver())
        for jar in missing:
            try:
                found = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
            except Exception as error:
                raise JarsUnavailable(f"({jar.file}, {type(error).__name__}; directory {where})") from error
            if found is None:
                raise JarsUnavailable(f"({jar.file}; directory {where})")
            _verified(jar, Path(found))
            new = where / (jar.file + ".new")
            shutil.copyfile(found, new)
            new.replace(where / jar.file)


def _resolve_all() -> list[dict[str, str]]:
    """Resolve Kafka's whole dependency tree again; for whoever renews the lock."""
    from jgo.maven import MavenContext, Model, PythonResolver

    with tempfile.TemporaryDirectory(prefix="eltax-hub-lock-") as scratch:
        context = MavenContext(repo_cache=Path(scratch), resolver=PythonResolver())
        top = context.project(GROUP, ARTIFACT).at_version(VERSION)
        found = Model(top.pom(), context).dependencies()
        rows = [(GROUP, ARTIFACT, VERSION)]
        rows += [
            (each.groupId, each.artifactId, str(each.version))
            for each in (found[0] if isinstance(found, tuple) else found)
        ]
        rows += list(_EXTRA)
        locked = []
        for group, artifact, version in rows:
            path = context.project(group, artifact).at_version(version).artifact().resolve()
            digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            locked.append({"group": group, "artifact": artifact, "version": version, "sha256": digest})
        return locked


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: python -m broker.jars lock")
    text = ",\n".join("  " + json.dumps(row) for row in _resolve_all())
    LOCK.write_text('{"jars": [\n' + text + "\n]}\n")
