"""`dead-letters list|show|replay|discard|reasons`: what hops refused, and what becomes of it; never its content."""

from __future__ import annotations

import asyncio
import getpass
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cli.output import console, fail, json_line, reports_errors, table
from hub.operations.errors import Unlogged
from schemas.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from consumers.operator.book import Filter, Known
    from consumers.operator.desk import LetterDesk, Outcome
    from hub.envelope.letters import Place
    from hub.envelope.records import LetterResolved
    from hub.role import Role

T = TypeVar("T")
app = typer.Typer(help="Dead letters. / 配送不能レコード", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="one object per line")]
Tenant = Annotated[str | None, typer.Option(help="tenant code")]
Topic = Annotated[str | None, typer.Option(help="topic on which the record was refused, with or without namespace")]
Reason = Annotated[str | None, typer.Option(help="reason code of the refusal")]
Older = Annotated[float | None, typer.Option("--older-than", min=0, help="hours since the letter was written")]
Receipt = Annotated[str | None, typer.Option(help="receipt number, or its fingerprint (32 hex digits)")]
By = Annotated[str | None, typer.Option("--by", help="who decides; default the name of the person logged in")]
Letters = Annotated[list[str] | None, typer.Argument(help="names of letters, as `list` shows them")]
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


@app.callback()
def _group() -> None:
    """Dead letters. / 配送不能レコード"""


@app.command("list")
@reports_errors
def list_(
    tenant: Tenant = None,
    topic: Topic = None,
    reason: Reason = None,
    older_than: Older = None,
    receipt: Receipt = None,
    everything: Annotated[bool, typer.Option("--all", help="also what was replayed or discarded")] = False,
    as_json: Json = False,
) -> None:
    """List open dead letters, or all. / 配送不能レコードの一覧"""
    from cli.noting import noted
    from hub.envelope.operations import Kind

    role, desk = _desk()
    wanted = _filter(role, tenant, topic, reason, older_than, receipt, everything=everything)
    with noted(role, "dead-letters list") as notes:
        book = asyncio.run(_now_standing(role, desk.read()))
        now = datetime.now(UTC)
        found = [known for known in book.all() if wanted.takes(known, now)]
        notes.note(Kind.LISTED, count=len(found))
    if as_json:
        for known in found:
            json_line(_row(known, now))
        return
    rows = [_row(known, now) for known in found]
    table(
        "dead letters",
        ("letter", "state", "reason", "waits for", "tenant", "generation", "hours", "refused on"),
        [
            (
                r["letter"],
                r["state"],
                r["reason"],
                r["waits_for"],
                r["tenant"],
                r["generation"],
                r["age_hours"],
                f"{r['topic']}/{r['partition']}/{r['offset']}",
            )
            for r in rows
        ],
    )
    if book.unread:
        console.print(f"[yellow]{book.unread}[/] records on these topics are neither letters nor the operator's words")


@app.command("show")
@reports_errors
def show(
    letter: Annotated[str, typer.Argument(help="name of a letter, as `list` shows it")],
    as_json: Json = False,
) -> None:
    """Show what is known of a letter, and whether its record's seal holds now. / 1件の詳細（内容は表示しない）"""
    from cli.noting import noted
    from hub.envelope.operations import Kind

    role, desk = _desk()
    place = _place(role, letter)
    with noted(role, "dead-letters show") as notes, notes.attempt(Kind.VIEWED, code=letter):
        notes.note(Kind.KEY_USED, about="quarantine")
        shown = asyncio.run(_now_standing(role, _shown(role, desk, place)))
    if as_json:
        json_line(shown)
        return
    table("", ("", ""), [(name, value) for name, value in shown.items() if name != "history"])
    table(
        "",
        ("at", "what", "by", "why"),
        [(h["at"], h["what"], h["by"], " ".join(filter(None, (h["reason"], h["note"])))) for h in shown["history"]],
    )


