"""The jars of Apache Kafka: resolved once in pure Python, pinned by SHA-256, verified at every start.

`jars.lock` names each jar by its Maven coordinates and SHA-256; it names no host. The cache is
`$XDG_CACHE_HOME/eltax-hub/kafka-<version>` (`~/.cache` by default); `HUB_JARS` names another directory. A home may
have a lock of its own, for another version of Kafka (docs/runbooks/upgrade.md).

    python -m broker.jars list                  coordinates, file names and digests
    python -m broker.jars fetch DIRECTORY       fill a directory, for a machine that has no network
    python -m broker.jars lock [VERSION FILE]   resolve Kafka's dependency tree anew and write the lock
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from broker.errors import JarMismatch, JarsUnavailable, LockDamaged

LOCK: Final = Path(__file__).parent / "jars.lock"
GROUP: Final = "org.apache.kafka"
ARTIFACT: Final = "kafka_2.13"
VERSION: Final = "4.4.0"
_EXTRA: Final = (("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5"),)
"""Kafka logs through slf4j 1.7; without this binding it would say nothing when it fails"""
_AGENTS: Final = (("io.prometheus.jmx", "jmx_prometheus_javaagent", "1.0.1"),)
"""not on the class path: `broker.exporter` loads it beside Kafka. It brings all that it needs"""
_AT_ONCE: Final = 4
_ANSWER_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str
    classifier: str = ""
    packaging: str = "jar"

    @property
    def file(self) -> str:
        """Its file name."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{tail}.{self.packaging}"

    @property
    def coordinates(self) -> str:
        """`group:artifact:version`."""
        return f"{self.group}:{self.artifact}:{self.version}"


Fetch: TypeAlias = Callable[[Jar, Path], Path]
"""brings one jar into a scratch directory and returns where it is; what it brings is not trusted"""


def read_lock(path: Path = LOCK) -> tuple[Jar, ...]:
    """The pinned jars, in the order of the class path. Raises LockDamaged."""
    try:
        return tuple(Jar(**row) for row in json.loads(path.read_text("utf-8"))["jars"])
    except (ValueError, KeyError, TypeError) as error:
        raise LockDamaged(f"({path}: {type(error).__name__})") from None


def kafka_version(jars: Sequence[Jar]) -> str:
    """The version of Kafka among pinned jars. Raises LockDamaged if there is none."""
    for jar in jars:
        if (jar.group, jar.artifact) == (GROUP, ARTIFACT):
            return jar.version
    raise LockDamaged(f"({ARTIFACT} is not pinned)")


def read_agents(path: Path = LOCK) -> tuple[Jar, ...]:
    """The pinned jars that are loaded beside Kafka."""
    return tuple(Jar(**row) for row in json.loads(path.read_text("utf-8"))["agents"])


def cache_directory(version: str = VERSION) -> Path:
    """Where verified jars of a version of Kafka are kept between starts."""
    if given := os.environ.get("HUB_JARS"):
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "eltax-hub" / f"kafka-{version}"


def from_maven(jar: Jar, scratch: Path, *, repositories: Mapping[str, str] | None = None) -> Path:
    """Download one jar with jgo, by default from Maven Central; `repositories` maps a name to a URL."""
    from jgo.maven import MavenContext, PythonResolver

    context = MavenContext(
        repo_cache=scratch,
        local_repos=[],
        remote_repos=dict(repositories) if repositories else None,
        resolver=PythonResolver(),
        timeout=_ANSWER_SECONDS,
    )
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    return Path(component.artifact(classifier=jar.classifier, packaging=jar.packaging).resolve())


