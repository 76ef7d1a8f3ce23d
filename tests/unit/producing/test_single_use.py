"""Nothing is sealed twice, in whatever order a producer publishes, is cut off at a crash point, recovers or is refused.

A power cut is made as the disk and the brokers see it: at the crash point the journal's files and the topics are
copied, the process goes on into nothing, and the next one starts on the copies.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hub import crashpoints
from hub.crypto import sections
from hub.crypto.secret import Secret
from hub.envelope import header as headers
from hub.producing.drafts import Draft
from hub.producing.errors import EventVoid
from hub.producing.journal_rows import EventState
from hub.producing.producer import SessionProducer
from schemas.errors import HubError
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.unit.envelope.support import header_for, new_session
from tests.unit.producing.memory import Clock, Memory, draft, producer
from tests.unit.producing.support import open_journal
from tests.unit.producing.wire import assert_whole

POINTS = ("portal.before-journal", "portal.after-journal", "portal.after-send", "portal.before-close")
START = datetime(2026, 11, 24, 3, tzinfo=UTC)


class PowerCutError(Exception):
    """The process ends here; nobody in it is told."""


class Seals:
    """Every use of an event key, over all processes. It looks on and changes nothing."""

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.headers: set[tuple[bytes, str]] = set()
        self._seal = sections.seal_section

    def __call__(self, secret: Secret, header: bytes, audience: str, plaintext: bytes) -> bytes:
        key = sections.event_key(secret, header, audience)
        assert key not in self.keys, "an event key was used twice"
        self.keys.add(key)
        self.headers.add((header, audience))
        headers.decode(header)
        return self._seal(secret, header, audience, plaintext)


class SealingMachine(RuleBasedStateMachine):
    """One portal's disk and the brokers; processes come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.memory = Memory()
        self.clock = Clock(START)
        self.seals = Seals()
        self.submitted = 0
        self.generation = 0
        self.cuts: dict[str, int] = dict.fromkeys(POINTS, 0)
        self._saved: tuple[Path, Memory] | None = None

    def _cut(self, point: str, nth: int) -> Iterator[None]:
        """While it is open, the `nth` arrival at a crash point is the end."""
        seen = 0

        def reached(name: str) -> None:
            nonlocal seen
            if name != point or self._saved is not None:
                return
            seen += 1
            if seen == nth:
                self._saved = (self._copy_of_disk(), Memory(copy.deepcopy(self.memory.records)))
                self.cuts[point] += 1
                raise PowerCutError

        before, crashpoints.reached = crashpoints.reached, reached
        before_seal, sections.seal_section = sections.seal_section, self.seals
        try:
            yield
        finally:
            crashpoints.reached, sections.seal_section = before, before_seal

    def _copy_of_disk(self) -> Path:
        """What is on the disk now: the log before the file, so that what is moved meanwhile is there in one of them."""
        source = self._disk
        self.generation += 1
        target = self.directory / f"after-{self.generation}"
        target.mkdir()
        for name in ("journal.db-wal", "journal.db"):
            if (source / name).exists():
                shutil.copy(source / name, target / name)
        return target

    @property
    def _disk(self) -> Path:
        return self.directory if self.generation == 0 else self.directory / f"after-{self.generation}"

    def _run(self, drafts: list[Draft], point: str = "", nth: int = 1) -> None:
        """One process: it recovers, publishes what is not known yet, and closes, unless it is cut off before."""
        disk = self._disk
        self._saved = None
        with contextlib.contextmanager(self._cut)(point, nth):
            asyncio.run(self._process(disk, drafts))
        if self._saved is not None:
            _, self.memory = self._saved

    async def _process(self, disk: Path, drafts: list[Draft]) -> None:
        journal = open_journal(disk)
        try:
            async with producer(self.memory, journal, self.clock, close_seconds=5.0) as out:
                new = [each for each in drafts if journal.find(each.index_key) is None]
                await asyncio.gather(*(self._publish(out, each) for each in new))
        except* (PowerCutError, asyncio.CancelledError):
            assert self._saved is not None, "nothing else ends a process"
        finally:
            journal.close()

    @staticmethod
    async def _publish(out: SessionProducer, each: Draft) -> None:
        with contextlib.suppress(EventVoid, HubError):
            await out.publish(each)

    def _drafts(self, count: int, again: int) -> list[Draft]:
        """New ones, and some that were submitted before."""
        first = max(0, self.submitted - again)
        self.submitted += count
        tenants = ("131041", "999997")
        return [draft(number, tenants[number % 2]) for number in range(first, self.submitted)]

    @rule(count=st.integers(0, 6), again=st.integers(0, 4))
    def submit_and_end(self, count: int, again: int) -> None:
        self._run(self._drafts(count, again))

    @rule(count=st.integers(1, 6), again=st.integers(0, 4), point=st.sampled_from(POINTS), nth=st.integers(1, 4))
    def submit_and_be_cut_off(self, count: int, again: int, point: str, nth: int) -> None:
        self._run(self._drafts(count, again), point, nth)

    @rule(count=st.integers(1, 4), away=st.integers(0, 2), lost=st.integers(0, 2), cut=st.booleans())
    def submit_to_brokers_that_fail(self, count: int, away: int, lost: int, cut: bool) -> None:
        self.memory.away, self.memory.lost_answers = away, lost
        self._run(self._drafts(count, 2), "portal.after-send" if cut else "")
        self.memory.away = self.memory.lost_answers = 0

    @rule(count=st.integers(1, 3))
    def submit_what_the_broker_refuses_for_good(self, count: int) -> None:
        number = self.submitted
        self.submitted += count
        self.memory.max_bytes = 20_000
        self._run([draft(each, size=40_000) for each in range(number, self.submitted)])
        self.memory.max_bytes = 1 << 30

    @rule(hours=st.sampled_from((-2, 1, 25)))
    def move_the_clock(self, hours: int) -> None:
        self.clock.forward(timedelta(hours=hours))

    @invariant()
    def what_lies_on_the_topics_was_sealed_once(self) -> None:
        seen = self.memory.seen()  # fails on one id with two byte strings, one sequence with two leaves
        assert len({leaf for _, leaf in seen.events.values()}) == len(seen.events)

    def teardown(self) -> None:
        self._run([])
        assert_whole(self.memory.seen())
        journal = open_journal(self._disk)
        assert all(each.state is not EventState.JOURNALED for each in journal.events())
        journal.close()
        assert len(self.seals.keys) == len(self.seals.headers), "one key for each header and audience"
        shutil.rmtree(self.directory)


