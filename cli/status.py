"""`portal status|receipt|check-receipt`: what came back to the filer's side."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import console, errors, fail, json_line, reports_errors

if TYPE_CHECKING:
    from hub.reading.stream import Place
    from hub.role import Role

Json = Annotated[bool, typer.Option("--json", help="one object per line")]
_CURSOR = "status-places.json"


@reports_errors
def status(
    receipt: Annotated[str | None, typer.Argument(help="receipt number or event id; default all")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="go on until Ctrl-C")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="begin after the last message of the last --resume; keep the place")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what was sent and what the desks decided, messages opened. / 送信状況と審査結果を表示する"""
    from cli.noting import noted
    from cli.portal_run import portal_role
    from hub.envelope.operations import Kind

    role = portal_role()
    with noted(role, "portal status") as notes, notes.attempt(Kind.VIEWED, receipt=receipt or ""):
        notes.note(Kind.KEY_USED, about=role.principal)
        asyncio.run(_status(role, receipt, follow=follow, resume=resume, as_json=as_json))


async def _status(role: Role, receipt: str | None, *, follow: bool, resume: bool, as_json: bool) -> None:
    from contextlib import AsyncExitStack

    from hub.facts import ignore
    from hub.reading.control import caught_up
    from portal.delivery import sent
    from portal.producer import JOURNAL
    from portal.status import status_stream

    journal = role.state_directory / JOURNAL
    if receipt is not None:
        for event in sent(journal, receipt):
            line = {"receipt_number": event.receipt_number, "tenant": event.tenant, "event_id": event.event_id}
            _show(line | {"sent": event.state.name.lower()}, as_json=as_json)
    cursor = role.state_directory / _CURSOR
    starts = _read(cursor) if resume else {}
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        # a newer trust list first: what a new desk has signed is no dead letter
        await stack.enter_async_context(caught_up(role, ignore))
        stream = await stack.enter_async_context(status_stream(role, starts, letters=resume))
        async for _, message in stream.events(follow=follow, stop=stop):
            if resume:
                _write(cursor, stream.places)  # what was printed before; this one may be printed again
            if receipt in (None, message.record.receipt_number, message.submission_event_id):
                _show(message.as_json(), as_json=as_json)
        if resume:
            _write(cursor, stream.places)
    if stream.refused:
        errors.print(f"{stream.refused} records on the status topics are not valid; see `dead-letters list`")
        raise typer.Exit(1)


def _show(line: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        json_line(line)
    else:
        console.print_json(json.dumps(line, ensure_ascii=False))


def _read(cursor: Path) -> dict[Place, int]:
    if not cursor.exists():
        return {}
    try:
        found = {(topic, partition): offset for topic, partition, offset in json.loads(cursor.read_text())}
        valid = all(type(offset) is int and offset >= 0 for offset in found.values())
    except (OSError, ValueError, TypeError):
        valid = False
    if not valid:
        fail("cli.places", f"{cursor} is damaged", "Remove it: the next --resume shows everything that is still there.")
    return found


def _write(cursor: Path, places: dict[Place, int]) -> None:
    sys.stdout.flush()
    new = cursor.with_suffix(".new")
    new.write_text(json.dumps([[*place, offset] for place, offset in sorted(places.items())]))
    new.replace(cursor)


@reports_errors
def receipt(
    receipt: Annotated[str, typer.Argument(help="receipt number or event id")],
    output: Annotated[Path, typer.Option("--output", "-o", help="where the file goes")],
    wait: Annotated[float, typer.Option(min=0, help="seconds to wait for a receipt that has not come back yet")] = 15.0,
    as_json: Json = False,
) -> None:
    """Write the desk's signed delivery receipt of the newest submission of that number. / 署名付き受領書を書き出す"""
    from cli.noting import noted
    from cli.portal_run import portal_role
    from hub.envelope.operations import Kind
    from hub.loop import loop_run
    from portal.delivery import NotSent, await_receipt, delivery_receipt, is_part, sent
    from portal.producer import JOURNAL

    role = portal_role()
    journal = role.state_directory / JOURNAL
    found = list(sent(journal, receipt))
    if not found:
        raise NotSent(receipt)
    newest = found[-1]  # parts of attachments have its receipt number, and come before it
    loop_run(await_receipt(role, newest, wait))
    # while we waited its state has changed
    document = delivery_receipt(journal, next(sent(journal, newest.event_id)))
    if is_part(document) and receipt != newest.event_id:
        raise NotSent(receipt)
    with noted(role, "portal receipt") as notes:
        notes.note(Kind.EXPORTED, receipt=newest.receipt_number)
    try:
        output.write_bytes(document)
    except OSError as problem:
        fail("cli.output", f"{output}: {problem.strerror}", as_json=as_json)
    _show({"event_id": newest.event_id, "written": str(output)}, as_json=as_json)


@reports_errors
def check_receipt(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a delivery receipt")],
    trust: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="trust.bin")],
    admin: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="admin.pub")],
    as_json: Json = False,
) -> None:
    """Verify a delivery receipt from these three files alone. / 受領書を検証する"""
    from datetime import UTC, datetime

    from hub.envelope.trust import Trust
    from portal.delivery import MAX_BYTES, check

    try:
        pinned = [bytes.fromhex(line) for line in admin.read_text(encoding="ascii").split()]
    except ValueError:
        fail("cli.admin-key", f"{admin} holds no public keys", "One of 64 hex digits a line.", as_json=as_json)
    with file.open("rb") as source:
        document = source.read(MAX_BYTES + 1)
    proven = check(document, Trust.load(trust.read_bytes(), pinned), datetime.now(UTC))
    _show({"verified": True, **proven}, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add these commands to `portal`."""
    app.command("status")(status)
    app.command("receipt")(receipt)
    app.command("check-receipt")(check_receipt)
