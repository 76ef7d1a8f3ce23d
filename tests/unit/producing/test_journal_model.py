"""The journal agrees with a few dictionaries, whatever is done to it and however often it is reopened."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.producing.errors import JournalConflict
from hub.producing.journal import Journal
from hub.producing.journal_rows import (
    Acknowledge,
    AddCheckpoint,
    AddClose,
    CheckpointSent,
    Confirm,
    EventState,
    MarkVoid,
    Receipt,
    SessionAnnounced,
    SessionClosed,
    SessionState,
    Step,
)
from tests import machines
from tests.unit.producing.support import TOPIC, append, digest, entry, open_journal, session


@dataclass
class LaneModel:
    states: list[EventState] = field(default_factory=list)
    acknowledged: int = -1
    checkpointed: int = -1
    chain: list[bytes] = field(default_factory=list)
    unsent: list[bytes] = field(default_factory=list)


@dataclass
class SessionModel:
    state: SessionState = SessionState.JOURNALED
    lanes: dict[int, LaneModel] = field(default_factory=dict)


PARTITION = st.integers(0, 2)


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.copies = 0
        self.directory = self.home / "first"
        self.directory.mkdir()
        self.runner = asyncio.Runner()
        self.journal: Journal = open_journal(self.directory)
        self.sessions: list[SessionModel] = []
        self.position = 0

    def do(self, *steps: Step) -> None:
        self.runner.run(self.journal.apply(*steps))

    def id(self, number: int) -> bytes:
        return session(number).session

    @initialize()
    def first_session(self) -> None:
        self.add_session()

    @rule()
    def add_session(self) -> None:
        if len(self.sessions) < 3:
            self.do(session(len(self.sessions)))
            self.sessions.append(SessionModel())

    def lane(self, data: st.DataObject, partition: int) -> tuple[bytes, SessionModel, LaneModel]:
        number = data.draw(st.integers(0, len(self.sessions) - 1))
        model = self.sessions[number]
        return self.id(number), model, model.lanes.get(partition, LaneModel())

    @rule(data=st.data(), partition=PARTITION, count=st.integers(1, 5))
    def append(self, data: st.DataObject, partition: int, count: int) -> None:
        of, model, lane = self.lane(data, partition)
        closing = model.state >= SessionState.CLOSING
        with _refused(closing):
            self.do(append(of, partition, len(lane.states), count))
        if not closing:
            lane.states += [EventState.JOURNALED] * count
            model.lanes[partition] = lane

    @rule(data=st.data(), partition=PARTITION, count=st.integers(1, 3))
    def call_that_is_wrong_at_its_end(self, data: st.DataObject, partition: int, count: int) -> None:
        """What a call said before it contradicted the journal is not written either."""
        of, _, lane = self.lane(data, partition)
        first = len(lane.states)
        with pytest.raises(JournalConflict):
            self.do(append(of, partition, first, count), Acknowledge(of, partition, first + count))

    @rule(data=st.data(), partition=PARTITION)
    def acknowledge(self, data: st.DataObject, partition: int) -> None:
        of, _, lane = self.lane(data, partition)
        through = data.draw(st.integers(-1, len(lane.states)))
        beyond = through >= len(lane.states)
        with _refused(beyond):
            self.do(Acknowledge(of, partition, through))
        if not beyond and through > lane.acknowledged:
            for at in range(lane.acknowledged + 1, through + 1):
                if lane.states[at] is EventState.JOURNALED:
                    lane.states[at] = EventState.ACKNOWLEDGED
            lane.acknowledged = through

    @rule(data=st.data(), partition=PARTITION)
    def void(self, data: st.DataObject, partition: int) -> None:
        of, _, lane = self.lane(data, partition)
        if not lane.states:
            return
        at = data.draw(st.integers(0, len(lane.states) - 1))
        bad = at <= lane.acknowledged or lane.states[at] is not EventState.JOURNALED
        with _refused(bad):
            self.do(MarkVoid(of, partition, at))
        if not bad:
            lane.states[at] = EventState.VOID

    @rule(data=st.data(), partition=PARTITION)
    def checkpoint(self, data: st.DataObject, partition: int) -> None:
        of, model, lane = self.lane(data, partition)
        count = data.draw(st.integers(0, 6))
        first = lane.checkpointed + 1
        hash_ = digest("checkpoint", of, partition, len(lane.chain))
        previous = lane.chain[-1] if lane.chain else None
        bad = first + count - 1 > lane.acknowledged or model.state >= SessionState.CLOSING
        with _refused(bad):
            self.do(AddCheckpoint(of, partition, first, count, previous, hash_, b"key", b"record"))
        if not bad:
            lane.checkpointed += count
            lane.chain.append(hash_)
            lane.unsent.append(hash_)
            model.lanes[partition] = lane

    @rule(data=st.data(), partition=PARTITION)
    def checkpoint_sent(self, data: st.DataObject, partition: int) -> None:
        of, _, lane = self.lane(data, partition)
        if lane.unsent:
            self.do(CheckpointSent(of, partition, lane.unsent.pop(0)))

    @rule(data=st.data(), partition=PARTITION)
    def receipt(self, data: st.DataObject, partition: int) -> None:
        of, _, lane = self.lane(data, partition)
        self.position += 1
        at = data.draw(st.integers(0, len(lane.states)))
        known = entry(of, partition, at)
        self.do(Confirm("status", partition, self.position, (Receipt(of, partition, at, known.event_id, known.leaf),)))
        if at < len(lane.states):
            lane.states[at] = EventState.STORED

    @rule(data=st.data())
    def announce(self, data: st.DataObject) -> None:
        of, model, _ = self.lane(data, 0)
        self.do(SessionAnnounced(of))
        model.state = max(model.state, SessionState.ANNOUNCED)

    @rule(data=st.data(), send=st.booleans())
    def close(self, data: st.DataObject, send: bool) -> None:
        of, model, _ = self.lane(data, 0)
        loose = any(lane.checkpointed != len(lane.states) - 1 for lane in model.lanes.values())
        bad = loose or model.state >= SessionState.CLOSING
        with _refused(bad):
            self.do(AddClose(of, b"close"), *([SessionClosed(of)] if send else []))
        if not bad:
            model.state = SessionState.CLOSED if send else SessionState.CLOSING

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = open_journal(self.directory)

    def dies(self, keep: int | None = None) -> None:
        """The process ends, and another one goes on with what a power cut has left."""
        self.copies += 1
        left = machines.power_cut(self.journal.path, self.home / str(self.copies), keep)
        self.journal.close()
        self.directory = left.parent
        self.journal = open_journal(self.directory)

    @rule()
    def power_is_cut(self) -> None:
        self.dies()

    @rule(data=st.data(), partition=PARTITION, count=st.integers(1, 3), share=st.floats(0, 0.999))
    def power_is_cut_while_the_disk_writes(self, data: st.DataObject, partition: int, count: int, share: float) -> None:
        """All of a call is there, or nothing: here of one that appends events and acknowledges the first of them."""
        of, model, lane = self.lane(data, partition)
        if model.state >= SessionState.CLOSING:
            return
        before, first = machines.wal_bytes(self.journal.path), len(lane.states)
        steps = [append(of, partition, first, count)]
        everything = first == lane.acknowledged + 1
        self.do(*steps, *([Acknowledge(of, partition, first)] if everything else []))
        after = machines.wal_bytes(self.journal.path)
        self.dies(before + int((after - before) * share) if after >= before else after)
        if sum(1 for row in self.journal.events() if (row.session, row.partition) == (of, partition)) > first:
            lane.states += [EventState.JOURNALED] * count
            model.lanes[partition] = lane
            if everything:
                lane.states[first], lane.acknowledged = EventState.ACKNOWLEDGED, first

    @invariant()
    def agrees(self) -> None:
        rows = {(row.session, row.partition, row.sequence): row.state for row in self.journal.events()}
        expected = {
            (self.id(number), partition, at): state
            for number, model in enumerate(self.sessions)
            for partition, lane in model.lanes.items()
            for at, state in enumerate(lane.states)
        }
        assert rows == expected
        still_open = [(s.session, s.state) for s in self.journal.open_sessions()]
        assert still_open == [
            (self.id(number), model.state)
            for number, model in enumerate(self.sessions)
            if model.state < SessionState.CLOSED
        ]
        if self.sessions:
            assert self.journal.latest_session(TOPIC, "131041") == self.id(len(self.sessions) - 1)
        for number, model in enumerate(self.sessions):
            for lane in self.journal.lanes(self.id(number)):
                wanted = model.lanes[lane.partition]
                assert lane.next_sequence == len(wanted.states)
                assert (lane.acknowledged_through, lane.checkpointed_through) == (
                    wanted.acknowledged,
                    wanted.checkpointed,
                )
                assert lane.checkpoint_hash == (wanted.chain[-1] if wanted.chain else None)
                pending = self.journal.pending(lane, 100, 1 << 20)
                assert [event.sequence for event in pending] == list(range(wanted.acknowledged + 1, len(wanted.states)))
                assert [event.value is None for event in pending] == [
                    state is EventState.STORED for state in wanted.states[wanted.acknowledged + 1 :]
                ]
                assert [row.void for row in self.journal.settled(lane, 100)] == [
                    state is EventState.VOID
                    for state in wanted.states[wanted.checkpointed + 1 : wanted.acknowledged + 1]
                ]
                unsent = self.journal.unsent_checkpoints(self.id(number), lane.partition)
                assert [checkpoint.hash for checkpoint in unsent] == wanted.unsent

    def teardown(self) -> None:
        self.journal.close()
        self.runner.close()
        shutil.rmtree(self.home)


def _refused(expected: bool) -> contextlib.AbstractContextManager[object]:
    """Expect `JournalConflict` exactly if the model says so."""
    if not expected:
        return contextlib.nullcontext()
    return pytest.raises(JournalConflict)


def test_journal_model() -> None:
    machines.run(JournalMachine, runs=20)
