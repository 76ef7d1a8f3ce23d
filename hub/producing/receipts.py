"""Read the desks' status topics: verified `StoredReceipt`s let the journal forget sealed bytes, nothing else does.

Each producer instance reads on its own, from positions in its journal that move together with what they
confirmed. What is no valid receipt becomes a dead letter of this role, sealed to `quarantine` (it may be
anything), before the position moves past it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol, TypeVar

from hub.envelope.names import QUARANTINE
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import StoredReceipt
from hub.envelope.sealed import SCHEMA_ID as SEALED_EVENT
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_receipt
from hub.envelope.wire import frame_id
from hub.facts import Alarm, DeadLettered, Observer, Paused
from hub.producing.audience_keys import SealingKey
from hub.producing.delivery import Delivery
from hub.producing.journal import Journal
from hub.producing.journal_rows import Confirm, Confirmed, Receipt
from hub.reading.deadletters import write_letter
from hub.transport import KafkaRecord, OffsetGone
from schemas.errors import HubError

T = TypeVar("T")

POLL_BYTES: Final = 4 * 1024 * 1024
POLL_MS: Final = 500
PAUSE_SECONDS: Final = 1.0
OVERDUE_SECONDS: Final = 60.0
"""how old an acknowledged event may be before its receipt is missed"""
_LOOKS: Final = 12
"""how often in that time it is looked"""


class StatusReader(Protocol):
    """What is needed of a `hub.transport.PartitionReader` on all status partitions."""

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        """Return the next records in order per partition, none after the time-out."""

    async def close(self) -> None:
        """Disconnect."""


class Keys(Protocol):
    """Where the operator's key for quarantine comes from."""

    async def current(self, audiences: Sequence[str], now: datetime) -> tuple[SealingKey, ...]:
        """Return the key of each audience that is valid at `now`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one record of a status topic is: receipts, or a reason why not; neither for other readers' records."""

    receipts: tuple[Receipt, ...] = ()
    refused: Reason | None = None
    record: bytes | None = None
    """the signed receipt as it came"""


def judge(record: KafkaRecord, tenant: str, trust: Trust, now: datetime) -> Judged:
    """Decide what a record on a tenant's status topic means for a producer. Pure.

    Sealed status events and other signed records of the desk are for other readers.
    """
    if record.value is None:
        return Judged(refused=Reason.NOT_FRAMED)
    try:
        if frame_id(record.value) == SEALED_EVENT:
            return Judged()
        signed = Signed.parse(record.value)
        if signed.name != StoredReceipt.RECORD:
            return Judged()
    except EnvelopeError as problem:
        return Judged(refused=problem.reason)
    found = validate_receipt(signed, trust, now, tenant=tenant, partition=record.partition, key=record.key or b"")
    if isinstance(found, Reason):
        return Judged(refused=found)
    return Judged(
        tuple(
            Receipt(found.session, found.partition, each.sequence, each.event_id, each.leaf) for each in found.entries
        ),
        record=record.value,
    )


