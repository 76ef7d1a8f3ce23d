"""Only the review desk's signed receipt lets the journal forget; everything else is put aside."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.envelope.event_ids import id_of_time
from hub.envelope.letters import DeadLetter, open_quarantine
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import StoredEvent, StoredReceipt
from hub.envelope.signed import Signed
from hub.envelope.times import to_ms
from hub.facts import Alarm, DeadLettered, Fact
from hub.producing.delivery import Delivery
from hub.producing.journal import Journal
from hub.producing.journal_rows import Acknowledge, Append, EventState
from hub.producing.key_directory import KeyDirectory
from hub.producing.receipts import OVERDUE_SECONDS, ReceiptReader
from hub.transport import KafkaRecord, OffsetGone
from tests.unit.producing.memory import Memory
from tests.unit.producing.support import digest, entry, open_journal, session
from tests.unit.producing.test_key_directory import Topic
from tests.unit.producing.world import NOW, World

S = session().session
STATUS = "rehearsal.131041.status"
LETTERS = "rehearsal.dead-letters.portal"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


def uuid7(number: int) -> str:
    return f"01930000-0000-7000-8000-{number:012x}"


async def three_events(journal: Journal) -> list[StoredEvent]:
    """Journal three acknowledged events; return what a receipt says of them."""
    entries = [dataclasses.replace(entry(S, 0, at), event_id=uuid7(at)) for at in range(3)]
    await journal.apply(session(), Append(tuple(entries)), Acknowledge(S, 0, 2))
    return [StoredEvent(each.sequence, each.event_id, each.leaf) for each in entries]


def own_key(value: bytes | None) -> bytes:
    """The Kafka key under which a receipt belongs; any for what is none."""
    try:
        return StoredReceipt.decode(Signed.parse(value or b"").body).key.encode()
    except EnvelopeError:
        return b"key"


class Desk:
    """Runs a receipt reader over given records until it has taken them."""

    def __init__(self, journal: Journal) -> None:
        self.world = World()
        self.operator = AudiencePrivateKey.generate(Suite.X25519)
        self.journal = journal
        self.letters = Memory()
        self.facts: list[Fact] = []
        self.trimmed = 0
        self.gone_first = False
        self.opened: list[bool] = []
        self.wall = NOW
        self.overdue_seconds = OVERDUE_SECONDS
        self._records: list[KafkaRecord] = []
        self._offset = 0
        self._polls = 0

    def say(self, value: bytes | None, partition: int = 0, key: bytes | None = None, timestamp_ms: int = 0) -> None:
        key = own_key(value) if key is None else key
        self._records.append(KafkaRecord(STATUS, partition, self._offset, timestamp_ms, key, value))
        self._offset += 1

    async def new_reader(self, whole: bool) -> Desk:
        await asyncio.sleep(0)
        self.opened.append(whole)
        return self

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        if self.gone_first:
            self.gone_first = False
            raise OffsetGone
        await asyncio.sleep(0.001)
        self._polls += 1
        found, self._records = self._records, []
        return found

    async def close(self) -> None:
        await asyncio.sleep(0)

    def count(self, trimmed: int) -> None:
        self.trimmed += trimmed

    async def listen(self) -> None:
        topic = Topic()
        topic.publish(*self.world.audience_key("quarantine", private=self.operator))
        trust = self.world.trust()
        reader = ReceiptReader(
            self.new_reader,
            tenants=lambda: {STATUS: "131041"},
            trust=lambda: trust,
            journal=self.journal,
            delivery=Delivery(self.letters.new_writer, self.facts.append),
            keys=KeyDirectory(topic, lambda: trust, lambda audience: None, self.facts.append),
            principal="portal",
            dead_letters=LETTERS,
            confirmed=self.count,
            observer=self.facts.append,
            wall=lambda: self.wall,
            overdue_seconds=self.overdue_seconds,
        )
        await reader.start()
        task = asyncio.create_task(reader.run())
        async with asyncio.timeout(20):
            while sum(self.journal.positions(STATUS).values()) < self._offset:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            polls = self._polls
            while self._polls < polls + 2:  # noqa: ASYNC110 - who polls again is through with what came before
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def put_aside(self) -> list[DeadLetter]:
        return [DeadLetter.decode(value) for _, value in self.letters.records[LETTERS, 0]]


async def test_garbage_dated_beyond_all_time_becomes_a_letter_and_stops_nobody(journal: Journal) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    desk.say(b"garbage", timestamp_ms=2**62)
    desk.say(b"garbage", timestamp_ms=-1)
    desk.say(desk.world.receipt(S, 0, events[:1]))
    await desk.listen()
    assert desk.trimmed == 1
    assert [letter.reason for letter in desk.put_aside()] == [Reason.NOT_FRAMED] * 2


async def test_receipt_of_the_review_desk_trims_the_journal(journal: Journal) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    desk.say(desk.world.receipt(S, 0, events[:2]))
    desk.say(desk.world.receipt(S, 0, events[1:2]))
    await desk.listen()
    assert desk.trimmed == 2
    assert [event.state for event in journal.events()] == [
        EventState.STORED,
        EventState.STORED,
        EventState.ACKNOWLEDGED,
    ]
    assert journal.positions(STATUS) == {0: 2}
    assert desk.put_aside() == []


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        pytest.param({"signer": "helpdesk-131041"}, "untrusted", id="signed by the helpdesk"),
        pytest.param({"signer": "review-999997"}, "untrusted", id="signed by another tenant's desk"),
        pytest.param(
            {"signer": "review-999997", "desk": "review-999997", "tenant": "999997"},
            "wrong-tenant",
            id="for another tenant",
        ),
        pytest.param({"signer": "portal", "desk": "portal"}, "not-permitted", id="by the portal itself"),
    ],
)
async def test_forged_receipt_trims_nothing_and_becomes_a_sealed_dead_letter(
    journal: Journal, who: dict[str, str], reason: str
) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    forged = desk.world.receipt(S, 0, events, **who)
    desk.say(forged)
    await desk.listen()
    assert desk.trimmed == 0
    assert journal.depth() == (3, 0)
    (letter,) = desk.put_aside()
    assert letter.reason.value == reason
    assert not letter.authentic
    assert open_quarantine(letter, desk.operator).value == forged
    assert DeadLettered("portal", reason) in desk.facts
    assert any(isinstance(fact, Alarm) and fact.code == "receipt.refused" for fact in desk.facts)


@pytest.mark.parametrize("value", [None, b"", "見本太郎".encode(), b"\x00\x00\x00\x00\x63garbage"])
async def test_garbage_on_the_status_topic_is_put_aside_and_reading_goes_on(
    journal: Journal, value: bytes | None
) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    desk.say(value)
    desk.say(desk.world.receipt(S, 0, events))
    await desk.listen()
    assert desk.trimmed == 3
    (letter,) = desk.put_aside()
    assert open_quarantine(letter, desk.operator).value == value
    assert not value or all(value not in raw for _, raw in desk.letters.records[LETTERS, 0])


async def test_receipt_for_another_leaf_is_an_alarm(journal: Journal) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    desk.say(desk.world.receipt(S, 0, [StoredEvent(0, events[0].event_id, digest("other"))]))
    await desk.listen()
    assert desk.trimmed == 0
    assert Alarm("receipt.contradiction", f"{STATUS}/0") in desk.facts


async def test_receipt_of_another_instances_session_is_none_of_our_business(journal: Journal) -> None:
    await three_events(journal)
    desk = Desk(journal)
    desk.say(desk.world.receipt(digest("their session"), 0, [StoredEvent(0, uuid7(9), digest("leaf"))]))
    await desk.listen()
    assert desk.trimmed == 0
    assert desk.facts == []


async def test_reading_begins_anew_when_retention_was_faster(journal: Journal) -> None:
    events = await three_events(journal)
    desk = Desk(journal)
    desk.gone_first = True
    desk.say(desk.world.receipt(S, 0, events))
    await desk.listen()
    assert desk.opened == [False, True]
    assert desk.trimmed == 3
    assert Alarm("receipts.gone") in desk.facts


async def test_an_event_without_its_receipt_is_an_alarm_after_its_time_and_not_before(journal: Journal) -> None:
    ids = [f"{id_of_time(to_ms(NOW))}-7000-8000-{at:012x}" for at in range(3)]
    entries = [dataclasses.replace(entry(S, 0, at), event_id=ids[at]) for at in range(3)]
    await journal.apply(session(), Append(tuple(entries)), Acknowledge(S, 0, 2))
    events = [StoredEvent(each.sequence, each.event_id, each.leaf) for each in entries]
    desk = Desk(journal)
    desk.overdue_seconds = 0.001  # it looks at every poll; how late it is says the wall clock
    desk.wall = NOW + timedelta(milliseconds=1)
    desk.say(desk.world.receipt(S, 0, events[:1]))
    await desk.listen()
    assert desk.facts == []
    desk.wall = NOW + timedelta(milliseconds=2)
    desk.say(desk.world.receipt(S, 0, events[:1]))
    await desk.listen()
    assert desk.facts == [Alarm("receipt.overdue", "portal")]  # once, however often it looks
    assert journal.overdue(desk.wall) == 2
    desk.facts.clear()
    desk.say(desk.world.receipt(S, 0, events))
    await desk.listen()
    assert (desk.facts, journal.overdue(desk.wall)) == ([], 0)
