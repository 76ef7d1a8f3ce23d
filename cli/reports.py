"""Signed reports of the roles for reconciliation: each role writes its own, in its own process, with its own key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from assurance.reconcile import Entry, Kind, Report, State
from assurance.reports import write_report
from cli.desks import opened
from cli.forked import run_each
from cli.home import Home
from cli.processes import role_environment
from cli.tax import STORE as TAX_STORE
from consumers.reporting import decided, decisions_seen, entries, handed_over, handovers_seen, taken_over
from consumers.store.port import Store
from consumers.tax.store import TaxStore
from hub.crypto.certificates import write_private
from hub.envelope.records import ReportEntry
from hub.facts import ignore
from hub.loop import loop_run
from hub.reading.control import caught_up
from hub.role import Role, load_role
from hub.settings import RoleSettings
from portal.producer import JOURNAL
from portal.report import answered_entries, report_entries
from schemas.errors import HubError

_SECONDS: Final = 120


class ReportFailed(HubError):
    """A role did not write its report."""

    code = "cli.report-failed"
    hint = "The role's own words are on standard error above."


class NothingToReport(HubError):
    """This role does not speak for that place, or for any."""

    code = "cli.nothing-to-report"
    hint = "Reports are written by the portal, the desks and the tax teams, each of what is its own."


def kinds_of(principal: str) -> tuple[Kind, ...]:
    """Which places a principal speaks for; what `report` writes by default comes first. Raises NothingToReport."""
    try:
        return _KINDS[principal.partition("-")[0]]
    except KeyError:
        raise NothingToReport(principal) from None


_KINDS: Final = {
    "portal": (Kind.PORTAL, Kind.ANSWERED),
    "review": (Kind.REVIEW, Kind.DECIDED, Kind.HANDED),
    "helpdesk": (Kind.HELPDESK, Kind.TOLD),
    "audit": (Kind.AUDIT, Kind.DECISION_LOG, Kind.HANDOVER_LOG),
    "tax": (Kind.TAKEN,),
}
_OF_STORE: Final[Mapping[Kind, Callable[[Store], Iterable[ReportEntry]]]] = {
    Kind.REVIEW: entries,
    Kind.DECIDED: decided,
    Kind.HANDED: handed_over,
    Kind.HELPDESK: entries,
    Kind.TOLD: decisions_seen,
    Kind.AUDIT: partial(entries, discards=True),
    Kind.DECISION_LOG: partial(decisions_seen, discards=True),
    Kind.HANDOVER_LOG: partial(handovers_seen, discards=True),
}


def write_own(output: Path, kind: Kind | None = None) -> None:
    """Write a report of the role in HUB_ROLE_DIR; by default about submissions. Raises HubError."""
    role = load_role(RoleSettings.from_environment())
    _write(role, kinds_of(role.principal)[0] if kind is None else kind, output)


def write_several(directory: Path, kinds: Sequence[Kind]) -> None:
    """Write `<principal>.<kind>.report` for each kind. Raises HubError."""
    role = load_role(RoleSettings.from_environment())
    for kind in kinds:
        _write(role, kind, directory / file_name(role.principal, kind))


def file_name(principal: str, kind: Kind) -> str:
    """Return the name of a report among others."""
    return f"{principal}.{kind.value}.report"


def _write(role: Role, kind: Kind, output: Path) -> None:
    if kind not in kinds_of(role.principal):
        raise NothingToReport(f"{role.principal} {kind.value}")
    tenant = role.principal.rpartition("-")[2] if "-" in role.principal else None
    with _entries(role, kind) as found:
        lines = tuple(Entry(e.tenant, e.event_id, e.leaf, State(e.state)) for e in found)
    report = Report(role.principal, tenant, kind, datetime.now(UTC), lines)
    write_private(output, write_report(report, role.namespace, role.identity))


@contextmanager
def _entries(role: Role, kind: Kind) -> Iterator[Iterable[ReportEntry]]:
    if kind is Kind.ANSWERED:
        yield loop_run(_answered(role))
    elif kind is Kind.PORTAL:
        path = role.state_directory / JOURNAL
        yield report_entries(path) if path.exists() else ()  # else it has never sent anything
    elif kind is Kind.TAKEN:
        path = role.state_directory / TAX_STORE
        if not path.exists():
            yield ()
            return
        store = TaxStore(path, f"{role.namespace}/{role.principal}")
        try:
            yield taken_over(store)
        finally:
            store.close()
    else:
        with opened(role) as (around, _, _):
            yield _OF_STORE[kind](around.store)


async def _answered(role: Role) -> Iterable[ReportEntry]:
    async with caught_up(role, ignore):
        return await answered_entries(role)


def portal_report(output: Path) -> None:
    """`portal report`."""
    write_own(output)


def collect(
    home: Home, *, bootstrap: str, namespace: str, partitions: int, wanted: Mapping[str, Sequence[Kind]]
) -> list[Path]:
    """Let each principal write its reports in a process of its own; return the files. Raises ReportFailed."""
    directory = home.path / "reports"
    directory.mkdir(exist_ok=True, mode=0o700)
    written = {
        principal: [directory / file_name(principal, kind) for kind in kinds] for principal, kinds in wanted.items()
    }
    for path in (path for paths in written.values() for path in paths):
        path.unlink(missing_ok=True)

    def chosen(kinds: Sequence[Kind]) -> list[str]:
        return [part for kind in kinds for part in ("--kind", kind.value)]

    statuses = run_each(
        {principal: ["report", "--directory", str(directory), *chosen(kinds)] for principal, kinds in wanted.items()},
        {
            principal: role_environment(
                home, principal, bootstrap=bootstrap, namespace=namespace, partitions=partitions
            )
            for principal in wanted
        },
        seconds=_SECONDS,
    )
    failed = [
        f"{principal}, status {status}"
        for principal, status in statuses.items()
        if status or not all(path.exists() for path in written[principal])
    ]
    if failed:
        raise ReportFailed("; ".join(failed))
    return [path for paths in written.values() for path in paths]
