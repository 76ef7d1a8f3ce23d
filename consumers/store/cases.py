"""What people do with stored submissions, in SQL. Implements `consumers.store.casework.Cases`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, exists, func, insert, select, union, update

from consumers.store import tables as t
from consumers.store.casework import Case, Handover, KeptDecision, NewDecision, Told
from consumers.store.chunking import chunks
from consumers.store.errors import DecisionConflict, EventErased, NotFound
from consumers.store.model import Content, Status
from consumers.store.writing import add_store_keys
from hub import crashpoints

Opened = Callable[[], AbstractContextManager[Connection]]


_SILENT = (t.decision.c.told_at_ms.is_(None), t.decision.c.failed.is_(None))
_DUE = (t.handover.c.told_at_ms.is_(None), t.handover.c.failed.is_(None))


class SqlCases:
    """Runs each call in a transaction of its own."""

    def __init__(self, reading: Opened, writing: Opened) -> None:
        """`reading` and `writing` open a transaction and translate the driver's errors."""
        self._reading = reading
        self._writing = writing

    def case(self, number: int) -> Case:
        """Return where the work on an event stands."""
        return self.cases([number])[number]

    def cases(self, numbers: Sequence[int]) -> dict[int, Case]:
        """Return the same for many; those without a row are at revision 0."""
        found = {number: Case(number, 0) for number in numbers}
        with self._reading() as db:
            for some in chunks(sorted(found)):
                for row in db.execute(select(t.case_file).where(t.case_file.c.event.in_(some))):
                    due = None if row.due_on is None else date.fromisoformat(row.due_on)
                    found[row.event] = Case(row.event, row.revision, due, row.replaces, row.withdraws, row.assignee)
        return found

    def assign(self, number: int, expected_revision: int, assignee: str | None, at_ms: int) -> None:
        """Give a case to somebody, or to nobody. Raises DecisionConflict."""
        with self._writing() as db:
            _step(db, number, expected_revision, assignee=assignee, assigned_at_ms=at_ms)

    def decide(self, new: NewDecision) -> int:
        """Keep a decision with its hand-overs, all or nothing; return its row.

        Raises DecisionConflict, EventErased, NotFound.
        """
        with self._writing() as db:
            status = db.execute(select(t.event.c.status).where(t.event.c.number == new.number)).scalar()
            if status is None:
                raise NotFound
            if status == Status.ERASED.value:
                raise EventErased
            _step(db, new.number, new.expected_revision)
            add_store_keys(db, new.store_keys)
            db.execute(update(t.event).where(t.event.c.number == new.number).values(status=new.status.value))
            made = db.execute(
                insert(t.decision).values(
                    event=new.number,
                    revision=new.expected_revision + 1,
                    decision=new.decision,
                    reason=new.reason,
                    decided_by=new.decided_by,
                    decided_at_ms=new.decided_at_ms,
                    tax_items=json.dumps(list(new.tax_items)),
                    answer_by=None if new.answer_by is None else new.answer_by.isoformat(),
                )
            )
            assert made.inserted_primary_key is not None
            row = int(made.inserted_primary_key[0])
            if new.message is not None:
                sealed = new.message
                db.execute(
                    insert(t.decision_message).values(
                        decision=row, epoch=sealed.epoch, ciphertext=sealed.ciphertext, wrapped=sealed.wrapped_key
                    )
                )
            if new.tax_items:
                db.execute(insert(t.handover), [{"decision": row, "tax_item": item} for item in new.tax_items])
            crashpoints.reached("review.before-decision-commit")
        crashpoints.reached("review.after-decision")
        return row

    def decisions(self, number: int) -> Sequence[KeptDecision]:
        """Return the decisions on an event, oldest first."""
        with self._reading() as db:
            return kept_decisions(db, t.decision.c.event == number)

    def all_decisions(self, *, after: int = 0, limit: int = 1_000) -> Sequence[KeptDecision]:
        """Return decisions by row, from row `after` (exclusive) on."""
        with self._reading() as db:
            return kept_decisions(db, t.decision.c.number > after, limit=limit)

    def message(self, decision: int) -> Content | None:
        """Return the sealed message of a decision."""
        query = select(t.decision_message).where(t.decision_message.c.decision == decision)
        with self._reading() as db:
            row = db.execute(query).first()
        return None if row is None else Content(row.epoch, row.ciphertext, row.wrapped)

    def handovers(self, decisions: Sequence[int]) -> Sequence[Handover]:
        """Return the hand-overs of decisions, oldest first."""
        found: list[Handover] = []
        with self._reading() as db:
            for some in chunks(sorted(decisions)):
                rows = db.execute(
                    select(t.handover).where(t.handover.c.decision.in_(some)).order_by(t.handover.c.number)
                )
                found.extend(Handover(*row) for row in rows)
        return found

    def untold(self, limit: int) -> Sequence[KeptDecision]:
        """Return the oldest decisions that filer and helpdesk are not told of."""
        with self._reading() as db:
            return kept_decisions(db, *_SILENT, limit=limit)

    def unhanded(self, limit: int) -> Sequence[KeptDecision]:
        """Return the oldest decisions of which some tax team is not told."""
        due = select(t.handover.c.decision).where(*_DUE)
        with self._reading() as db:
            return kept_decisions(db, t.decision.c.number.in_(due), limit=limit)

    def untold_count(self) -> int:
        """Count decisions with something left to tell, to whomever."""
        waiting = union(select(t.decision.c.number).where(*_SILENT), select(t.handover.c.decision).where(*_DUE))
        with self._reading() as db:
            return int(db.execute(select(func.count()).select_from(waiting.subquery())).scalar_one())

    def told(self, decisions: Sequence[Told], handovers: Sequence[Told]) -> None:
        """Take note of what was told; the same again changes nothing."""
        with self._writing() as db:
            for table, rows in ((t.decision, decisions), (t.handover, handovers)):
                for each in rows:
                    db.execute(
                        update(table)
                        .where(table.c.number == each.row, table.c.told_at_ms.is_(None))
                        .values(event_id=each.event_id, leaf=each.leaf, told_at_ms=each.at_ms)
                    )

    def cannot_tell(self, code: str, *, decision: int | None = None, handover: int | None = None) -> None:
        """Take note that a decision or hand-over can never be sent; it is tried no more. What was told stays told."""
        table, row = (t.decision, decision) if decision is not None else (t.handover, handover)
        with self._writing() as db:
            db.execute(update(table).where(table.c.number == row, table.c.told_at_ms.is_(None)).values(failed=code))

    def referring(self, receipt_number: str) -> Sequence[tuple[int, str]]:
        """Return (event row, `replaces` or `withdraws`) of submissions that refer to a receipt, oldest first."""
        found: list[tuple[int, str]] = []
        with self._reading() as db:
            for column in (t.case_file.c.replaces, t.case_file.c.withdraws):
                rows = db.execute(select(t.case_file.c.event).where(column == receipt_number)).scalars()
                found.extend((number, column.name) for number in rows)
        return sorted(found)


