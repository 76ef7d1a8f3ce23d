"""One partition's work without a broker: pauses, poison, what a transaction holds. Transactions are tests/broker's."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from hub.crypto.secret import Secret
from hub.envelope.letters import DeadLetter
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey, Session
from hub.envelope.session import open_session
from hub.envelope.trust import Trust
from hub.facts import Alarm, BatchRouted, Fact, Paused, TransactionAborted
from hub.reading.errors import KeyNotLoaded, SessionsUnavailable
from hub.router.batch import Clerk, collect
from hub.router.lanes import Lanes as RealLanes
from hub.router.partition import MAX_EVENTS, Caution, PartitionRouter, Surroundings
from hub.router.readiness import Outputs
from hub.router.rules import Known, Unknown
from hub.transport import ForeignProducer, KafkaRecord, Outgoing, TransactionFailed, TransactionRefused
from hub.transport.survey import SurveyedTopic
from schemas.errors import HubError
from tests.unit.envelope.support import audience_key, identity, new_session, private_key, trust_builder
from tests.unit.router.world import (
    NOW,
    PARTITION,
    PARTITIONS,
    ROUTES,
    SUBMISSIONS,
    T,
    checkpoint,
    known,
    record,
    record_of,
    seal,
    session,
    trust,
)
from tests.unit.standing.world import PARTITIONS as PARTITIONS_OF_WORLD
from tests.unit.standing.world import TEXT, WITH_NEW, WITHOUT_SECOND, laid_out
from topics.declaration import load
from topics.expanding import expand
from topics.layout import Route

LETTERS = "rehearsal.dead-letters.router"
Commit = tuple[dict[tuple[str, int], list[Outgoing]], dict[tuple[str, int], int]]


@dataclass
class Writer:
    """Keeps what is committed; refuses what a test says."""

    refuses: set[bytes] = field(default_factory=set)
    raises: list[HubError] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)

    async def commit(
        self,
        outputs: Mapping[tuple[str, int], Sequence[Outgoing]],
        offsets: Mapping[tuple[str, int], int],
        group: str,
    ) -> None:
        assert group == "rehearsal.router"
        if self.raises:
            raise self.raises.pop(0)
        review = [each.key for place, records in outputs.items() if place[0] != LETTERS for each in records]
        if self.refuses & set(review):
            raise TransactionRefused
        self.commits.append(({place: list(records) for place, records in outputs.items()}, dict(offsets)))

    def written(self, topic: str) -> list[Outgoing]:
        return [each for outputs, _ in self.commits for each in outputs.get((topic, PARTITION), [])]

    @property
    def next_offset(self) -> int:
        return self.commits[-1][1][SUBMISSIONS, PARTITION]


@dataclass
class Lanes:
    """Sessions at hand, and those that are found when they are asked for."""

    at_hand: Known
    later: Known | None = None
    raises: list[HubError] = field(default_factory=list)
    asked: list[set[bytes]] = field(default_factory=list)

    def known(self, refused: dict[bytes, Reason] | None = None) -> Known:
        return Known(self.at_hand.lanes, self.at_hand.sessions, refused or {})

    async def admit(self, named: Collection[bytes]) -> dict[bytes, Reason]:
        self.asked.append(set(named))
        if self.raises:
            raise self.raises.pop(0)
        if self.later is not None:
            self.at_hand = self.later
        return {name: Reason.UNKNOWN_SESSION for name in named if name not in self.at_hand.lanes}


@dataclass
class Given:
    """A partition's surroundings that a test may change."""

    lanes: Lanes = field(default_factory=lambda: Lanes(known()))
    writer: Writer = field(default_factory=Writer)
    facts: list[Fact] = field(default_factory=list)
    quarantine: AudienceKey | None = field(default_factory=lambda: audience_key("quarantine"))
    caution: Caution = field(default_factory=Caution)
    routes: dict[str, tuple[Route, ...]] = field(default_factory=lambda: {T: ROUTES})
    news: dict[str, tuple[Route, ...]] = field(default_factory=dict)
    """what is declared meanwhile, for whoever asks"""
    now: datetime = NOW

    async def catch_up(self) -> bool:
        new = self.news.keys() - self.routes.keys()
        self.routes = {**self.routes, **self.news}
        return bool(new)

    def clerk(self) -> Clerk:
        return Clerk("router", LETTERS, identity("router"), lambda: self.quarantine, lambda _: ROUTES)

    def router(self) -> PartitionRouter:
        around = Surroundings(
            topic=SUBMISSIONS,
            partitions=PARTITIONS,
            group="rehearsal.router",
            routes=lambda: self.routes,
            declared=lambda: (T,),
            catch_up=self.catch_up,
            clerk=self.clerk(),
            trust=trust,
            now=lambda: self.now,
            monotonic=lambda: 0.0,
            observer=self.facts.append,
        )
        return PartitionRouter(PARTITION, around, self.lanes, self.writer, self.caution)  # type: ignore[arg-type]

    async def work(self, *records: KafkaRecord, until: int) -> None:
        """Run over the records, as the engine does after a failed transaction too, until an offset is committed."""
        left = list(records)
        async with asyncio.timeout(10):
            while not self.writer.commits or self.writer.next_offset < until:
                router = self.router()
                router.put(left)
                task = asyncio.create_task(router.run())
                while not task.done() and (not self.writer.commits or self.writer.next_offset < until):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                router.stop()
                try:
                    await task
                except TransactionFailed:
                    done = self.writer.next_offset if self.writer.commits else 0
                    left = [each for each in records if each.offset >= done]

    def told(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


@pytest.fixture
def given() -> Given:
    return Given()


async def test_all_that_waits_goes_into_one_transaction_with_its_offset(given: Given) -> None:
    events = [seal(number) for number in range(20)]
    records = [record_of(event, number) for number, event in enumerate(events)]
    await given.work(*records, record(b"k", b"garbage", 20), checkpoint(*(e.leaf for e in events)), until=1)
    assert len(given.writer.commits) == 1
    for route in ROUTES:
        assert [each.key for each in given.writer.written(route.topic)][:20] == [e.event_id.encode() for e in events]
        assert len(given.writer.written(route.topic)) == 21
    [fact] = given.told(BatchRouted)
    assert isinstance(fact, BatchRouted)
    assert sum(fact.events.values()) == 20 and fact.checkpoints == 1 and fact.dead_letters == {"not-framed": 1}
    assert len(fact.delays) == 20


async def test_what_comes_long_after_its_session_rings_whatever_its_stamp(given: Given) -> None:
    ended = session().session.expires_at
    for hours, alarms in ((0, []), (1, [Alarm("appended-late", T)])):
        given.now = ended + timedelta(hours=hours)
        offset = hours
        await given.work(record_of(seal(hours), offset), until=offset + 1)
        assert given.told(Alarm) == alarms


async def test_a_transaction_takes_no_more_than_its_bound(given: Given) -> None:
    garbage = [record(b"k", b"x", offset) for offset in range(MAX_EVENTS + 10)]
    await given.work(*garbage, until=MAX_EVENTS + 10)
    assert [len(outputs[LETTERS, PARTITION]) for outputs, _ in given.writer.commits] == [MAX_EVENTS, 10]


async def test_new_session_is_looked_for_once_for_a_whole_batch(given: Given) -> None:
    other = new_session()
    given.lanes.later = known(session(), other)
    records = [record_of(seal(number, other), number) for number in range(300)]
    await given.work(*records, until=300)
    assert given.lanes.asked == [{other.session.id}]
    assert len(given.writer.written(ROUTES[0].topic)) == 300


async def test_sessions_that_stay_unknown_are_asked_for_at_most_twice_in_a_batch(given: Given) -> None:
    records = [record_of(seal(number, new_session()), number) for number in range(3)]
    far = record_of(seal(4, new_session()), 400)
    filling = [record(b"k", b"x", offset) for offset in range(3, 400)]
    await given.work(*records, *filling, far, until=401)
    assert [len(asked) for asked in given.lanes.asked] == [3, 1]
    letters = [DeadLetter.decode(each.value or b"") for each in given.writer.written(LETTERS)]
    assert [letter.place.offset for letter in letters if letter.reason is Reason.UNKNOWN_SESSION] == [0, 1, 2, 400]
    assert Alarm("unknown-session", SUBMISSIONS) in given.facts


@pytest.mark.parametrize("trouble", [SessionsUnavailable, KeyNotLoaded])
async def test_what_can_heal_is_waited_for_and_writes_no_letter(given: Given, trouble: type[HubError]) -> None:
    other = new_session()
    given.lanes.raises = [trouble("x"), trouble("x")]
    given.lanes.later = known(other)
    await given.work(record_of(seal(1, other)), until=1)
    assert given.writer.written(LETTERS) == []
    assert len(given.writer.written(ROUTES[0].topic)) == 1
    stage = f"router.{PARTITION}"
    assert given.told(Paused) == [Paused(stage, trouble.code, True), Paused(stage, trouble.code, False)]
    assert given.told(Alarm) == [Alarm(trouble.code, stage)]


async def test_partition_that_waits_can_be_taken_away(given: Given) -> None:
    given.quarantine = None
    router = given.router()
    router.put([record(b"k", b"garbage")])
    task = asyncio.create_task(router.run())
    await asyncio.sleep(0.02)
    assert not task.done()
    router.stop()
    await asyncio.wait_for(task, 1)
    assert given.writer.commits == []
    assert given.told(Paused)[-1] == Paused(f"router.{PARTITION}", "quarantine-key-missing", False)


async def test_one_record_that_an_output_refuses_is_found_and_becomes_a_letter(given: Given) -> None:
    events = [seal(number) for number in range(8)]
    poison = events[5].event_id.encode()
    given.writer.refuses = {poison}
    await given.work(*[record_of(event, number) for number, event in enumerate(events)], until=8)
    [written] = given.writer.written(LETTERS)
    letter = DeadLetter.decode(written.value or b"")
    assert (letter.reason, letter.place.offset, letter.authentic) == (Reason.REFUSED_BY_BROKER, 5, True)
    for route in ROUTES:
        keys = [each.key or b"" for each in given.writer.written(route.topic)]
        assert [key for key in keys if not key.startswith(b"notice/")] == [
            event.event_id.encode() for event in events if event is not events[5]
        ]
        assert sum(key.startswith(b"notice/") for key in keys) == 1
    assert {fact.code for fact in given.told(TransactionAborted)} == {"kafka.transaction-refused"}  # type: ignore[attr-defined]


async def test_being_fenced_is_not_tried_again(given: Given) -> None:
    given.writer.raises = [ForeignProducer()]
    router = given.router()
    router.put([record_of(seal(1))])
    with pytest.raises(ForeignProducer):
        await router.run()
    assert given.writer.commits == []


def test_a_record_that_nobody_judged_is_never_dropped_in_silence(given: Given) -> None:
    with pytest.raises(AssertionError):
        collect(PARTITION, [record(b"k", b"v")], [Unknown(bytes(32))], given.clerk(), NOW)


def test_notice_never_bears_the_key_that_the_record_came_with(given: Given) -> None:
    from tests.unit.router.world import verdict_on

    bad = record("見本太郎".encode(), seal(12).value)
    batch = collect(PARTITION, [bad], [verdict_on(bad)], given.clerk(), NOW)
    written = [each for records in batch.outputs.values() for each in records]
    assert len(written) == 4
    assert all("見本太郎".encode() not in (each.key or b"") for each in written)


@dataclass
class Survey:
    """What the broker would say."""

    topics: dict[str, SurveyedTopic]

    async def survey(self, topics: Collection[str]) -> dict[str, SurveyedTopic]:
        return {name: found for name, found in self.topics.items() if name in topics}

    async def close(self) -> None:
        return None


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        (SurveyedTopic(6, True), True),
        (SurveyedTopic(5, True), False),
        (SurveyedTopic(7, True), False),
        (SurveyedTopic(6, False), False),
        (None, False),
    ],
)
async def test_tenant_is_ready_only_with_every_output_whole_and_open(found: SurveyedTopic | None, ready: bool) -> None:
    topology = expand(load(), "rehearsal")
    good = {route.topic: SurveyedTopic(6, True) for route in topology.routes}
    changed = {**good, "rehearsal.131041.helpdesk": found} if found else dict(good)
    if found is None:
        del changed["rehearsal.131041.helpdesk"]
    outputs = Outputs(lambda: topology, Survey(changed))  # type: ignore[arg-type]
    assert outputs.waiting == ("131041", "999997"), "nobody is ready before the broker was asked"
    await outputs.refresh()
    assert ("131041" in outputs.ready) is ready
    assert "999997" in outputs.ready
    assert outputs.waiting == (() if ready else ("131041",))
    assert len(outputs.open("131041")) == (3 if ready else 2)


