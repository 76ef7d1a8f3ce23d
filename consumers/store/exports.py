"""What was handed over as files, in SQL. Implements `consumers.store.exporting.Exports`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, select, update

from consumers.store import tables as t
from consumers.store.cases import kept_decisions
from consumers.store.casework import KeptDecision
from consumers.store.chunking import chunks
from consumers.store.exporting import Copy, Entry, ExportFile, ExportRun, NewCopy, NewRun, Passage, RunState, What
from consumers.store.model import Status, StoredEvent
from consumers.store.reading import stored_event

Opened = Callable[[], AbstractContextManager[Connection]]
_ACCEPT: Final = "accept"
_REVOKE: Final = "revoke"


class SqlExports:
    """Runs each call in a transaction of its own."""

    def __init__(self, reading: Opened, writing: Opened) -> None:
        """`reading` and `writing` open a transaction and translate the driver's errors."""
        self._reading = reading
        self._writing = writing

    def candidates(self, series: str, *, after: int = 0, limit: int = 500) -> Sequence[KeptDecision]:
        """Return acceptances that stand and that no run of the series has, by decision from `after` (exclusive) on."""
        query = _standing(series).where(t.decision.c.number > after).order_by(t.decision.c.number).limit(limit)
        with self._reading() as db:
            numbers = db.execute(query).scalars().all()
            return [each for some in chunks(numbers) for each in kept_decisions(db, t.decision.c.number.in_(some))]

    def withdrawable(self, series: str) -> int:
        """Count the rows of the series that were revoked since and not yet withdrawn."""
        with self._reading() as db:
            return int(db.execute(select(func.count()).select_from(_revoked(series).subquery())).scalar_one())

    def claim(self, new: NewRun, decisions: Sequence[int]) -> ExportRun | None:
        """Take those of the acceptances that are candidates still, and all withdrawals; None if nothing is left."""
        with self._writing() as db:
            taken: list[dict[str, object]] = []
            for row in db.execute(_revoked(new.series).order_by(t.export_row.c.decision)):
                taken.append(  # noqa: PERF401 - two sources, one numbering
                    {"what": What.WITHDRAWN, "event": row.event, "decision": row.decision, "revocation": row.revocation}
                )
            for some in chunks(sorted(decisions)):
                query = _standing(new.series).add_columns(t.decision.c.event)
                for row in db.execute(query.where(t.decision.c.number.in_(some)).order_by(t.decision.c.number)):
                    taken.append(  # noqa: PERF401
                        {"what": What.ROW, "event": row.event, "decision": row.number, "revocation": None}
                    )
            if not taken:
                return None
            done = select(func.max(t.export_run.c.number)).where(
                t.export_run.c.series == new.series, t.export_run.c.state == RunState.DONE.value
            )
            made = db.execute(
                insert(t.export_run).values(
                    series=new.series,
                    previous=db.execute(done).scalar_one(),
                    encoding=new.encoding,
                    replacement=new.replacement,
                    columns_version=new.columns_version,
                    claimed_by=new.by,
                    claimed_at_ms=new.at_ms,
                    directory=new.directory,
                    state=RunState.CLAIMED.value,
                )
            )
            assert made.inserted_primary_key is not None
            run = int(made.inserted_primary_key[0])
            placed = {"run": run, "series": new.series}
            db.execute(
                insert(t.export_row),
                [{**placed, "position": position, **each} for position, each in enumerate(taken)],
            )
            return _run(db, run)

    def unfinished(self, series: str) -> Sequence[ExportRun]:
        """Return the runs of a series that were claimed and neither done nor released, oldest first."""
        query = (
            select(t.export_run.c.number)
            .where(t.export_run.c.series == series, t.export_run.c.state == RunState.CLAIMED.value)
            .order_by(t.export_run.c.number)
        )
        with self._reading() as db:
            found = [_run(db, number) for number in db.execute(query).scalars().all()]
        return [run for run in found if run is not None]

    def run(self, run: int) -> ExportRun | None:
        """Return a run."""
        with self._reading() as db:
            return _run(db, run)

    def runs(self, *, after: int = 0, limit: int = 1_000) -> Sequence[ExportRun]:
        """Return runs by number, from `after` (exclusive) on; without their files."""
        query = _runs().where(t.export_run.c.number > after).order_by(t.export_run.c.number).limit(limit)
        with self._reading() as db:
            return [_as_run(row, ()) for row in db.execute(query)]

    def procedures(self, run: int) -> Sequence[str]:
        """Return the procedures of the rows of a run, sorted."""
        query = (
            select(t.event.c.procedure)
            .join_from(t.export_row, t.event, t.export_row.c.event == t.event.c.number)
            .where(t.export_row.c.run == run, t.export_row.c.what == What.ROW.value)
            .distinct()
        )
        with self._reading() as db:
            return sorted(db.execute(query).scalars())

    def entries(
        self, run: int, what: What, *, procedure: str | None = None, after: int = -1, limit: int = 200
    ) -> Sequence[Entry]:
        """Return the rows of a run in order, from position `after` (exclusive) on."""
        earlier = t.export_row.alias("earlier")
        handed_over_in = (
            select(earlier.c.run)
            .where(
                earlier.c.series == t.export_row.c.series,
                earlier.c.decision == t.export_row.c.decision,
                earlier.c.what == What.ROW.value,
            )
            .scalar_subquery()
            .label("handed_over_in")
        )
        query = (
            select(t.export_row, handed_over_in)
            .join_from(t.export_row, t.event, t.export_row.c.event == t.event.c.number)
            .where(t.export_row.c.run == run, t.export_row.c.what == what.value, t.export_row.c.position > after)
            .order_by(t.export_row.c.position)
            .limit(limit)
        )
        if procedure is not None:
            query = query.where(t.event.c.procedure == procedure)
        with self._reading() as db:
            rows = db.execute(query).all()
            events = _events(db, [row.event for row in rows])
            named = {number for row in rows for number in (row.decision, row.revocation) if number is not None}
            decisions: dict[int | None, KeptDecision] = {
                each.decision: each
                for some in chunks(sorted(named))
                for each in kept_decisions(db, t.decision.c.number.in_(some))
            }
        withdrawn = what is What.WITHDRAWN
        return [
            Entry(
                row.position,
                events[row.event],
                decisions[row.decision],
                decisions.get(row.revocation),
                row.handed_over_in if withdrawn else None,
            )
            for row in rows
        ]

    def moved(self, run: int, directory: str, columns_version: int) -> None:
        """Take note that an unfinished run is finished in another directory, or with other columns."""
        with self._writing() as db:
            db.execute(
                update(t.export_run).where(*_claimed(run)).values(directory=directory, columns_version=columns_version)
            )

    def finish(self, copy: NewCopy, files: Sequence[ExportFile]) -> None:
        """Mark a claimed run as done; the same again changes nothing."""
        with self._writing() as db:
            ended = db.execute(
                update(t.export_run)
                .where(*_claimed(copy.run))
                .values(state=RunState.DONE.value, ended_at_ms=copy.at_ms)
            )
            if ended.rowcount != 1:
                return
            db.execute(
                insert(t.export_file),
                [{"run": copy.run, "name": f.name, "rows": f.rows, "size": f.size, "sha256": f.sha256} for f in files],
            )
            _add_copy(db, copy, again=False)

    def release(self, run: int, at_ms: int) -> None:
        """Give back the rows of a claimed run of which no file came."""
        with self._writing() as db:
            ended = db.execute(
                update(t.export_run).where(*_claimed(run)).values(state=RunState.RELEASED.value, ended_at_ms=at_ms)
            )
            if ended.rowcount == 1:
                db.execute(delete(t.export_row).where(t.export_row.c.run == run))

    def copied(self, copy: NewCopy) -> None:
        """Take note that a run was written again."""
        with self._writing() as db:
            _add_copy(db, copy, again=True)

    def copies(self, run: int) -> Sequence[Copy]:
        """Return who took out files of a run, oldest first."""
        query = select(t.export_copy).where(t.export_copy.c.run == run).order_by(t.export_copy.c.number)
        with self._reading() as db:
            return [_copy(row) for row in db.execute(query)]

    def untold(self, limit: int = 100) -> Sequence[tuple[Copy, str]]:
        """Return the oldest copies, with their series, of which the desk's process has not spoken."""
        query = (
            select(t.export_copy, t.export_run.c.series)
            .join_from(t.export_copy, t.export_run, t.export_copy.c.run == t.export_run.c.number)
            .where(t.export_copy.c.told_at_ms.is_(None))
            .order_by(t.export_copy.c.number)
            .limit(limit)
        )
        with self._reading() as db:
            return [(_copy(row), row.series) for row in db.execute(query)]

    def told(self, copies: Sequence[int], at_ms: int) -> None:
        """Take note that it has."""
        with self._writing() as db:
            for some in chunks(copies):
                db.execute(update(t.export_copy).where(t.export_copy.c.number.in_(some)).values(told_at_ms=at_ms))

    def passages(self, number: int) -> Sequence[Passage]:
        """Return the runs, done or claimed, that an event's row was in."""
        query = (
            select(t.export_run.c.claimed_at_ms, t.export_run.c.series, t.export_run.c.number, t.export_row.c.what)
            .join_from(t.export_row, t.export_run, t.export_row.c.run == t.export_run.c.number)
            .where(t.export_row.c.event == number)
            .order_by(t.export_run.c.number, t.export_row.c.position)
        )
        with self._reading() as db:
            return [Passage(row.claimed_at_ms, What(row.what), row.series, row.number) for row in db.execute(query)]