class ReceiptReader:
    """Trims the journal by what the desks confirm: `start`, `run` until it is cancelled, `close`."""

    def __init__(
        self,
        new_reader: Callable[[bool], Awaitable[StatusReader]],
        *,
        tenants: Callable[[], Mapping[str, str]],
        trust: Callable[[], Trust],
        journal: Journal,
        delivery: Delivery,
        keys: Keys,
        principal: str,
        dead_letters: str,
        confirmed: Callable[[int], None],
        observer: Observer,
        wall: Callable[[], datetime],
        overdue_seconds: float = OVERDUE_SECONDS,
    ) -> None:
        """`new_reader` gives a started reader from the journal's positions, or (True) of all there is.

        `tenants` maps each status topic to its tenant, as they are now, and is asked at each poll: when that changes a
        new reader is asked for. `trust` gives the list that holds now; `confirmed` hears how many entries were trimmed.
        """
        self._new_reader = new_reader
        self._reader: StatusReader | None = None
        self._whole = False
        self._tenants = tenants
        self._reading: Mapping[str, str] = {}
        self._trust = trust
        self._journal = journal
        self._delivery = delivery
        self._keys = keys
        self._principal = principal
        self._dead_letters = dead_letters
        self._confirmed = confirmed
        self._observer = observer
        self._wall = wall
        self._overdue_seconds = overdue_seconds
        self._look_at = asyncio.get_running_loop().time() + overdue_seconds / _LOOKS
        self._standing = 0

    async def start(self) -> None:
        """Connect to the status topics. Raises what the reader raises if no broker answers now."""
        await self._open(False)

    async def _open(self, whole: bool) -> None:
        reading = self._tenants()
        self._reader = await self._new_reader(whole)
        self._reading = reading

    async def run(self) -> None:
        """Read, judge, confirm; what is not there at the moment (Kafka, journal, a key) is waited for."""
        while True:
            for place, records in (await self._patiently(self._poll)).items():
                await self._patiently(partial(self._take, *place, records))
            self._look()

    def _look(self) -> None:
        """Alarm when more events than before wait too long: a broker may have acknowledged what nobody ever gets.

        Whoever withholds an event, its checkpoint and its session from all readers is noticed here and nowhere else.
        """
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return
        self._look_at = now + self._overdue_seconds / _LOOKS
        overdue = self._journal.overdue(self._wall() - timedelta(seconds=self._overdue_seconds))
        if overdue > self._standing:
            self._observer(Alarm("receipt.overdue", self._principal))
        self._standing = overdue

    async def close(self) -> None:
        """Disconnect, once `run` has been cancelled."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def _poll(self) -> dict[tuple[str, int], list[KafkaRecord]]:
        by_place: dict[tuple[str, int], list[KafkaRecord]] = defaultdict(list)
        reading = self._tenants()
        if self._reader is not None and self._reading is not reading and self._reading != reading:
            await self.close()  # a tenant came or left; positions are in the journal
        if self._reader is None:
            await self._open(self._whole)
        assert self._reader is not None
        try:
            records = await self._reader.poll(POLL_BYTES, POLL_MS)
        except OffsetGone:
            # Retention was faster than this instance. What is left is read from the start (confirming twice
            # does no harm); entries whose receipt is gone stay until somebody compares.
            self._observer(Alarm("receipts.gone"))
            self._whole = True
            await self.close()
            return {}
        for record in records:
            by_place[record.topic, record.partition].append(record)
        return by_place

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        paused = ""
        while True:
            try:
                done = await work()
            except HubError as problem:
                if problem.code != paused:
                    if paused:
                        self._observer(Paused("receipts", paused, False))
                    paused = problem.code
                    self._observer(Paused("receipts", paused, True))
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                if paused:
                    self._observer(Paused("receipts", paused, False))
                return done

    async def _take(self, topic: str, partition: int, records: Sequence[KafkaRecord]) -> None:
        receipts: list[Receipt] = []
        proofs: list[bytes] = []
        refused: list[tuple[KafkaRecord, Reason]] = []
        for record in records:
            judged = judge(record, self._reading[topic], self._trust(), self._wall())
            if judged.record is not None:
                receipts += [replace(each, record=len(proofs)) for each in judged.receipts]
                proofs.append(judged.record)
            if judged.refused is not None:
                refused.append((record, judged.refused))
        if refused:
            await self._put_aside(topic, partition, refused)
        step = Confirm(topic, partition, records[-1].offset + 1, tuple(receipts), tuple(proofs))
        (done,) = await self._journal.apply(step)
        assert isinstance(done, Confirmed)
        if done.contradicting:
            self._observer(Alarm("receipt.contradiction", f"{topic}/{partition}"))
        if done.trimmed:
            self._confirmed(done.trimmed)

    async def _put_aside(self, topic: str, partition: int, refused: Sequence[tuple[KafkaRecord, Reason]]) -> None:
        """Write the letters of one poll together: garbage one by one would hold up the receipts behind it."""
        now = self._wall()
        (operator,) = await self._keys.current([QUARANTINE], now)
        letters = [
            write_letter(
                record,
                reason,
                stage=self._principal,
                authentic=False,
                session=None,
                leaf=None,
                key=lambda: operator.key,
                now=now,
            )
            for record, reason in refused
        ]
        await self._delivery.send(self._dead_letters, partition, letters)
        for _, reason in refused:
            self._observer(DeadLettered(self._principal, reason.value))
            self._observer(Alarm("receipt.refused", f"{topic}/{partition} {reason.value}"))