@app.command("replay")
@reports_errors
def replay(
    letters: Letters = None,
    everything: Annotated[bool, typer.Option("--all", help="all open letters of one --reason")] = False,
    reason: Reason = None,
    tenant: Tenant = None,
    topic: Topic = None,
    older_than: Older = None,
    returned: Annotated[
        bool, typer.Option("--returned", help="with --all: also letters that came back for the same reason")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="letters by name: also what was replayed or discarded before")
    ] = False,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Send refused records back, unchanged, to where they were refused. / 元のトピックへ再送する"""
    from consumers.operator.desk import Many

    if everything == bool(letters) or everything != (reason is not None) or (everything and again):
        fail(
            "cli.usage",
            "either letters by name (then perhaps --again), or --all with --reason",
            "`eltax-hub dead-letters list` shows names and reasons.",
            as_json=as_json,
            status=2,
        )
    role, desk = _desk()
    if everything:
        chosen = _filter(role, tenant, topic, reason, older_than, None, everything=False)
        work = desk.replay(Many(chosen, returned), actor=by or getpass.getuser())
    else:
        work = desk.replay([_place(role, name) for name in letters or ()], actor=by or getpass.getuser(), again=again)
    _tell(_ended(role, "dead-letters replay", by, work, reason or ""), as_json=as_json)


@app.command("discard")
@reports_errors
def discard(
    letters: Annotated[list[str], typer.Argument(help="names of letters, as `list` shows them")],
    reason: Annotated[str, typer.Option(help="a code of `dead-letters reasons`")],
    note: Annotated[str, typer.Option(help="one line of at most 200 characters that names nobody; kept by audit")],
    by: By = None,
    as_json: Json = False,
) -> None:
    """State, signed and audited, that letters are not wanted any more. / 理由を付けて破棄を記録する"""
    from consumers.operator.discards import discard_for

    said = discard_for(reason, note)
    role, desk = _desk()
    work = desk.discard([_place(role, name) for name in letters], said, actor=by or getpass.getuser())
    _tell(_ended(role, "dead-letters discard", by, work, reason), as_json=as_json)


@app.command("reasons")
@reports_errors
def reasons(as_json: Json = False) -> None:
    """List the reasons for which a letter may be discarded. / 破棄理由の一覧"""
    from consumers.operator.discards import REASONS

    if as_json:
        for each in REASONS:
            json_line(each._asdict())
    else:
        table("reasons for a discard", ("code", "理由", "reason"), REASONS)


def _ended(role: Role, command: str, by: str | None, work: Coroutine[Any, Any, Outcome], reason: str) -> Outcome:
    """End letters: noted before, and how many when it is done. Raises Unlogged, and then none was."""
    from cli.noting import noted
    from hub.envelope.operations import Kind

    with noted(role, command, by) as notes:
        try:
            notes.note(Kind.KEY_USED, about="quarantine")
            notes.note(Kind.LETTER_ENDED, code=reason, count=0)
        except Unlogged:
            work.close()
            raise
        try:
            outcome = asyncio.run(_now_standing(role, work))
        except HubError as problem:
            notes.tell(Kind.LETTER_ENDED, code=reason, outcome=problem.code)
            raise
        notes.note(Kind.LETTER_ENDED, code=reason, count=len(outcome.done))
    return outcome


def _desk() -> tuple[Role, LetterDesk]:
    from cli.people import open_role, the_home
    from consumers.operator.desk import LetterDesk

    home = the_home()
    home.running()
    role = open_role(home, "operator")
    return role, LetterDesk(role, lambda: datetime.now(UTC))


async def _now_standing(role: Role, work: Coroutine[Any, Any, T]) -> T:
    """Do the work by the trust list and the tenants that hold now: nobody keeps the operator's directory current."""
    from hub.facts import ignore
    from hub.reading.control import Control

    control = Control(role, ignore)
    try:
        await control.refresh()
    except BaseException:
        work.close()
        raise
    finally:
        await control.close()
    return await work


def _filter(
    role: Role,
    tenant: str | None,
    topic: str | None,
    reason: str | None,
    older_than: float | None,
    receipt: str | None,
    *,
    everything: bool,
) -> Filter:
    from consumers.operator.book import Filter, State
    from hub.envelope.resolutions import receipt_fingerprint

    if topic is not None and not topic.startswith(f"{role.namespace}."):
        topic = f"{role.namespace}.{topic}"
    fingerprint = None
    if receipt is not None:
        fingerprint = bytes.fromhex(receipt) if _FINGERPRINT.fullmatch(receipt) else receipt_fingerprint(receipt)
    return Filter(
        states=None if everything else frozenset({State.OPEN}),
        tenant=tenant,
        topic=topic,
        reason=reason,
        older_than=None if older_than is None else timedelta(hours=older_than),
        receipt=fingerprint,
    )


