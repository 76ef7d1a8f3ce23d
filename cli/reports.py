"""Signed reports of the roles for reconciliation: each role writes its own, in its own process, with its own key."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from assurance.reconcile import Entry, Kind, Report, State
from assurance.reports import write_report
from cli.desks import opened
from cli.home import Home
from cli.portal_run import PORTAL
from cli.processes import role_environment
from consumers.reporting import entries
from hub.crypto.certificates import write_private
from hub.role import Role, load_role
from hub.settings import RoleSettings
from portal.producer import JOURNAL
from portal.report import report_entries
from schemas.errors import HubError

_SECONDS: Final = 120


class ReportFailed(HubError):
    """A role did not write its report."""

    code = "cli.report-failed"
    hint = "The role's own words are on standard error above."


def write_own(output: Path) -> None:
    """Write the report of the role in HUB_ROLE_DIR. Raises HubError."""
    role = load_role(RoleSettings.from_environment())
    kind, _, tenant = role.principal.partition("-")
    with _entries(role) as found:
        lines = tuple(found)
    report = Report(role.principal, tenant or None, Kind(kind), datetime.now(UTC), lines)
    write_private(output, write_report(report, role.namespace, role.identity))


@contextmanager
def _entries(role: Role) -> Iterator[Iterator[Entry]]:
    if role.principal == PORTAL:
        path = role.state_directory / JOURNAL
        if not path.exists():  # it has never sent anything
            yield iter(())
            return
        yield (Entry(e.tenant, e.event_id, e.leaf, State(e.state)) for e in report_entries(path))
    else:
        discards = role.principal.startswith("audit-")
        with opened(role) as (around, _, _):
            yield (
                Entry(e.tenant, e.event_id, e.leaf, State(e.state)) for e in entries(around.store, discards=discards)
            )


def portal_report(output: Path) -> None:
    """`portal report`."""
    write_own(output)


def collect(home: Home, *, bootstrap: str, namespace: str, partitions: int, principals: list[str]) -> dict[str, Path]:
    """Let each role write its report in a process of its own; return the files. Raises ReportFailed."""
    directory = home.path / "reports"
    directory.mkdir(exist_ok=True, mode=0o700)
    written: dict[str, Path] = {}
    running = []
    for principal in principals:
        path = directory / f"{principal}.report"
        path.unlink(missing_ok=True)
        environment = role_environment(home, principal, bootstrap=bootstrap, namespace=namespace, partitions=partitions)
        command = [sys.executable, "-m", "cli", "report", "--output", str(path)]
        running.append(
            (principal, path, subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))  # noqa: S603
        )
    for principal, path, process in running:
        status = process.wait(_SECONDS)
        if status or not path.exists():
            raise ReportFailed(f"{principal}, status {status}")
        written[principal] = path
    return written
