"""`monitor network`: one round of the network watch now."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import console, json_line, reports_errors, table

if TYPE_CHECKING:
    from hub.role import Role
    from hub.settings import WatchSettings
    from monitoring.network.watch import Found


@reports_errors
def network(as_json: Annotated[bool, typer.Option("--json", help="one object per attempt and path")] = False) -> None:
    """Try now whether all that must be refused is refused, and all paths are good. / ネットワーク統制を点検する

    Exit 1 if somebody was let in, if something could not be tried, or if a path is not good.
    """
    from monitoring.network.judgement import WORDS, Verdict

    role, settings = _of_this_place()
    found = asyncio.run(_once(role, settings))
    visits = found.round.visits if found.round else {}
    attempts: list[dict[str, Any]] = [
        {
            "control": each.control.value,
            "attempt": WORDS[each.control][0],
            "attempt_ja": WORDS[each.control][1],
            "listener": each.listener,
            "expected": Verdict.REFUSED.value,
            "result": each.verdict.value,
            "code": each.code,
        }
        for each in found.tried
    ]
    paths: list[dict[str, Any]] = [
        {
            "path": role.principal,
            "listener": str(address),
            "up": seen.good,
            "code": seen.problem,
            "protocol": seen.protocol,
            "cipher": seen.cipher,
            "connect_seconds": round(seen.connect_seconds, 6),
            "handshake_seconds": round(seen.handshake_seconds, 6),
            "peer": seen.certificate.subject if seen.certificate else "",
            "issuer": seen.certificate.issuer if seen.certificate else "",
            "names": list(seen.certificate.names) if seen.certificate else [],
            "not_after": seen.certificate.not_after.isoformat() if seen.certificate else "",
        }
        for address, seen in visits.items()
    ]
    good = bool(paths) and all(seen.good for seen in visits.values())
    good = good and all(each.verdict is Verdict.REFUSED for each in found.tried)
    if as_json:
        for row in (*attempts, *paths):
            json_line(row)
    else:
        columns = ("control", "attempt", "listener", "expected", "result", "code")
        table("controls", columns, [[row[name] for name in columns] for row in attempts])
        shown = ("listener", "up", "code", "protocol", "cipher", "handshake_seconds", "peer", "not_after")
        table(f"paths of {role.principal}", shown, [[row[name] for name in shown] for row in paths])
        console.print("all refused" if good else "[bold red]not all is as it must be[/]")
    if not good:
        raise typer.Exit(1)


def _of_this_place() -> tuple[Role, WatchSettings]:
    """The monitor of HUB_ROLE_DIR if that is set, else of the hub that runs in HUB_HOME; and where it looks."""
    from cli.people import open_role, the_home
    from hub.role import load_role
    from hub.settings import RoleSettings, WatchSettings

    settings = WatchSettings()
    if "HUB_ROLE_DIR" in os.environ:
        return load_role(RoleSettings.from_environment()), settings
    home = the_home()
    running = home.running()
    told = {
        "watch_also": settings.watch_also or running.controller,
        "watch_targets": settings.watch_targets or home.targets,
    }
    return open_role(home, "monitor"), settings.model_copy(update=told)


async def _once(role: Role, settings: WatchSettings) -> Found:
    from hub.facts import ignore
    from hub.reading.control import caught_up
    from monitoring.network.watch import NetworkWatch
    from schemas.errors import HubError

    watch = NetworkWatch(role, ignore, settings)
    try:
        try:
            async with caught_up(role, ignore):
                return await watch.once()
        except HubError:  # the brokers say nothing: then what was last declared holds, and the attempts say the rest
            return await watch.once()
    finally:
        watch.close()
