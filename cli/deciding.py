"""`review decide|claim|assign|reasons`: what a reviewer does. Commits to the desk's store; the desk tells."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cli.output import console, fail, json_line, reports_errors, table
from hub.operations.errors import Unlogged
from schemas.errors import HubError

if TYPE_CHECKING:
    from cli.noting import Notes
    from consumers.review.deciding import Decided, Reviewer
    from hub.envelope.operations import Kind
    from schemas.decisions import Order

Tenant = Annotated[str | None, typer.Option(help="tenant code; default the one desk that has the receipt")]
Json = Annotated[bool, typer.Option("--json", help="one object per line")]
By = Annotated[str | None, typer.Option("--by", help="who decides; default the name of the person logged in")]
_DECIDE = "review decide"
_KEYS = frozenset({"receipt", "decision", "reason", "message", "tax_items", "answer_by", "revision", "tenant"})
Revision = Annotated[int | None, typer.Option(min=0, help="what `review show` said; refused if it changed since")]


class BadMessageFile(HubError):
    """The file with the message cannot be read as text in UTF-8."""

    code = "cli.message-file"


class BadDecision(HubError):
    """A line of decisions cannot be read."""

    code = "cli.bad-decision"
    hint = (
        'One JSON object a line: {"receipt", "decision", "reason", "message", "tax_items", "answer_by", "revision", '
        '"tenant"}; the first three are needed.'
    )


class Seat(NamedTuple):
    """A reviewer at a desk, and the desk's log of what is done there."""

    reviewer: Reviewer
    notes: Notes