def _place(role: Role, name: str) -> Place:
    """Read `<dead-letter topic>/<partition>/<offset>`; the topic may be the hop's name alone."""
    from consumers.operator.errors import LetterUnknown
    from hub.envelope.letters import Place
    from topics import names

    topic, _, rest = name.partition("/")
    partition, _, offset = rest.partition("/")
    if not (partition.isdecimal() and offset.isdecimal() and partition.isascii() and offset.isascii()):
        raise LetterUnknown
    if "." not in topic:
        topic = names.dead_letters(role.namespace, topic, role.topology.generation)
    return Place(topic, int(partition), int(offset))


def _row(known: Known, now: datetime) -> dict[str, Any]:
    letter, described = known.letter, known.letter.described
    event = None if described is None else described.event
    return {
        "letter": letter.name,
        "state": known.state.value,
        "stage": letter.stage,
        "reason": letter.reason.value,
        "meaning": letter.reason.english,
        "meaning_ja": letter.reason.japanese,
        "waits_for": known.healing.value,
        "topic": letter.origin.topic,
        "partition": letter.origin.partition,
        "offset": letter.origin.offset,
        "written_at": letter.written_at.isoformat(timespec="milliseconds"),
        "age_hours": round((now - letter.written_at) / timedelta(hours=1), 1),
        "kept": "as it was (sealed)" if letter.authentic else "in quarantine",
        "tenant": letter.tenant,
        "event_id": None if event is None else event.event_id,
        "leaf": None if event is None else event.leaf.hex(),
        "receipt": None if described is None or described.receipt is None else described.receipt.hex(),
        "generation": known.generation,
        "former": None if known.former is None else _name(known.former.letter),
        "returned": known.returned,
    }


async def _shown(role: Role, desk: LetterDesk, place: Place) -> dict[str, Any]:
    from consumers.operator.errors import LetterUnknown
    from consumers.operator.seal import seal_of

    now = datetime.now(UTC)
    known = (await desk.read()).find(place)
    if known is None:
        raise LetterUnknown(_name(place))
    letter, described = known.letter, known.letter.described
    seal = "in quarantine, and its key is not here"
    if described is not None:
        seal = await seal_of(role, known, await desk.content(known), lambda: datetime.now(UTC))
    return {
        **_row(known, now),
        "hint": known.healing.english,
        "hint_ja": known.healing.japanese,
        "appended_at": letter.appended_at.isoformat(timespec="milliseconds"),
        "letter_bytes": letter.size,
        "copies": known.copies,
        "record": None if described is None else described.record,
        "kind": None if described is None else described.kind or None,
        "key_bytes": None if described is None else described.key_bytes,
        "value_bytes": None if described is None else described.value_bytes,
        "sha256": None if described is None else described.digest.hex(),
        "session": None if described is None or described.session is None else described.session.hex(),
        "sections": None if described is None else list(described.audiences),
        "seal": seal,
        "history": [_said(each) for each in known.statements],
    }


def _name(place: Place) -> str:
    return f"{place.topic}/{place.partition}/{place.offset}"


def _said(said: LetterResolved) -> dict[str, Any]:
    opened = said.opened
    return {
        "letter": _name(said.letter),
        "what": said.kind.value,
        "at": said.resolved_at.isoformat(timespec="milliseconds"),
        "by": None if opened is None else opened.actor,
        "to": None if said.returned_at is None else _name(said.returned_at),
        "generation": said.generation,
        "reason": said.reason,
        "note": None if opened is None else opened.note,
    }


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    rows: Sequence[dict[str, Any]] = [_said(each) for each in outcome.done]
    if as_json:
        for row in rows:
            json_line(row)
        for name, code in outcome.skipped:
            json_line({"letter": name, "what": "skipped", "code": code})
        return
    table("", ("letter", "what", "lies now at"), [(row["letter"], row["what"], row["to"]) for row in rows])
    for code in sorted({code for _, code in outcome.skipped}):
        count = sum(each == code for _, each in outcome.skipped)
        console.print(f"[yellow]{count}[/] left alone: {code}")
