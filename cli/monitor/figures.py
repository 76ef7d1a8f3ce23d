"""`monitor figures`: what the role in HUB_ROLE_DIR holds of a period; `monitor report` has each role say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import fail, reports_errors

DESKS = ("audit", "review", "helpdesk")


@reports_errors
def figures(
    output: Annotated[Path, typer.Option("--output", "-o", help="where the figures go")],
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM")] = None,
) -> None:
    """Write what this role holds of a day or month: counts and sums, nothing of a submission. / 件数を書き出す"""
    from cli.desks import opened
    from consumers.audit.signatures import SignatureRules
    from hub.crypto.certificates import write_private
    from hub.role import load_role
    from hub.settings import RoleSettings
    from monitoring.operations.settings import OperationsSettings
    from monitoring.operations.watch import FILE
    from monitoring.report import operations, sources
    from portal.producer import JOURNAL

    if (day is None) == (month is None):
        fail("cli.usage", "give --day or --month", status=2)
    period = sources.parsed(day, month)
    role = load_role(RoleSettings.from_environment())
    codes = [each.code for each in role.topology.tenants]
    kind, _, tenant = role.principal.rpartition("-") if "-" in role.principal else (role.principal, "", "")
    if kind == "portal":
        found = sources.of_portal(role.state_directory / JOURNAL, codes, period)
    elif kind in DESKS:
        with opened(role) as (around, _, _):
            log = None
            if kind == "audit":
                holds = SignatureRules(role.trust, role.principal).head_holds
                log = sources.of_audit(around.store, tenant, period, holds)
            found = sources.of_desk(kind, tenant, around.store, period, log)
    elif kind == "monitor":
        path, owner = role.state_directory / FILE, f"{role.namespace}/{role.principal}"
        days = OperationsSettings().retention_days
        said = operations.take(path, owner, role.trust, role.principal, codes, period, days)
        write_private(output, operations.write(said))
        return
    else:
        fail("cli.nothing-to-report", role.principal, "Figures are those of the portal, the desks and the monitor.")
    write_private(output, sources.write(found))