def class_path(
    jars: Sequence[Jar] | None = None, directory: Path | None = None, *, fetch: Fetch = from_maven
) -> list[Path]:
    """The verified jars, downloaded first if they are not there yet; safe for several processes at once.

    Raises JarsUnavailable if a download is impossible, JarMismatch if a jar's SHA-256 is another.
    """
    pinned = read_lock() if jars is None else jars
    where = directory or cache_directory()
    if any(not (where / jar.file).exists() for jar in pinned):
        try:
            where.mkdir(parents=True, exist_ok=True)
            with (where / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # two first starts at once: the second finds all done
                _download([jar for jar in pinned if not (where / jar.file).exists()], where, fetch)
        except OSError as error:
            raise JarsUnavailable(f"(the directory {where} cannot be written: {type(error).__name__})") from error
    return [_verified(jar, where / jar.file) for jar in pinned]


def jars_of(lock: Path | None) -> list[Path]:
    """The verified jars of this lock, if the file is there, else those that come with the hub.

    Raises what `class_path` does, and LockDamaged.
    """
    if lock is None or not lock.exists():
        return class_path()
    pinned = read_lock(lock)
    return class_path(pinned, cache_directory(kafka_version(pinned)))


def _verified(jar: Jar, path: Path) -> Path:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != jar.sha256:
        raise JarMismatch(f"{path}: SHA-256 {digest}, pinned {jar.sha256}")
    return path


def _download(missing: Sequence[Jar], where: Path, fetch: Fetch) -> None:
    with tempfile.TemporaryDirectory(prefix="eltax-hub-jars-") as scratch, ThreadPoolExecutor(_AT_ONCE) as pool:
        running = [pool.submit(_fetch_one, jar, Path(scratch), where, fetch) for jar in missing]
        try:
            for each in running:
                each.result()
        finally:
            for each in running:
                each.cancel()


def _fetch_one(jar: Jar, scratch: Path, where: Path, fetch: Fetch) -> None:
    try:
        found = fetch(jar, scratch)
    except Exception as error:
        raise JarsUnavailable(f"({jar.coordinates}, {type(error).__name__}; it belongs into {where})") from error
    _verified(jar, found)  # before it is where the class path finds it
    new = where / f".{jar.file}.{secrets.token_hex(4)}"
    try:
        shutil.copyfile(found, new)
        new.replace(where / jar.file)
    finally:
        new.unlink(missing_ok=True)


def resolve(
    top: tuple[str, str, str],
    extra: Sequence[tuple[str, str, str]] = (),
    *,
    whole: bool = True,
    without: Collection[str] = (),
) -> list[dict[str, str]]:
    """Resolve the dependency tree of `group, artifact, version` again; for whoever renews a lock.

    Not `whole`: it alone. `without` names artifacts to leave out.
    """
    from jgo.maven import MavenContext, Model, PythonResolver

    with tempfile.TemporaryDirectory(prefix="eltax-hub-lock-") as scratch:
        context = MavenContext(repo_cache=Path(scratch), local_repos=[], resolver=PythonResolver())
        rows = [top]
        if whole:
            found = Model(context.project(top[0], top[1]).at_version(top[2]).pom(), context).dependencies()
            rows += [
                (each.groupId, each.artifactId, str(each.version))
                for each in (found[0] if isinstance(found, tuple) else found)
            ]
        rows += list(extra)

        def pin(group: str, artifact: str, version: str) -> dict[str, str]:
            path = context.project(group, artifact).at_version(version).artifact().resolve()
            digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            return {"group": group, "artifact": artifact, "version": version, "sha256": digest}

        return [pin(*row) for row in rows if row[1] not in without]


def write_lock(path: Path, parts: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
    """Write a lock: one jar a line."""
    texts = [
        f'"{key}": [\n' + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]" for key, rows in parts.items()
    ]
    path.write_text("{" + ",\n".join(texts) + "}\n", "utf-8")


def main(arguments: Sequence[str]) -> int:
    """The three commands of the module's docstring."""
    match list(arguments):
        case ["list"]:
            for jar in (*read_lock(), *read_agents()):
                _say(f"{jar.coordinates}  {jar.file}  {jar.sha256}")
        case ["fetch", directory]:
            count = len(class_path((*read_lock(), *read_agents()), Path(directory)))
            _say(f"{count} jars of Apache Kafka {VERSION} in {directory}, verified")
        case ["lock"]:
            _lock(VERSION, LOCK)
        case ["lock", version, file]:
            _lock(version, Path(file))
        case _:
            _say("usage: python -m broker.jars list | fetch DIRECTORY | lock [VERSION FILE]")
            return 2
    return 0


def _lock(version: str, path: Path) -> None:
    agents = [row for agent in _AGENTS for row in resolve(agent, whole=False)]
    write_lock(path, {"jars": resolve((GROUP, ARTIFACT, version), _EXTRA), "agents": agents})


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