def _standing(series: str) -> Select[Any]:
    """Acceptances that nothing followed, of events that are accepted, without those that a run has."""
    later = t.decision.alias("later")
    return (
        select(t.decision.c.number)
        .join_from(t.decision, t.event, t.decision.c.event == t.event.c.number)
        .where(
            t.decision.c.decision == _ACCEPT,
            t.event.c.status == Status.ACCEPTED.value,
            ~exists().where(later.c.event == t.decision.c.event, later.c.number > t.decision.c.number),
            ~exists().where(
                t.export_row.c.series == series,
                t.export_row.c.decision == t.decision.c.number,
                t.export_row.c.what == What.ROW.value,
            ),
        )
    )


def _revoked(series: str) -> Select[Any]:
    """Rows of a series whose acceptance was revoked: with the first revocation, unless they are withdrawn already."""
    told = t.export_row.alias("told")
    revocation = (
        select(func.min(t.decision.c.number))
        .where(
            t.decision.c.event == t.export_row.c.event,
            t.decision.c.number > t.export_row.c.decision,
            t.decision.c.decision == _REVOKE,
        )
        .scalar_subquery()
    )
    return select(t.export_row.c.event, t.export_row.c.decision, revocation.label("revocation")).where(
        t.export_row.c.series == series,
        t.export_row.c.what == What.ROW.value,
        revocation.is_not(None),
        ~exists().where(
            told.c.series == series,
            told.c.decision == t.export_row.c.decision,
            told.c.what == What.WITHDRAWN.value,
        ),
    )


