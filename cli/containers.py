"""A load through a deployment of containers: filed at the portal's inbox, waited for, and reconciled.

No key leaves its container: each role writes its signed reports where it runs, and what is compared are the reports.
"""

from __future__ import annotations

import json
import os
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


class NoEngine(HubError):
    """The Docker engine is not there, or did not do what was asked."""

    code = "deploy.engine"
    hint = "`make status` shows what runs; what it said itself stands above."


class LoadIncomplete(HubError):
    """Not every submission arrived in time."""

    code = "deploy.load"
    hint = "`make status` shows which service is not healthy, its log why."


@dataclass(frozen=True, slots=True)
class Containers:
    """A running deployment, by its directory."""

    top: Path

    @property
    def home(self) -> Home:
        """The administrator's home."""
        return Home(self.top / "home")

    def running(self) -> dict[str, str]:
        """The containers of this deployment that run: service -> id. Raises NoEngine."""
        project = f"label=com.docker.compose.project={os.environ.get('HUB_PROJECT', 'eltax-hub')}"
        listed = _docker("ps", "--filter", project, "--format", '{{.Label "com.docker.compose.service"}} {{.ID}}')
        return dict(line.split(None, 1) for line in listed.splitlines())

    def report(self, principal: str, kinds: Sequence[Kind], running: Mapping[str, str]) -> None:
        """Let a role write its reports, in its own container; one without a container gets one, without a network."""
        inside = f"{STATE}/{principal}"
        chosen = [part for kind in kinds for part in ("--kind", kind.value)]
        directory = self.home.role(principal) / _REPORTS
        if not directory.exists():
            directory.mkdir(mode=0o700)
            owner = self.home.role(principal).stat()
            os.chown(directory, owner.st_uid, owner.st_gid)
        command = ["report", "--directory", f"{inside}/{_REPORTS}", *chosen]
        if principal in running:
            _docker("exec", running[principal], "eltax-hub", *command)
            return
        owner = directory.stat()
        limits = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--tmpfs", "/tmp"]  # noqa: S108 - in there
        told = {"HUB_ROLE_DIR": inside, "HUB_BOOTSTRAP": "127.0.0.1:1", "HUB_NAMESPACE": self.home.running().namespace}
        _docker(
            *("run", "--rm", *limits, "--user", f"{owner.st_uid}:{owner.st_gid}"),
            *(part for name, value in told.items() for part in ("--env", f"{name}={value}")),
            *("--volume", f"{self.home.role(principal)}:{inside}", _image(), *command),
        )


def _image() -> str:
    return os.environ.get("HUB_IMAGE") or HUB_IMAGE.partition(":-")[2].rstrip("}")


def _docker(*arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["docker", *arguments],  # noqa: S607 - as the person's shell finds it
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise NoEngine(f"({arguments[0]}: {type(error).__name__})") from None
    if done.returncode:
        raise NoEngine(f"({arguments[0]}, status {done.returncode})")
    return done.stdout


def drive(containers: Containers, count: int, seed: int, seconds: float) -> dict[str, Any]:
    """File `count` submissions, wait until all desks have them, and reconcile. Raises LoadIncomplete, NoEngine."""
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
        running = containers.running()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda each: containers.report(each, wanted[each], running), wanted))
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