def _step(db: Connection, number: int, expected: int, **values: object) -> None:
    """Compare and set the revision of a case. Raises DecisionConflict."""
    here = select(t.case_file.c.revision).where(t.case_file.c.event == number)
    if db.execute(here).first() is None:
        db.execute(insert(t.case_file).values(event=number, revision=0))
    moved = db.execute(
        update(t.case_file)
        .where(t.case_file.c.event == number, t.case_file.c.revision == expected)
        .values(revision=expected + 1, **values)
    )
    if moved.rowcount != 1:
        raise DecisionConflict


def kept_decisions(db: Connection, *where: Any, limit: int | None = None) -> list[KeptDecision]:
    """Read decisions by their numbers, under conditions."""
    with_message = exists().where(t.decision_message.c.decision == t.decision.c.number).label("has_message")
    query = select(t.decision, with_message).where(*where).order_by(t.decision.c.number).limit(limit)
    return [_decision(row) for row in db.execute(query)]


def _decision(row: Row[Any]) -> KeptDecision:
    return KeptDecision(
        row.number,
        row.event,
        row.revision,
        row.decision,
        row.reason,
        row.decided_by,
        row.decided_at_ms,
        tuple(json.loads(row.tax_items)),
        row.answer_by,
        row.event_id,
        row.leaf,
        row.told_at_ms,
        row.failed,
        bool(row.has_message),
    )
