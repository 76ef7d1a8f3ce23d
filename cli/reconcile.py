"""`reconcile`: sent = routed = stored, there and back, by the signed reports of the roles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.output import console, json_line, reports_errors, table

if TYPE_CHECKING:
    from pathlib import Path

    from assurance.reconcile import Comparison, Reconciliation, Report
    from cli.home import Home

_SORTS: Final = ("lost", "extra", "duplicates", "conflicts", "unconfirmed", "dead_letters", "discarded")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was filed, what was decided, what was handed over: each from where it came to where it must be."""

    submissions: Reconciliation
    decisions: Comparison
    handovers: Comparison
    left_out: Mapping[str, int]
    """how many lines were about tenants that were removed: nobody answers for them any more"""

    @property
    def agreed(self) -> bool:
        """Tell whether all three are."""
        return self.submissions.agreed and self.decisions.agreed and self.handovers.agreed


@reports_errors
def reconcile(
    as_json: Annotated[bool, typer.Option("--json", help="one object")] = False,
) -> None:
    """Compare what was filed, decided and handed over with what arrived. / 送信・配送・保管・引渡しを照合する"""
    from cli.people import the_home

    outcome = run(the_home())
    if as_json:
        json_line(plain(outcome))
    else:
        _show(outcome)
    if not outcome.agreed:
        raise typer.Exit(1)


def _show(outcome: Outcome) -> None:
    parts = {"submissions": outcome.submissions, "decisions": outcome.decisions, "hand-overs": outcome.handovers}
    for title, part in parts.items():
        places = list(part.counts)
        table(
            title,
            ("tenant", *(place.value for place in places)),
            [
                (name, *(counts[place] for place in places))
                for name, counts in [*sorted(part.counts_by_tenant.items()), ("all", part.counts)]
            ],
        )
        for name in _SORTS:
            found = getattr(part, name)
            if found:
                console.print(f"[yellow]{name}[/] {found.count}")
                for each in found.listed[:10]:
                    console.print(f"  {each.tenant} {each.event_id} at {each.at}")
    for tenant, count in outcome.left_out.items():
        console.print(f"{tenant} is not served any more: {count} of its events are left out")
    console.print("[bold green]agreed[/]" if outcome.agreed else "[bold red]NOT agreed[/]")


def run(home: Home, *, gather: Callable[..., list[Path]] | None = None) -> Outcome:
    """Collect and read the reports of the hub that runs in `home`, and reconcile them. Raises HubError.

    `gather` has roles write their reports, as `cli.reports.collect` does for roles that run here.
    """
    from assurance.reconcile import DECISIONS, HANDOVERS, Kind, compare
    from assurance.reconcile import reconcile as compare_submissions
    from cli.people import open_role
    from cli.reports import collect, kinds_of

    gather = gather or collect

    running = home.running()
    topology = open_role(home, "admin").topology
    codes = [tenant.code for tenant in topology.tenants]
    sources = {"portal": [Kind.PORTAL], **{f"review-{code}": [Kind.DECIDED, Kind.HANDED] for code in codes}}
    desks = [f"{kind}-{code}" for code in codes for kind in ("review", "helpdesk", "audit")]
    teams = _teams(home, [each.name for each in topology.principals if each.name.startswith("tax-")], codes)
    sent = {kind for kinds in sources.values() for kind in kinds}
    places = {each: [kind for kind in kinds_of(each) if kind not in sent] for each in ("portal", *desks, *teams)}

    def take(wanted: Mapping[str, Sequence[Kind]]) -> list[Report]:
        return read(
            home,
            gather(
                home,
                bootstrap=running.bootstrap,
                namespace=running.namespace,
                partitions=running.partitions,
                wanted=wanted,
            ),
        )

    # what is acknowledged to its sender now must be at its places; what comes meanwhile may be
    first, left_out = _served(take(sources), codes)
    reports, _ = _served([*first, *take(places)], codes)

    def compared(later: list[Report]) -> Outcome:
        return Outcome(
            compare_submissions(reports, later=later, tenants=codes),
            compare(DECISIONS, reports, later=later, tenants=codes),
            compare(HANDOVERS, reports, later=later, tenants=codes),
            left_out,
        )

    outcome = compared([])
    if outcome.agreed:
        return outcome  # nothing came meanwhile that a later report would have to excuse
    return compared(_served(take(sources), codes)[0])


def _teams(home: Home, teams: Sequence[str], codes: Sequence[str]) -> list[str]:
    """The tax teams with a store here; of a tenant that has none one for all, which reports that there is nothing."""
    from cli.tax import STORE

    found = [team for team in teams if (home.role(team) / "state" / STORE).exists()]
    for code in codes:
        mine = [team for team in teams if team.endswith(f"-{code}")]
        if not set(mine) & set(found):
            found += mine[:1]
    return found


def _served(reports: list[Report], codes: Sequence[str]) -> tuple[list[Report], dict[str, int]]:
    """Leave out what is about tenants that are not served (any more), and count it: their desks are withdrawn."""
    kept = [replace(each, entries=tuple(e for e in each.entries if e.tenant in codes)) for each in reports]
    foreign = Counter(e.tenant for each in reports for e in each.entries if e.tenant not in codes)
    return kept, dict(sorted(foreign.items()))


def read(home: Home, files: list[Path]) -> list[Report]:
    """Verify reports with the administrator's trust file."""
    from datetime import UTC, datetime

    from assurance.reports import read_report
    from hub.envelope.trust import Trust

    pinned = bytes.fromhex((home.role("admin") / "admin.pub").read_text(encoding="ascii").split()[0])
    trust = Trust.load((home.path / "trust.bin").read_bytes(), pinned)
    return [read_report(path.read_bytes(), trust=trust, now=datetime.now(UTC)) for path in files]


def plain(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON: totals, counts, and the first of each sort of discrepancy."""
    shown = {"agreed": outcome.agreed, **asdict(outcome.submissions.totals)}
    shown |= _discrepancies(outcome.submissions)
    shown["by_tenant"] = {name: asdict(totals) for name, totals in outcome.submissions.by_tenant.items()}
    for name, part in (("decisions", outcome.decisions), ("handovers", outcome.handovers)):
        counts = {kind.value: count for kind, count in part.counts.items()}
        shown[name] = {"agreed": part.agreed, **counts, **_discrepancies(part)}
    shown["left_out"] = dict(outcome.left_out)
    return shown


def _discrepancies(part: Comparison) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in _SORTS:
        found = getattr(part, name)
        shown[name] = found.count
        shown.setdefault("listed", {})[name] = [
            {"tenant": each.tenant, "event_id": each.event_id, "at": each.at.value} for each in found.listed[:20]
        ]
    return shown | {
        "pending": part.pending,
        "void": part.void,
        "erased": part.erased,
        "foreign": part.foreign,
        "missing_reports": [list(pair) for pair in part.missing_reports],
    }