def _machine(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        SealingMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_no_key_and_no_sequence_is_used_twice(attack: Attack) -> None:
    tried = attack(
        Attacker.BACKUP, "cuts the portal's power at any point, in any order, so that a key or a sequence is used twice"
    )
    _machine(8, 8)
    tried.prevented(
        by="portal's journal",
        how="the same bytes go out again; new events have a new session; no event key is ever used for two plaintexts",
        within="the next start",
    )


@pytest.mark.soak(target="attacks-long")
@pytest.mark.timeout(3_000)
def test_no_key_and_no_sequence_is_used_twice_for_long() -> None:
    _machine(150, 20)


@pytest.mark.parametrize("point", POINTS)
def test_each_crash_point_is_really_reached(point: str) -> None:
    machine = SealingMachine()
    machine.submit_and_be_cut_off(3, 0, point, 1)
    assert machine.cuts[point] == 1
    machine.submit_and_end(2, 3)
    machine.what_lies_on_the_topics_was_sealed_once()
    machine.teardown()


def test_a_second_use_would_be_seen() -> None:
    seals = Seals()
    secret = Secret(bytes(32))
    header = headers.encode(header_for(new_session()))
    seals(secret, header, "review-131041", bytes(1024))
    with pytest.raises(AssertionError):
        seals(secret, header, "review-131041", b"\x01" * 1024)
