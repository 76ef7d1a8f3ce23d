"""`topics grow`: into a bigger generation of topics, when the present one is drained."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, json_line, reports_errors, table

if TYPE_CHECKING:
    from cli.home import Home
    from hub.growing import Left
    from hub.role import Role


@reports_errors
def grow(
    partitions: Annotated[int | None, typer.Option("--partitions", min=2, help="of all topics of the routes")] = None,
    check: Annotated[bool, typer.Option("--check", help="show what is still under way, change nothing")] = False,
    wait: Annotated[float, typer.Option("--wait", min=0, help="seconds for what is under way to arrive")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="one object per line")] = False,
) -> None:
    """Drain the topics into a bigger generation; filing pauses for a minute or so. / トピックを増設世代へ移す"""
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind

    home = the_home()
    home.running()
    role = open_role(home, ADMIN)
    if check:
        left = asyncio.run(_left(home, role))
        _show(left, as_json=as_json)
        raise typer.Exit(1 if left else 0)
    if partitions is None:
        raise typer.BadParameter("give --partitions, or --check")
    with noted(role, "topics grow") as notes, notes.attempt(Kind.COMMANDED, code=str(partitions)):
        _grow(home, role, partitions, wait, as_json=as_json)


def _grow(home: Home, role: Role, partitions: int, wait: float, *, as_json: bool) -> None:
    from hub.applying import Wanted, admin_endpoint
    from hub.crypto.certificates import CertificateAuthority, write_public
    from hub.growing import grow as carry_out
    from hub.settings import HomeSettings
    from topics.declaration import read
    from topics.errors import GrowthRefused

    running, settings = home.running(), HomeSettings()
    file = settings.topics_file or home.declaration
    if not os.access(file.parent, os.W_OK):
        raise GrowthRefused(f"({file} says what is declared, and cannot be written)")
    declared = Wanted.of(read(home.declared_in(settings.topics_file)), running.namespace, running.partitions)

    def tell(step: str) -> None:
        if as_json:
            json_line({"kind": "step", "about": step})
        else:
            console.print(f"[dim]·[/] {step}")

    done = asyncio.run(
        carry_out(
            home.path,
            declared,
            partitions,
            CertificateAuthority.load(home.path / "authority"),
            admin_endpoint(home.path, running.bootstrap),
            lambda: datetime.now(UTC),
            letters=lambda: open_letters(role),
            wait_seconds=wait,
            tell=tell,
        )
    )
    write_public(file, done.text.encode())
    if running.elsewhere:  # where it runs here, `up` says what holds now
        topology = Wanted.of(done.text, running.namespace, None).topology
        home.announce(replace(running, partitions=done.partitions, topics=[each.name for each in topology.topics]))
    if as_json:
        said = {"generation": done.generation, "partitions": done.partitions, "declaration": done.declaration_serial}
        json_line({"kind": "grown", **said, "written": str(file), "left": len(done.left.steps)})
    else:
        console.print(f"generation {done.generation}, {done.partitions} partitions; {file} says so")
    if not done.left.empty:
        raise typer.Exit(1)


async def open_letters(role: Role) -> int:
    """How many dead letters wait for the operator, by who may read them all and opens none. Raises TransportError."""
    from consumers.operator.book import Book, State
    from consumers.operator.letters import open_nothing
    from consumers.operator.reading import LetterReader

    book = Book()
    async with LetterReader(role, open_nothing, lambda: datetime.now(UTC)) as reader:
        await reader.catch_up(book)
    return sum(known.state is State.OPEN for known in book.all())


async def _left(home: Home, role: Role) -> Left:
    from hub.applying import admin_endpoint
    from hub.growing import find_left

    endpoint = admin_endpoint(home.path, home.running().bootstrap)
    return await find_left(
        endpoint, role.topology, role.trust, lambda: open_letters(role), datetime.now(UTC), whole=True
    )


def _show(left: Left, *, as_json: bool) -> None:
    rows = [("open session", f"{who}/{where}", tenant, name) for who, where, tenant, name in left.sessions]
    rows += [("not routed", "router", "", str(left.unrouted))] if left.unrouted else []
    rows += [("not stored", f"review-{tenant}", tenant, str(count)) for tenant, count in left.unstored.items()]
    rows += [("open dead letters", "operator", "", str(left.letters))] if left.letters else []
    if as_json:
        for what, who, tenant, about in rows:
            json_line({"kind": "left", "what": what, "who": who, "tenant": tenant, "about": about})
        json_line({"kind": "drained", "drained": not rows})
    elif rows:
        table("still under way", ("what", "whose", "tenant", "which, or how much"), rows)
        console.print("sessions of those who run end when `topics grow` has them pause; the rest must arrive")
    else:
        console.print("nothing is under way")
