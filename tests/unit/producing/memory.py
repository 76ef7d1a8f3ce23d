"""Topics in memory behind the writer port, with the failures that a broker can answer with."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.identity import IdentityKey
from hub.envelope.records import AudienceKey
from hub.facts import Fact
from hub.producing.audience_keys import SealingKey, choose_all
from hub.producing.delivery import Writer
from hub.producing.drafts import Draft
from hub.producing.journal import Journal
from hub.producing.producer import Place, SessionProducer
from hub.producing.sealing import Signer
from hub.transport import FinalRefusal, Outgoing
from schemas.errors import HubError
from tests.unit.producing.support import digest
from tests.unit.producing.wire import Seen, look

TOPIC = "rehearsal.submissions"
SESSIONS = "rehearsal.sessions"
PARTITIONS = 3


class Away(HubError):
    """The broker does not answer."""

    code = "test.away"
    retriable = True


@dataclass
class Memory:
    """All records that were acknowledged, and what happens to the next ones."""

    records: dict[tuple[str, int], list[tuple[bytes, bytes]]] = field(default_factory=lambda: defaultdict(list))
    max_bytes: int = 1 << 30
    away: int = 0
    """how many writes fail before they reach anything"""
    lost_answers: int = 0
    """how many writes arrive, with the answer lost"""
    gate: asyncio.Event | None = None
    """while set to an event: writes of events and checkpoints wait for it"""
    at_gate: int = 0
    """how many writes wait"""
    writers: int = 0

    async def new_writer(self) -> Writer:
        self.writers += 1
        return _MemoryWriter(self)

    def seen(self) -> Seen:
        return look(
            self.records[SESSIONS, 0],
            {partition: self.records[TOPIC, partition] for partition in range(PARTITIONS)},
        )


class _MemoryWriter:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        memory = self._memory
        await asyncio.sleep(0)
        if memory.gate is not None and topic == TOPIC:
            memory.at_gate += 1
            await memory.gate.wait()
            memory.at_gate -= 1
        if memory.away > 0:
            memory.away -= 1
            raise Away
        if any(len(record.value or b"") > memory.max_bytes for record in records):
            raise FinalRefusal(topic)
        log = memory.records[topic, partition]
        for record in records:
            assert record.key is not None and record.value is not None
            log.append((record.key, record.value))
        if memory.lost_answers > 0:
            memory.lost_answers -= 1
            raise Away
        return list(range(len(log) - len(records), len(log)))

    async def close(self) -> None:
        await asyncio.sleep(0)


class Clock:
    """A wall clock that a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, by: timedelta) -> None:
        self.at += by


class MonthlyKeys:
    """Keys of every audience for every month, made as needed (X25519: fast)."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._keys: dict[tuple[str, int], SealingKey] = {}

    async def current(self, audiences: Sequence[str], now: datetime) -> tuple[SealingKey, ...]:
        await asyncio.sleep(0)
        first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (first + timedelta(days=32)).replace(day=1)
        epoch = first.year * 100 + first.month
        for audience in audiences:
            if (audience, epoch) not in self._keys:
                private = AudiencePrivateKey.generate(Suite.X25519)
                key = AudienceKey(audience, epoch, private.key_id, Suite.X25519, private.public, first, following)
                self._keys[audience, epoch] = SealingKey(key, digest(audience, epoch))
        used = {audience: self._journal.highest_epoch(audience) for audience in audiences}
        return choose_all(audiences, self._keys.values(), used, now)


IDENTITY = IdentityKey.from_seed(bytes(range(32)))


def producer(
    memory: Memory,
    journal: Journal,
    clock: Clock | None = None,
    observer: Callable[[Fact], None] = lambda fact: None,
    **options: float,
) -> SessionProducer:
    """Return a producer over memory, with real keys, sealing and journal."""
    return SessionProducer(
        Place(TOPIC, SESSIONS, PARTITIONS),
        signer=Signer("portal", "portal-1", IDENTITY),
        journal=journal,
        new_writer=memory.new_writer,
        keys=MonthlyKeys(journal),
        audiences=lambda tenant: ("router", f"review-{tenant}", f"helpdesk-{tenant}"),
        observer=observer,
        wall=clock or Clock(datetime(2026, 11, 24, 3, tzinfo=UTC)),
        **options,  # type: ignore[arg-type]
    )


def draft(number: int, tenant: str = "131041", size: int = 100) -> Draft:
    """Return an artificial draft; the sections are not records, nobody here opens them."""
    return Draft(
        index_key=digest("input", number),
        tenant=tenant,
        receipt_number=f"R7-13104-{number:09}",
        procedure="heir-representative-designation",
        procedure_version=1,
        tax_item=None,
        accepted_at=datetime(2026, 11, 24, 3, tzinfo=UTC),
        calculation_check="passed",
        signature_check="not_performed",
        sections={f"review-{tenant}": bytes(size), f"helpdesk-{tenant}": b"masked"},
    )
