"""A load through a deployment of containers: filed at the portal's inbox, waited for, and reconciled.

No key leaves its container: each role writes its signed reports where it runs, and what is compared are the reports.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from assurance.reconcile import Kind
from cli.home import Home
from cli.reconcile import plain, run
from cli.reports import ReportFailed, file_name
from deploy.services import HUB_IMAGE, STATE
from schemas.errors import HubError
from schemas.generator import generate

_REPORTS: Final = "state/reports"
_COMMAND_SECONDS: Final = 180
_AT_ONCE: Final = 3


class NoCompose(HubError):
    """Docker Compose is not here, or did not do what was asked."""

    code = "deploy.compose"
    hint = "`make status` shows what runs; HUB_COMPOSE names the command, `docker compose` or `docker-compose`."


class LoadIncomplete(HubError):
    """Not every submission arrived in time."""

    code = "deploy.load"
    hint = "`make status` shows which service is not healthy, its log why."


@dataclass(frozen=True, slots=True)
class Containers:
    """A running deployment: its directory, and the compose file that it was started with."""

    top: Path
    compose_file: Path

    @property
    def home(self) -> Home:
        """The administrator's home."""
        return Home(self.top / "home")

    def compose(self, *arguments: str) -> str:
        """Run Docker Compose and return its output. Raises NoCompose."""
        files = ("--file", str(self.compose_file), "--project-name", os.environ.get("HUB_PROJECT", "eltax-hub"))
        return _output([*compose_command(), *files, *profiles(), *arguments], self.top)

    def report(self, principal: str, kinds: Sequence[Kind]) -> None:
        """Let a role write its reports, in its own container; one without a container gets one, without a network."""
        directory = self.home.role(principal) / _REPORTS
        inside = f"{STATE}/{principal}"
        chosen = [part for kind in kinds for part in ("--kind", kind.value)]
        command = ["report", "--directory", f"{inside}/{_REPORTS}", *chosen]
        if principal in self.compose("config", "--services").split():
            self.compose("exec", "-T", principal, "mkdir", "-p", f"{inside}/{_REPORTS}")
            self.compose("exec", "-T", principal, "eltax-hub", *command)
            return
        directory.mkdir(mode=0o700, exist_ok=True)
        owner = self.home.role(principal).stat()
        os.chown(directory, owner.st_uid, owner.st_gid)
        limits = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--tmpfs", "/tmp"]  # noqa: S108 - in there
        told = {"HUB_ROLE_DIR": inside, "HUB_BOOTSTRAP": "127.0.0.1:1", "HUB_NAMESPACE": self.home.running().namespace}
        _output(
            [
                *("docker", "run", "--rm", *limits, "--user", f"{owner.st_uid}:{owner.st_gid}"),
                *(part for name, value in told.items() for part in ("--env", f"{name}={value}")),
                *("--volume", f"{self.home.role(principal)}:{inside}", _image(), *command),
            ],
            self.top,
        )


def compose_command() -> list[str]:
    """`docker compose` where the client has it, else `docker-compose`; HUB_COMPOSE says another. Raises NoCompose."""
    if given := os.environ.get("HUB_COMPOSE"):
        return shlex.split(given)
    docker = shutil.which("docker")
    if docker and not subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:  # noqa: S603 - a fixed command
        return [docker, "compose"]
    alone = shutil.which("docker-compose")
    if alone is None:
        raise NoCompose("(not installed)")
    return [alone]


def profiles() -> list[str]:
    """All profiles: a service that is not named by one cannot be asked about."""
    return ["--profile", "core", "--profile", "monitoring"]


def _image() -> str:
    return os.environ.get("HUB_IMAGE") or HUB_IMAGE.partition(":-")[2].rstrip("}")


def _output(command: Sequence[str], top: Path) -> str:
    done = subprocess.run(  # noqa: S603 - our own arguments
        command,
        env={**os.environ, "HUB_DEPLOYMENT": str(top)},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NoCompose(f"({' '.join([command[0], *command[-3:]])}, status {done.returncode})")
    return done.stdout


def drive(containers: Containers, count: int, seed: int, seconds: float) -> dict[str, Any]:
    """File `count` submissions, wait until all desks have them, and reconcile. Raises LoadIncomplete, NoCompose."""
    deadline = time.monotonic() + seconds
    began = time.monotonic()
    answers = _file(containers, count, seed, deadline)
    filed = time.monotonic() - began
    while True:
        outcome = plain(run(containers.home, gather=_gather(containers)))
        if outcome["agreed"] or time.monotonic() > deadline:
            break
        time.sleep(2)
    whole = sum(answers.values()) == count and not answers["refused"]
    return {
        "good": bool(outcome["agreed"] and whole),
        "seed": seed,
        **{status: answers[status] for status in ("accepted", "duplicate", "refused")},
        "seconds_to_file": round(filed, 1),
        "seconds_until_reconciled": round(time.monotonic() - began, 1),
        "reconciled": outcome,
    }


def _file(containers: Containers, count: int, seed: int, deadline: float) -> Counter[str]:
    """Put one file into the portal's inbox and count the answers."""
    from cli.people import open_role

    inbox = containers.top / "inbox"
    name = f"load-{seed}-{count}.jsonl"
    tenants = [tenant.code for tenant in open_role(containers.home, "admin").topology.tenants]
    answers = inbox / "answers" / f"{name}.answers.jsonl"
    answers.unlink(missing_ok=True)
    new = inbox / f".{name}"
    with new.open("w", encoding="utf-8") as out:
        for document in generate(seed, count, tenants, rehearsal=True):
            out.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    owner = inbox.stat()
    os.chown(new, owner.st_uid, owner.st_gid)
    new.replace(inbox / "in" / name)
    while not answers.exists():
        if time.monotonic() > deadline:
            raise LoadIncomplete("(the portal has not answered)")
        time.sleep(0.2)
    with answers.open(encoding="utf-8") as lines:
        return Counter(json.loads(line)["status"] for line in lines)


def _gather(containers: Containers) -> Any:
    """What `reconcile` calls to have reports written: one command in each role's own container."""

    def gather(
        home: Home, *, bootstrap: str, namespace: str, partitions: int, wanted: Mapping[str, Sequence[Kind]]
    ) -> list[Path]:
        directory = home.path / "reports"
        directory.mkdir(exist_ok=True, mode=0o700)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda each: containers.report(*each), wanted.items()))
        found = []
        for principal, kinds in wanted.items():
            for kind in kinds:
                made = home.role(principal) / _REPORTS / file_name(principal, kind)
                if not made.exists():
                    raise ReportFailed(f"{principal} {kind.value}")
                found.append(directory / made.name)
                shutil.move(made, found[-1])
        return found

    return gather
