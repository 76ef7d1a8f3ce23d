"""`reconcile`: portal = routed = stored, by the signed reports of the roles and the routed topics themselves."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import console, json_line, reports_errors, table

if TYPE_CHECKING:
    from pathlib import Path

    from assurance.reconcile import Reconciliation, Report
    from cli.home import Home


@reports_errors
def reconcile(
    as_json: Annotated[bool, typer.Option("--json", help="one object")] = False,
) -> None:
    """Compare what was filed with what was routed and stored. / 送信・配送・保管を照合する"""
    from cli.people import the_home

    outcome = run(the_home())
    if as_json:
        json_line(plain(outcome))
    else:
        table(
            "reconciliation",
            ("tenant", "submitted", "routed", "review", "helpdesk", "audit"),
            [
                (name, t.submitted, t.routed, t.review, t.helpdesk, t.audit)
                for name, t in [*sorted(outcome.by_tenant.items()), ("all", outcome.totals)]
            ],
        )
        for name in ("lost", "extra", "duplicates", "conflicts", "unconfirmed", "dead_letters"):
            found = getattr(outcome, name)
            if found:
                console.print(f"[yellow]{name}[/] {found.count}")
                for each in found.listed[:10]:
                    console.print(f"  {each.tenant} {each.event_id} at {each.at}")
        console.print("[bold green]agreed[/]" if outcome.agreed else "[bold red]NOT agreed[/]")
    if not outcome.agreed:
        raise typer.Exit(1)


def run(home: Home) -> Reconciliation:
    """Collect and read the reports of the hub that runs in `home`, and reconcile them. Raises HubError."""
    from cli.people import open_role
    from cli.portal_run import PORTAL
    from cli.reports import collect

    running = home.running()
    codes = [tenant.code for tenant in open_role(home, "admin").topology.tenants]
    desks = [f"{kind}-{code}" for code in codes for kind in ("review", "helpdesk", "audit")]

    def take(principals: list[str]) -> dict[str, Path]:
        return collect(
            home,
            bootstrap=running.bootstrap,
            namespace=running.namespace,
            partitions=running.partitions,
            principals=principals,
        )

    # what the portal holds acknowledged now must be at the desks; what comes meanwhile may be
    first = take([PORTAL])
    reports = read(home, [*first.values()])
    reports += read(home, [*take(desks).values()])
    later = read(home, [*take([PORTAL]).values()])
    return _reconcile(reports, later, codes)


def _reconcile(reports: list[Report], later: list[Report], codes: list[str]) -> Reconciliation:
    from assurance.reconcile import reconcile as compare

    return compare(reports, later=later, tenants=codes)


def read(home: Home, files: list[Path]) -> list[Report]:
    """Verify reports with the administrator's trust file."""
    from datetime import UTC, datetime

    from assurance.reports import read_report
    from hub.envelope.trust import Trust

    pinned = bytes.fromhex((home.role("admin") / "admin.pub").read_text(encoding="ascii").split()[0])
    trust = Trust.load((home.path / "trust.bin").read_bytes(), pinned)
    return [read_report(path.read_bytes(), trust=trust, now=datetime.now(UTC)) for path in files]


def plain(outcome: Reconciliation) -> dict[str, Any]:
    """The outcome as JSON: totals, counts, and the first of each sort of discrepancy."""
    shown: dict[str, Any] = {"agreed": outcome.agreed, **asdict(outcome.totals)}
    for name in ("lost", "extra", "duplicates", "conflicts", "unconfirmed", "dead_letters"):
        found = getattr(outcome, name)
        shown[name] = found.count
        shown.setdefault("listed", {})[name] = [
            {"tenant": each.tenant, "event_id": each.event_id, "at": each.at.value} for each in found.listed[:20]
        ]
    return shown | {
        "pending": outcome.pending,
        "void": outcome.void,
        "erased": outcome.erased,
        "foreign": outcome.foreign,
        "missing_reports": [list(pair) for pair in outcome.missing_reports],
        "by_tenant": {name: asdict(totals) for name, totals in outcome.by_tenant.items()},
    }