def _claimed(run: int) -> tuple[Any, Any]:
    return t.export_run.c.number == run, t.export_run.c.state == RunState.CLAIMED.value


def _runs() -> Select[Any]:
    def count(what: What) -> Any:
        of_run = (t.export_row.c.run == t.export_run.c.number, t.export_row.c.what == what.value)
        return select(func.count()).select_from(t.export_row).where(*of_run).scalar_subquery().label(what.value)

    return select(t.export_run, count(What.ROW), count(What.WITHDRAWN))


def _run(db: Connection, run: int) -> ExportRun | None:
    row = db.execute(_runs().where(t.export_run.c.number == run)).first()
    if row is None:
        return None
    files = [
        ExportFile(each.name, each.rows, each.size, each.sha256)
        for each in db.execute(select(t.export_file).where(t.export_file.c.run == run))
    ]
    return _as_run(row, tuple(sorted(files, key=lambda each: each.name)))


def _as_run(row: Row[Any], files: tuple[ExportFile, ...]) -> ExportRun:
    return ExportRun(
        row.number,
        row.series,
        row.previous,
        row.encoding,
        row.replacement,
        row.columns_version,
        row.claimed_by,
        row.claimed_at_ms,
        row.directory,
        RunState(row.state),
        row.ended_at_ms,
        row.row,
        row.withdrawn,
        files,
    )


def _events(db: Connection, numbers: Sequence[int]) -> dict[int, StoredEvent]:
    found: dict[int, StoredEvent] = {}
    for some in chunks(sorted(set(numbers))):
        for row in db.execute(select(t.event).where(t.event.c.number.in_(some))):
            found[row.number] = stored_event(row)
    return found


def _add_copy(db: Connection, copy: NewCopy, *, again: bool) -> None:
    db.execute(
        insert(t.export_copy).values(
            run=copy.run,
            again=again,
            made_by=copy.by,
            made_at_ms=copy.at_ms,
            rows=copy.rows,
            withdrawn=copy.withdrawn,
            erased=copy.erased,
        )
    )


def _copy(row: Row[Any]) -> Copy:
    return Copy(row.number, row.run, row.again, row.made_by, row.made_at_ms, row.rows, row.withdrawn, row.erased)