@contextmanager
def _reviewers(tenant: str | None, by: str | None, command: str) -> Iterator[dict[str, Seat]]:
    """The reviewer at each desk of this home, by tenant; stores are opened once."""
    from contextlib import ExitStack

    from cli.desks import opened
    from cli.noting import noted
    from cli.people import desks, open_role, the_home
    from consumers.review.cases import Dossiers
    from consumers.review.deciding import Reviewer

    home, name = the_home(), by or getpass.getuser()
    with ExitStack() as stack:
        found = {}
        for principal in desks(home, "review", tenant):
            role = open_role(home, principal)
            notes = stack.enter_context(noted(role, command, by))
            around, _, _ = stack.enter_context(opened(role))
            dossiers = Dossiers(around.store, around.vault(around.keys(notes.key_used)))
            reviewer = Reviewer(around.store, dossiers, name, lambda: time.time_ns() // 1_000_000)
            found[principal.rpartition("-")[2]] = Seat(reviewer, notes)
        yield found


def _at_its_desk(
    seats: dict[str, Seat],
    tenant: str | None,
    receipt: str,
    kind: Kind,
    code: str,
    work: Callable[[Reviewer], dict[str, Any]],
) -> dict[str, Any]:
    """Do the work at the one desk that has the submission, noted there before: the tenant's, or else the only one."""
    from consumers.review.deciding import Ambiguous
    from consumers.store.errors import NotFound

    asked = [seat for each, seat in seats.items() if tenant in (None, each)]
    having = []
    for seat in asked:
        try:
            row = seat.reviewer.find(receipt)
        except NotFound:
            continue
        having.append((seat, row.event.receipt_number))
    if not having:
        for seat in asked:
            seat.notes.note(kind, receipt=receipt, outcome=NotFound.code, code=code, count=0)
        raise NotFound
    if len(having) > 1:
        raise Ambiguous(f"{len(having)} desks")
    ((seat, number),) = having
    with seat.notes.attempt(kind, receipt=number, code=code):
        return work(seat.reviewer)


@reports_errors
def decide(
    receipt: Annotated[str, typer.Argument(help="receipt number or event id; - for JSON Lines on standard input")],
    decision: Annotated[str | None, typer.Argument(help="accept, return, hold or revoke")] = None,
    reason: Annotated[str | None, typer.Option(help="a code of `review reasons`")] = None,
    message: Annotated[str | None, typer.Option(help="what the filer is told, at most 2,000 characters")] = None,
    message_file: Annotated[Path | None, typer.Option(help="the same, from a UTF-8 file")] = None,
    tax_item: Annotated[
        list[str] | None, typer.Option(help="to whom it is handed over; may stand several times")
    ] = None,
    answer_by: Annotated[str | None, typer.Option(help="YYYY-MM-DD until which the filer is asked to answer")] = None,
    revision: Revision = None,
    tenant: Tenant = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Decide on a submission; filer, helpdesk and tax teams are told by the desk's process. / 審査結果を登録する"""
    if receipt == "-":
        _decide_lines(tenant, by, as_json=as_json)
        return
    if decision is None or reason is None:
        fail("cli.usage", "DECISION and --reason are needed", "`review reasons` lists both.", as_json=as_json, status=2)
    if message_file is not None:
        if message is not None:
            fail("cli.usage", "--message or --message-file, not both", as_json=as_json, status=2)
        message = _message(message_file)
    order = _order(decision, reason, message, tuple(tax_item or ()), answer_by)
    with _reviewers(tenant, by, _DECIDE) as seats:
        said = _decided(seats, tenant, receipt, order, revision)
    _tell(said, as_json=as_json)


def _message(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise BadMessageFile(str(file)) from None


def _decided(
    seats: dict[str, Seat], tenant: str | None, receipt: str, order: Order, revision: int | None
) -> dict[str, Any]:
    from hub.envelope.operations import Kind

    def work(desk: Reviewer) -> dict[str, Any]:
        return _as_json(desk.decide(receipt, order, revision))

    return _at_its_desk(seats, tenant, receipt, Kind.DECIDED, order.decision.value, work)


def _as_json(done: Decided) -> dict[str, Any]:
    return {
        "receipt_number": done.receipt_number,
        "event_id": done.event_id,
        "status": done.status,
        "revision": done.revision,
    }


def _order(decision: str, reason: str, message: str | None, tax_items: tuple[str, ...], answer_by: str | None) -> Order:
    from datetime import date

    from schemas.decisions import AnswerDateInvalid, Decision, DecisionNotAllowed, Order, is_day

    try:
        what = Decision(decision)
    except ValueError:
        raise DecisionNotAllowed("no such decision") from None
    if answer_by is not None and not is_day(answer_by):
        raise AnswerDateInvalid
    until = None if answer_by is None else date.fromisoformat(answer_by)
    return Order(what, reason, message, tax_items, until)


def _decide_lines(tenant: str | None, by: str | None, *, as_json: bool) -> None:
    """Decide line by line; a line that is refused leaves the others as they are."""
    bad = 0
    with _reviewers(tenant, by, _DECIDE) as seats:
        for line in sys.stdin.buffer:
            if not line.strip():
                continue
            said: dict[str, Any]
            try:
                said = _decide_line(seats, line)
            except Unlogged:
                raise  # the lines after it could not be logged either
            except HubError as error:
                bad += 1
                said = {"error": {"code": error.code, "message": str(error), "hint": error.advice}}
            _tell(said, as_json=as_json)
    if bad:
        raise typer.Exit(1)


def _decide_line(seats: dict[str, Seat], line: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(line)
        if not isinstance(asked, dict) or not asked.keys() <= _KEYS:
            raise BadDecision
        receipt, tax_items, revision = asked["receipt"], asked.get("tax_items", []), asked.get("revision")
        if not isinstance(tax_items, list) or isinstance(revision, bool):
            raise BadDecision
        texts = (asked["decision"], asked["reason"], receipt, *tax_items)
        optional = (asked.get("message"), asked.get("answer_by"), asked.get("tenant"))
        if not all(isinstance(each, str) for each in texts) or not isinstance(revision, int | None):
            raise BadDecision
        if not all(isinstance(each, str | None) for each in optional):
            raise BadDecision
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadDecision from None
    order = _order(asked["decision"], asked["reason"], optional[0], tuple(tax_items), optional[1])
    return _decided(seats, optional[2], receipt, order, revision)


def _tell(said: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        json_line(said)
    elif "error" in said:
        console.print(f"{said['error']['code']}: {said['error']['message']}", markup=False, style="red")
    else:
        console.print(" ".join(f"{key} {value}" for key, value in said.items()), markup=False)


@reports_errors
def claim(
    receipt: Annotated[str, typer.Argument(help="receipt number or event id")],
    tenant: Tenant = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Take a submission that is nobody's. / 担当する"""
    from hub.envelope.operations import Kind

    with _reviewers(tenant, by, "review claim") as seats:
        said = _at_its_desk(seats, tenant, receipt, Kind.COMMANDED, "", lambda desk: {"revision": desk.claim(receipt)})
    _tell({"receipt": receipt, "assignee": by or getpass.getuser(), **said}, as_json=as_json)


@reports_errors
def assign(
    receipt: Annotated[str, typer.Argument(help="receipt number or event id")],
    to: Annotated[str | None, typer.Option(help="whom; leave out for nobody")] = None,
    revision: Revision = None,
    tenant: Tenant = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Give a submission to somebody, or to nobody. / 担当者を割り当てる"""
    if to is not None and not to.strip():
        fail("cli.usage", "--to names nobody", "Leave it out to give it to nobody.", as_json=as_json, status=2)
    from hub.envelope.operations import Kind

    with _reviewers(tenant, by, "review assign") as seats:
        said = _at_its_desk(
            seats, tenant, receipt, Kind.COMMANDED, "", lambda desk: {"revision": desk.assign(receipt, to, revision)}
        )
    _tell({"receipt": receipt, "assignee": to, **said}, as_json=as_json)


@reports_errors
def reasons(as_json: Json = False) -> None:
    """List the reason codes of each decision. / 理由コードの一覧"""
    from schemas.decisions import REASONS

    rows = [
        {"reason": code, "decisions": sorted(each.value for each in decisions), "meaning": english, "meaning_ja": text}
        for code, (decisions, english, text) in REASONS.items()
    ]
    if as_json:
        for row in rows:
            json_line(row)
    else:
        table(
            "reasons",
            ("reason", "for", "meaning", "意味"),
            [(r["reason"], ", ".join(r["decisions"]), r["meaning"], r["meaning_ja"]) for r in rows],
        )


def register(app: typer.Typer) -> None:
    """Add these commands to `review`."""
    for command in (decide, claim, assign, reasons):
        app.command(command.__name__)(command)
