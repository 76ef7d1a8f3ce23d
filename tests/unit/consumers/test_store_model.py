"""A desk's store agrees with a few dictionaries, whatever is committed, and wherever the power is cut."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import event as listening

from consumers.store.errors import StorePositionLost
from consumers.store.model import Batch, CheckpointSeen, Committed, Outgoing, Remark
from consumers.store.sql import SqlStore, open_sqlite
from tests import machines
from tests.unit.consumers.making import NOW, SESSION, TOPIC, batch, event_id, leaf, new_event, notice

OWNER = "rehearsal/review-999997"
Place = tuple[int, int]
"""partition, sequence"""


@dataclass
class Row:
    number: int
    variant: str
    replays: int = 0
    conflict: bool = False
    confirmed: bool = False

    @property
    def leaf(self) -> bytes:
        return leaf(self.number, self.variant)


@dataclass
class Model:
    next_offset: int | None = None
    rows: list[Row] = field(default_factory=list)
    promises: dict[int, bytes] = field(default_factory=dict)
    notices: set[int] = field(default_factory=set)
    remarks: dict[bytes, list[str]] = field(default_factory=lambda: defaultdict(list))
    outbox: list[bytes] = field(default_factory=list)

    def commit(self, made: Batch, said: list[tuple[int, str]]) -> tuple[int, int, int, int]:
        """Return (new rows, replays, confirmed, contradictions), as the store is to say."""
        new = replays = confirmed = contradictions = 0
        self.next_offset = made.advances[0].next_offset
        fresh = []
        for number, variant in said:
            same = [row for row in self.rows if row.number == number]
            known = next((row for row in same if row.variant == variant), None)
            if known is not None:
                known.replays += 1
                replays += 1
                continue
            row = Row(number, variant, conflict=bool(same))
            for other in same:
                other.conflict = True
            self.rows.append(row)
            fresh.append(row)
            new += 1
        settled = set()
        for row in fresh:
            promised = self.promises.get(row.number)
            if promised == row.leaf:
                row.confirmed = True
                confirmed += 1
                settled.add(row.number)
            elif promised is not None:
                contradictions += 1
        for number in settled:
            del self.promises[number]
        for seen in made.checkpoints:
            for number, (entry, _) in enumerate(seen.entries, seen.first_sequence):
                same = [row for row in self.rows if row.number == number]
                match = next((row for row in same if row.leaf == entry), None)
                if match is not None:
                    confirmed += not match.confirmed
                    match.confirmed = True
                    continue
                contradictions += bool(same) or self.promises.get(number, entry) != entry
                self.promises.setdefault(number, entry)
        self.notices |= {seen.sequence for seen in made.notices}
        for remark in made.remarks:
            if remark.detail not in self.remarks[remark.leaf]:
                self.remarks[remark.leaf].append(remark.detail)
        self.outbox += [each.value for each in made.outgoing]
        return new, replays, confirmed, contradictions


NUMBER, VARIANT = st.integers(0, 7), st.sampled_from(("", "", "", "other"))
EVENTS = st.lists(st.tuples(NUMBER, VARIANT), max_size=4)
CHECKPOINT = st.tuples(st.integers(0, 5), st.lists(VARIANT, min_size=1, max_size=4))


@st.composite
def batches(draw: st.DrawFn) -> tuple[Batch, list[tuple[int, str]]]:
    said = draw(EVENTS)
    checkpoints = []
    for first, variants in draw(st.lists(CHECKPOINT, max_size=2)):
        entries = tuple((leaf(first + at, variant), False) for at, variant in enumerate(variants))
        checkpoints.append(CheckpointSeen(SESSION, 0, "999997", first, entries, NOW + 1_000))
    values = draw(st.lists(st.binary(min_size=1, max_size=3), max_size=2))
    remarks = draw(st.lists(st.tuples(NUMBER, st.sampled_from("ab")), max_size=2))
    made = batch(
        None,
        0,
        *(new_event(number, variant=variant) for number, variant in said),
        checkpoints=tuple(checkpoints),
        notices=tuple(notice(number) for number in draw(st.lists(NUMBER, max_size=1))),
        remarks=tuple(Remark(leaf(number), NOW, "told", detail) for number, detail in remarks),
        outgoing=tuple(Outgoing("t", 0, b"k", value, "receipt") for value in values),
    )
    return made, said


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.copies = 0
        self.path = self.directory / "store.db"
        self.store: SqlStore = open_sqlite(self.path, OWNER)
        self.model = Model()

    def at(self, made: Batch) -> Batch:
        here = self.model.next_offset
        return replace(made, advances=(replace(made.advances[0], expected=here, next_offset=(here or 0) + 1),))

    def go_on_with(self, path: Path) -> None:
        self.store.close()
        self.path = path
        self.store = open_sqlite(path, OWNER)

    def cut(self, keep: int | None = None) -> Path:
        self.copies += 1
        return machines.power_cut(self.path, self.directory / str(self.copies), keep)

    @rule(drawn=batches())
    def commit(self, drawn: tuple[Batch, list[tuple[int, str]]]) -> None:
        made = self.at(drawn[0])
        found = self.store.commit(made)
        assert counted(found) == self.model.commit(made, drawn[1])

    @rule(drawn=batches(), behind=st.sampled_from((None, -1, 1)))
    def commit_from_a_place_that_is_lost(self, drawn: tuple[Batch, list[tuple[int, str]]], behind: int | None) -> None:
        here = self.model.next_offset
        if here is None:
            return
        lost = replace(drawn[0].advances[0], expected=None if behind is None else here + behind, next_offset=here + 9)
        with pytest.raises(StorePositionLost):
            self.store.commit(replace(drawn[0], advances=(lost,)))

    @rule(drawn=batches(), statement=st.integers(0, 12))
    def power_is_cut_between_statements(self, drawn: tuple[Batch, list[tuple[int, str]]], statement: int) -> None:
        """Whatever had been said to the database by then, nothing of the batch is there."""
        copied: list[Path] = []
        seen = 0

        def look(*_: object) -> None:
            nonlocal seen
            if seen == statement:
                copied.append(self.cut())
            seen += 1

        engine = self.store._engine
        listening.listen(engine, "before_cursor_execute", look)
        try:
            self.store.commit(self.at(drawn[0]))
        finally:
            listening.remove(engine, "before_cursor_execute", look)
        if not copied:  # fewer statements: it was kept, and the cut comes after it
            self.model.commit(self.at(drawn[0]), drawn[1])
            copied.append(self.cut())
        self.go_on_with(copied[0])

    @rule(drawn=batches(), share=st.floats(0, 1))
    def power_is_cut_while_the_disk_writes(self, drawn: tuple[Batch, list[tuple[int, str]]], share: float) -> None:
        """All of the batch is there, or nothing."""
        before = machines.wal_bytes(self.path)
        made = self.at(drawn[0])
        with_it = deepcopy(self.model)
        with_it.commit(made, drawn[1])
        self.store.commit(made)
        after = machines.wal_bytes(self.path)
        if after < before:  # the log was begun anew meanwhile
            before = after
        self.go_on_with(self.cut(before + round((after - before) * share)))
        if self.store.positions() == {(TOPIC, 0): with_it.next_offset}:
            self.model = with_it
        else:
            assert share < 1

    @rule()
    def reopen(self) -> None:
        self.go_on_with(self.path)

    @rule()
    def power_is_cut(self) -> None:
        self.go_on_with(self.cut())

    @rule(drawn=batches())
    def another_process_was_first(self, drawn: tuple[Batch, list[tuple[int, str]]]) -> None:
        """A desk that was thought dead comes back with what it had read long ago."""
        zombie = self.store
        stale = self.at(drawn[0])
        self.store = open_sqlite(self.path, OWNER)
        made = self.at(drawn[0])
        assert counted(self.store.commit(made)) == self.model.commit(made, drawn[1])
        with pytest.raises(StorePositionLost):
            zombie.commit(stale)
        zombie.close()

    @rule(count=st.integers(0, 3))
    def sent(self, count: int) -> None:
        rows = self.store.waiting(count + 1, 1 << 20)[:count]
        self.store.sent([row.number for row in rows] + [999_999])
        del self.model.outbox[: len(rows)]

    @invariant()
    def agrees(self) -> None:
        model = self.model
        expected = {} if model.next_offset is None else {(TOPIC, 0): model.next_offset}
        assert self.store.positions() == expected
        rows = [
            (row.event.event_id, row.event.leaf, row.replays, row.conflict, row.confirmed_at_ms is not None)
            for row in self.store.events()
        ]
        assert rows == [
            (event_id(row.number), row.leaf, row.replays, row.conflict, row.confirmed) for row in model.rows
        ]
        assert [row.outgoing.value for row in self.store.waiting(100, 1 << 20)] == model.outbox
        assert {seen.sequence for seen in self.store.notices()} == model.notices
        overdue = self.store.overdue(NOW * 2)
        explained = {leaf(number) for number in model.notices}
        missing = [entry for entry in model.promises.values() if entry not in explained]
        assert overdue.missing == len(missing)
        assert overdue.unconfirmed == sum(not row.confirmed for row in model.rows)
        for number, row in enumerate(self.store.events(), 0):
            told = [entry.detail for entry in self.store.history(row.number) if entry.what == "told"]
            assert told == model.remarks[model.rows[number].leaf]

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.directory)


def counted(found: Committed) -> tuple[int, int, int, int]:
    rows = sum(sum(kinds.values()) for kinds in found.stored.values())
    return rows, found.replays, found.confirmed, found.contradictions


def test_store_model() -> None:
    machines.run(StoreMachine, runs=8)
