"""The way of decisions to filer, helpdesk and tax teams: the decision rows are the outbox.

    decision row (untold) ─> seal ─> desk's journal (fsync) ─> Kafka ─> told, with event id and leaf
                                     index: one key per decision and per hand-over

`decide` commits a row and nothing else; this task looks for rows that nobody was told of. A crash anywhere
leaves a row untold: sealing it again is answered by the journal's index with the event that is there
already, so each is on its topic once. One submission's decisions go out in their order; different
submissions side by side. `<role>/state/status.db` and `accepted.db` are the journals of the two topics.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, TypeVar

from consumers.patience import Patience, sleep
from consumers.review.cases import Dossiers, Opened
from consumers.store.casework import Handover, KeptDecision, Told
from consumers.store.errors import ContentDamaged, ContentErased
from consumers.store.port import Store
from hub import crashpoints
from hub.crypto.labels import label
from hub.envelope.header import Cause
from hub.envelope.times import from_ms
from hub.facts import Alarm, DecisionsTold, Observer
from hub.loop import TaskGroup
from hub.producing.drafts import Draft, Published
from hub.producing.errors import EventTooLarge, EventVoid
from hub.producing.journal import Journal
from hub.producing.journal_rows import Confirmed, EventState, ForgetListed
from hub.producing.producer import SessionProducer
from schemas.codec import CodecError
from schemas.decisions import Decision, encode_accepted
from schemas.parts import (
    ATTACHMENT_PART,
    PART_VERSION,
    AttachmentDamaged,
    AttachmentIncomplete,
    LargeAttachment,
    Part,
    PartName,
)

T = TypeVar("T")
_LOOK_SECONDS: Final = 0.25
_FORGET_SECONDS: Final = 60.0
_MAX_ROWS: Final = 256
_AT_ONCE: Final = 32
_FINAL: Final = (
    EventVoid,
    EventTooLarge,
    ContentErased,
    ContentDamaged,
    AttachmentDamaged,
    AttachmentIncomplete,
    CodecError,
)
"""what no second try heals: a person has to see to this one, and the others go on"""
_KEY: Final = label("decision")


@dataclass(frozen=True, slots=True)
class Lane:
    """One topic's producer with its journal."""

    name: str
    producer: SessionProducer
    journal: Journal

    async def publish(self, key: bytes, make: Callable[[], Draft]) -> Published:
        """Publish under an index key, or return what was published under it before. Raises EventVoid."""
        known = self.journal.find(key)
        if known is not None:
            if known.state is EventState.VOID:
                raise EventVoid
            # Entering the producer has sent everything that an earlier process journaled.
            return Published(known.event_id, known.leaf)
        return await self.producer.publish(make())

    async def forget(self) -> bool:
        """Drop sealed bytes that nobody needs any more."""
        (done,) = await self.journal.apply(ForgetListed())
        assert isinstance(done, Confirmed)
        if done.trimmed:
            self.producer.confirmed(done.trimmed)
        return True