async def test_an_event_for_a_tenant_that_was_declared_meanwhile_is_delivered(given: Given) -> None:
    given.routes, given.news = {}, {T: ROUTES}
    await given.work(record_of(seal(1), 0), until=1)
    assert len(given.writer.written(ROUTES[0].topic)) == 1
    assert given.writer.written(LETTERS) == []


async def test_an_event_for_a_tenant_that_nobody_declares_is_a_letter_and_said_once_per_batch(given: Given) -> None:
    given.routes = {}
    await given.work(record_of(seal(1), 0), record_of(seal(2), 1), until=2)
    assert [DeadLetter.decode(each.value).reason for each in given.writer.written(LETTERS)] == [
        Reason.TENANT_NOT_READY,
        Reason.TENANT_NOT_READY,
    ]
    assert len(given.told(Alarm)) == 1


async def test_a_tenant_that_is_declared_no_more_gets_nothing_from_then_on_and_a_new_one_waits_for_the_broker() -> None:
    now = [laid_out(TEXT)]
    everything = {route.topic: SurveyedTopic(PARTITIONS_OF_WORLD, True) for route in laid_out(WITH_NEW).routes}
    outputs = Outputs(lambda: now[0], Survey(everything))  # type: ignore[arg-type]
    assert outputs.outdated
    await outputs.refresh()
    assert not outputs.outdated
    assert set(outputs.ready) == {"131041", "999997"}

    now[0] = laid_out(WITHOUT_SECOND)
    assert outputs.outdated
    assert set(outputs.ready) == set(outputs.declared) == {"131041"}, "before anybody asked the broker"
    assert outputs.open("999997") == ()

    now[0] = laid_out(WITH_NEW)
    assert set(outputs.ready) == {"131041"}
    assert set(outputs.waiting) == {"999997", "999989"}
    await outputs.refresh()
    assert set(outputs.ready) == {"131041", "999997", "999989"}
    assert not outputs.waiting


async def test_under_a_new_trust_list_every_session_is_judged_again() -> None:
    listed = [trust()]
    portal = listed[0].principals["portal"].identities[0].key_id

    class Registry:
        async def ensure(self, wanted: Collection[bytes]) -> None:
            return None

        def find(self, name: bytes) -> Session | Reason:
            return Reason.REVOKED if listed[0].revoked(portal) else session().session

    class Secrets:
        def unlock(self, found: Session) -> Secret | Reason:
            return open_session(found, "router", private_key("router"))

    at_hand = RealLanes(PARTITION, SUBMISSIONS, Registry(), Secrets(), lambda: listed[0])  # type: ignore[arg-type]
    name = session().session.id
    assert await at_hand.admit({name}) == {}
    assert name in at_hand.known().lanes
    revoked = trust_builder().revoke(portal, NOW).sign(NOW, identity("admin"))
    listed[0] = Trust.load(revoked, identity("admin").public)
    assert at_hand.known().lanes == {}
    assert await at_hand.admit({name}) == {name: Reason.REVOKED}
