"""An older version of the hub beside this one: its roles as processes of their own, exchanged one by one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from broker.embedded import EmbeddedKafka
from cli.home import Home
from cli.processes import role_environment
from hub.crypto.certificates import CertificateAuthority
from tests.broker.hub import ENTRY, eventually
from tests.runbooks.upped import HERE, NAMESPACE, PARTITIONS, environment

OLD: Final = "70954573af1e8c22e63b266b26e1ad1f90aa11ad"
"""the commit in which version 1 of the envelope was frozen: what it wrote must be read for ever"""
READY_SECONDS: Final = 120.0


def extracted(commit: str, into: Path) -> Path:
    """The program of a commit of this repository, as it lay in its tree."""
    made = subprocess.run(["git", "-C", str(HERE), "archive", commit], capture_output=True, check=False)
    assert made.returncode == 0, f"{commit} is not in this clone (git fetch --unshallow): {made.stderr.decode()}"
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(into, filter="data")
    return into


class Roles:
    """The role processes of a home, each of the version that it was started with."""

    def __init__(self, home: Home, bootstrap: str) -> None:
        """Nothing is started."""
        self.home, self._bootstrap = home, bootstrap
        self.trees: dict[str, Path] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, tree: Path) -> None:
        """Start a role of a version, and wait until it is ready."""
        run_file = self.home.role(name) / "state" / "run.json"
        run_file.unlink(missing_ok=True)
        told = role_environment(self.home, name, bootstrap=self._bootstrap, namespace=NAMESPACE, partitions=PARTITIONS)
        told = {key: value for key, value in told.items() if key.startswith("HUB_")}
        told |= {"HUB_LOG_FILE": str(self.home.logs / f"{name}.jsonl"), "HUB_PARENT_PID": str(os.getpid())}
        with (self.home.logs / f"{name}.stderr").open("ab") as errors:
            self._processes[name] = subprocess.Popen(
                [*ENTRY, *_command(name, tree)],
                env={**environment(self.home, tree), **told},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        self.trees[name] = tree
        eventually(lambda: self._ready(name, run_file), READY_SECONDS)

    def stop(self, name: str) -> None:
        """End it politely; its exit status must say that it did."""
        process = self._processes.pop(name)
        assert process.poll() is None, self.last_words(name)
        process.terminate()
        assert process.wait(60) == 0, self.last_words(name)
        del self.trees[name]

    def exchange(self, name: str, tree: Path) -> None:
        """Have another version go on where this one stopped."""
        self.stop(name)
        self.start(name, tree)

    def check(self) -> None:
        """Nobody has ended by itself."""
        for name, process in self._processes.items():
            assert process.poll() is None, self.last_words(name)

    def finish(self) -> None:
        """End all."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def last_words(self, name: str) -> str:
        """What it said last, never content."""
        words = []
        for path in (self.home.logs / f"{name}.stderr", self.home.logs / f"{name}.jsonl"):
            text = path.read_text(errors="replace") if path.exists() else ""
            words.append(f"--- {path.name}\n{text[-3_000:]}")
        return "\n".join(words)

    def _ready(self, name: str, run_file: Path) -> bool:
        process = self._processes[name]
        assert process.poll() is None, self.last_words(name)
        try:
            said = json.loads(run_file.read_text())
        except (FileNotFoundError, ValueError):
            return False
        if said.get("pid") != process.pid:
            return False
        url = f"{said['metrics']}/readyz"
        return self.home.scraper().ok(url, name) if url.startswith("https://") else _answers(url)


def _answers(url: str) -> bool:
    """Endpoints were without TLS once."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False


def _command(name: str, tree: Path) -> tuple[str, ...]:
    if name == "router":
        return ("route",)
    if name == "monitor":
        return ("monitor",) if (tree / "cli" / "monitor").is_dir() else ("watch",)
    return ("consume", name.partition("-")[0])


@contextmanager
def served(home: Home, topics: Sequence[str]) -> Iterator[str]:
    """The Kafka of a home that `up` made, without its roles; commands of any version find it."""
    with EmbeddedKafka(home.broker, CertificateAuthority.load(home.path / "authority")) as kafka:
        said = {
            "bootstrap": kafka.bootstrap,
            "home": str(home.path),
            "certificates": str(home.certificates),
            "namespace": NAMESPACE,
            "partitions": PARTITIONS,
            "topics": list(topics),
            "pids": {"up": os.getpid()},
        }
        run_file = home.run / "hub.json"
        run_file.write_text(json.dumps(said))
        try:
            yield kafka.bootstrap
        finally:
            run_file.unlink()


@contextmanager
def roles_of(home: Home, bootstrap: str) -> Iterator[Roles]:
    """The roles of a home; what they said last is shown if we fail."""
    roles = Roles(home, bootstrap)
    try:
        yield roles
    except BaseException:
        for name in roles.trees:
            print(roles.last_words(name), file=sys.stderr)
        raise
    finally:
        roles.finish()