class DecisionOutbox:
    """Tells what was decided. One task per review desk; opens contents in a thread of its own."""

    def __init__(
        self,
        principal: str,
        tenant: str,
        store: Store,
        dossiers: Dossiers,
        observer: Observer,
        *,
        status: Lane,
        accepted: Lane,
        now_ms: Callable[[], int],
        generation: int = 1,
    ) -> None:
        """`dossiers` opens contents with a vault that no other thread uses; `generation` is that of the topics."""
        self._generation = generation
        self._principal = principal
        self._tenant = tenant
        self._store = store
        self._dossiers = dossiers
        self._observe = observer
        self._status = status
        self._accepted = accepted
        self._now_ms = now_ms
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{principal}-outbox")

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop`. Raises what cannot heal.

        Filers do not wait for a tax team whose key is not published: each topic has a loop of its own.
        """
        try:
            async with TaskGroup() as tasks:
                tasks.create_task(self._loop(self._status, self._tell_all, stop), name="tell-status")
                tasks.create_task(self._loop(self._accepted, self._hand_over_all, stop), name="tell-accepted")
        finally:
            self._thread.shutdown(wait=True)

    async def _loop(self, lane: Lane, work: Callable[[], Awaitable[int]], stop: asyncio.Event) -> None:
        patience = Patience(f"{self._principal}-outbox-{lane.name}", self._observe)
        forgotten = asyncio.get_running_loop().time()
        while not stop.is_set():
            told = await patience.until_done("outbox", work, stop)
            if not told:
                await sleep(stop, _LOOK_SECONDS)
            now = asyncio.get_running_loop().time()
            if now - forgotten > _FORGET_SECONDS:
                forgotten = now
                await self._in_thread(self._dossiers.forget)
                await patience.until_done("outbox", lane.forget, stop)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def _tell_all(self) -> int:
        """Tell filer and helpdesk what waits, 256 decisions at most; return how many there were."""
        waiting: Sequence[KeptDecision] = await self._in_thread(self._store.cases.untold, _MAX_ROWS)

        async def tell(decision: KeptDecision) -> None:
            try:
                await self._tell(await self._in_thread(self._dossiers.opened, decision))
            except _FINAL as final:
                await self._failed(final.code, decision=decision.decision)

        await self._by_event(waiting, tell)
        return len(waiting)

    async def _hand_over_all(self) -> int:
        """Hand over what waits, 256 decisions at most; return how many there were."""
        waiting: Sequence[KeptDecision] = await self._in_thread(self._store.cases.unhanded, _MAX_ROWS)
        handovers: Sequence[Handover] = await self._in_thread(
            self._store.cases.handovers, [each.decision for each in waiting]
        )
        due: dict[int, list[Handover]] = defaultdict(list)
        for each in handovers:
            if each.told_at_ms is None and each.failed is None:
                due[each.decision].append(each)

        async def hand_over(decision: KeptDecision) -> None:
            try:
                opened = await self._in_thread(self._dossiers.opened, decision)
            except _FINAL as final:
                for handover in due[decision.decision]:
                    await self._failed(final.code, handover=handover.handover)
                return
            for handover in due[decision.decision]:
                try:
                    await self._hand_over(opened, handover)
                except _FINAL as final:
                    await self._failed(final.code, handover=handover.handover)

        await self._by_event(waiting, hand_over)
        return len(waiting)

    async def _by_event(self, waiting: Sequence[KeptDecision], work: Callable[[KeptDecision], Awaitable[None]]) -> None:
        """Do the decisions of one submission in their order, different submissions side by side."""
        by_event: dict[int, list[KeptDecision]] = defaultdict(list)
        for each in waiting:
            by_event[each.number].append(each)
        room = asyncio.Semaphore(_AT_ONCE)

        async def in_order(decisions: Sequence[KeptDecision]) -> None:
            async with room:  # each is opened, and may be large
                for decision in decisions:
                    await work(decision)

        results = await asyncio.gather(*map(in_order, by_event.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _tell(self, opened: Opened) -> None:
        decision = opened.decision
        record = opened.record(self._tenant)
        sections = {
            "portal": record.encode(with_message=True),
            f"helpdesk-{self._tenant}": record.encode(with_message=False),
        }
        key = self._index(opened, "status")
        published = await self._status.publish(key, lambda: self._draft(opened, key, sections))
        crashpoints.reached("review.after-telling")
        told = Told(decision.decision, published.event_id, published.leaf, self._now_ms())
        await self._in_thread(self._store.cases.told, [told], [])
        self._observe(DecisionsTold(self._principal, decision.what, 1, opened.row.event.procedure))

    async def _hand_over(self, opened: Opened, handover: Handover) -> None:
        item = handover.tax_item
        audience = f"tax-{item}-{self._tenant}"
        key = self._index(opened, item)
        large: list[LargeAttachment] = []
        section = None
        if opened.decision.what == Decision.ACCEPT:
            section = opened.reviewed.section
            large = [await self._parts(opened, each, item) for each in opened.reviewed.large]
        framed = encode_accepted(opened.record(self._tenant), item, section, large)
        published = await self._accepted.publish(
            key, lambda: self._draft(opened, key, {audience: framed}, tax_item=item)
        )
        crashpoints.reached("review.after-telling")
        told = Told(handover.handover, published.event_id, published.leaf, self._now_ms())
        await self._in_thread(self._store.cases.told, [], [told])

    async def _parts(self, opened: Opened, large: LargeAttachment, item: str) -> LargeAttachment:
        """Hand an attachment over in parts, ahead of its submission, on the same topic: again if it grew since."""
        names = []
        beside = "" if self._generation == 1 else f" g{self._generation}"
        for number in range(len(large.parts)):
            part: Part = await self._in_thread(self._dossiers.part, opened.reviewed, large, number)
            key = self._index(opened, f"{item} part {large.position}/{number}{beside}")
            published = await self._accepted.publish(
                key,
                lambda key=key, part=part: self._draft(  # type: ignore[misc]
                    opened,
                    key,
                    {f"tax-{item}-{self._tenant}": part.encode()},
                    tax_item=item,
                    procedure=(ATTACHMENT_PART, PART_VERSION),
                ),
            )
            names.append(PartName(published.event_id, published.leaf))
        return LargeAttachment(large.position, large.size, large.sha256, tuple(names))

    async def _failed(self, code: str, *, decision: int | None = None, handover: int | None = None) -> None:
        """A person has to see to it: nothing that is tried again would go otherwise."""
        self._observe(Alarm("decision-not-told", f"{self._principal} {code}"))

        def note() -> None:
            self._store.cases.cannot_tell(code, decision=decision, handover=handover)

        await self._in_thread(note)

    def _index(self, opened: Opened, what: str) -> bytes:
        """The journal's key for one event: by content and time, for a restored store may use row numbers again."""
        decision = opened.decision
        text = f"{decision.decision} {decision.revision} {decision.decided_at_ms} {decision.what} {what}"
        return sha256(_KEY + opened.row.event.leaf + text.encode()).digest()

    def _draft(
        self,
        opened: Opened,
        key: bytes,
        sections: dict[str, bytes],
        *,
        tax_item: str | None = None,
        procedure: tuple[str, int] | None = None,
    ) -> Draft:
        event = opened.row.event
        name, version = procedure or (event.procedure, event.procedure_version)
        return Draft(
            index_key=key,
            tenant=event.tenant,
            receipt_number=event.receipt_number,
            procedure=name,
            procedure_version=version,
            tax_item=tax_item or event.tax_item,
            accepted_at=from_ms(event.accepted_at_ms),
            calculation_check=event.calculation_check,
            signature_check=event.signature_check,
            sections=sections,
            cause=Cause(event.event_id, event.leaf),
        )


def utc(now_ms: Callable[[], int]) -> Callable[[], datetime]:
    """Return a wall clock for producers from a clock of milliseconds."""
    return lambda: datetime.fromtimestamp(now_ms() / 1_000, UTC)
