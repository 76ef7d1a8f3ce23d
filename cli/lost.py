"""`portal close-lost`: ends the sessions of a portal whose journal is gone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.output import console, json_line, reports_errors, table


@reports_errors
def close_lost(
    end: Annotated[bool, typer.Option("--end", help="sign and write; without it they are only listed")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one object per session")] = False,
) -> None:
    """List, or end as administrator, sessions of a lost portal. / 失われた送信セッションを閉じる"""
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.applying import admin_endpoint
    from hub.enrolment import administrator
    from hub.envelope.names import ADMIN, ROUTER
    from hub.envelope.operations import Kind
    from hub.lost_sessions import end as write_end
    from hub.lost_sessions import find_open
    from hub.transport.admin import Admin

    home = the_home()
    running = home.running()
    role = open_role(home, ADMIN)
    endpoint = admin_endpoint(home.path, running.bootstrap)

    async def work() -> list[tuple[str, str, str, int, str]]:
        await role.catch_up()
        group = role.topology.principal(ROUTER).group
        async with Admin(endpoint) as admin:
            committed = await admin.committed(group) if group else {}
        found = await find_open(endpoint, role.topology, role.trust, "portal", committed, datetime.now(UTC))
        if end:
            key = administrator(home.path)
            for each in found:
                await write_end(endpoint, role.topology, each, key, datetime.now(UTC))
        return [
            (
                each.session.id.hex(),
                each.session.instance,
                each.session.tenant,
                each.events,
                each.newest.isoformat(timespec="seconds"),
            )
            for each in found
        ]

    with noted(role, "portal close-lost") as notes:
        if end:
            with notes.attempt(Kind.COMMANDED):
                rows = asyncio.run(work())
        else:
            rows = asyncio.run(work())
    state = "closed" if end else "open"
    if as_json:
        for session, instance, tenant, events, newest in rows:
            said = {"session": session, "instance": instance, "tenant": tenant, "events": events, "newest": newest}
            json_line({**said, "state": state})
        return
    if rows:
        table("portal sessions", ("session", "instance", "tenant", "events", "last written"), rows)
    console.print(f"{len(rows)} {state}" + ("" if end or not rows else "; --end closes them"))
