"""Judge, index and hand over submissions: the portal end without Kafka, files or role directories.

Nothing of what a submission says is logged or kept here; refusals are journaled as time and rule ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from hub import crashpoints
from hub.facts import Observer, SubmissionJudged
from hub.producing.drafts import Draft, Published
from hub.producing.errors import EventTooLarge, EventVoid
from hub.producing.journal import Journal
from hub.producing.journal_rows import EventState, NoteRefusal
from hub.producing.producer import MAX_EVENT_BYTES
from hub.producing.sealing import sealed_size
from portal import results
from portal.index import index_key
from portal.results import Result, Status
from schemas.catalogue import procedures
from schemas.judging import as_portal, judge
from schemas.parts import (
    ATTACHMENT_PART,
    PART_VERSION,
    LargeAttachment,
    Part,
    PartName,
    encode_section,
    name_beforehand,
    name_large,
    parts_of,
    split,
)
from schemas.rules import Finding
from schemas.sections import helpdesk_section
from schemas.submission import Refused, Submission, canonical, parse

LARGE_DOCUMENT_BYTES: Final = 65_536
"""Above this a document is judged and encoded in a thread, so that it does not hold up the others."""

_UNKNOWN: Final = "tenant.unknown"

Journaled = Callable[[str], None]


class Publisher(Protocol):
    """What is needed of a `SessionProducer`."""

    async def publish(self, draft: Draft, journaled: Journaled | None = None) -> Published:
        """Journal and send one event."""


class Submitter:
    """Turns documents into results; safe to call from many tasks at once."""

    def __init__(
        self,
        publisher: Publisher,
        journal: Journal,
        journal_key: bytes,
        *,
        rehearsal: bool,
        tenants: Callable[[], Collection[str]],
        catch_up: Callable[[], Awaitable[None]],
        observer: Observer,
        wall: Callable[[], datetime],
    ) -> None:
        """`tenants` gives the codes that this hub serves now; `catch_up` learns whether there are new ones.

        `rehearsal` follows from the namespace.
        """
        self._publisher = publisher
        self._journal = journal
        self._journal_key = journal_key
        self._rehearsal = rehearsal
        self._tenants = tenants
        self._catch_up = catch_up
        self._observer = observer
        self._wall = wall
        self._versions = {slug: procedure.version for slug, procedure in procedures().items()}
        self._under_way: dict[bytes, asyncio.Task[Result]] = {}

    async def submit(self, document: bytes, journaled: Journaled | None = None) -> Result:
        """Answer one document when its event is journaled and acknowledged, or refuse it.

        The same input again, at the same time, later or after a restart, is answered `duplicate` with the
        event id of the first. Raises a retriable `HubError` if nothing can be accepted at the moment
        (journal full, no audience key, closing): nothing was kept then, submit again.
        """
        judged = await self._judged(document)
        if isinstance(judged, Refused) and any(problem.rule == _UNKNOWN for problem in judged.problems):
            known = frozenset(self._tenants())
            await self._catch_up()  # the tenant may have been declared a moment ago
            if known != frozenset(self._tenants()):
                judged = await self._judged(document)
        if isinstance(judged, Refused):
            return await self.refuse(judged)
        submission, key = judged
        first = self._under_way.get(key)
        if first is not None:
            return self._again(submission, await asyncio.shield(first))
        found = self._journal.find(key)
        if found is not None:
            if found.state is EventState.VOID:
                return self._answer(submission, results.void(submission.receipt_number, found.event_id))
            return self._again(
                submission, results.accepted(submission.receipt_number, found.event_id, judge(submission))
            )
        # A task of its own: a caller that gives up must not make room for the same input while this one is
        # half way into the journal.
        task = asyncio.create_task(self._publish(submission, key, journaled), name="submission")
        self._under_way[key] = task
        task.add_done_callback(lambda done: self._through(key, done))
        return self._answer(submission, await asyncio.shield(task))

    async def settle(self) -> None:
        """Wait until every submission under way has its answer, whoever asked for it."""
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    def _through(self, key: bytes, done: asyncio.Task[Result]) -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # read, in case the caller has gone

    async def refuse(self, refusal: Refused) -> Result:
        """Journal that an input was refused (time and rule ids, no content) and answer it."""
        rules = tuple(sorted({problem.rule for problem in refusal.problems}))
        await self._journal.apply(NoteRefusal(int(self._wall().timestamp()), rules))
        self._observer(SubmissionJudged(Status.REFUSED.value, rules=rules))
        return results.refused(refusal.problems, refusal.receipt_number)

    async def _judged(self, document: bytes) -> tuple[Submission, bytes] | Refused:
        if len(document) > LARGE_DOCUMENT_BYTES:
            return await asyncio.to_thread(self._judge, document)
        return self._judge(document)

    def _judge(self, document: bytes) -> tuple[Submission, bytes] | Refused:
        parsed = parse(document, rehearsal=self._rehearsal, tenants=frozenset(self._tenants()))
        if isinstance(parsed, Refused):
            return parsed
        return parsed, index_key(self._journal_key, canonical(parsed))

    async def _publish(self, submission: Submission, key: bytes, journaled: Journaled | None) -> Result:
        receipt = submission.receipt_number
        try:
            if submission.attachments:
                kept, places = await asyncio.to_thread(split, submission)
                if places:
                    await asyncio.to_thread(self._refuse_too_large, kept, key, submission, places)
                large = [await self._publish_parts(submission, key, place) for place in places]
                draft, found = await asyncio.to_thread(self._draft, kept, key, submission, large)
            else:
                draft, found = self._draft(submission, key, submission, ())
            published = await self._publisher.publish(draft, journaled)
        except EventTooLarge as limit:
            await self._journal.apply(NoteRefusal(int(self._wall().timestamp()), (limit.code,)))
            return results.too_large(receipt)
        except EventVoid:
            known = self._journal.find(key)
            return results.void(receipt, known.event_id if known is not None else "")
        return results.accepted(receipt, published.event_id, found)

    def _refuse_too_large(self, kept: Submission, key: bytes, whole: Submission, places: Sequence[int]) -> None:
        """Raise EventTooLarge while no part is sent: parts without their submission would lie about for ever."""
        named = [name_beforehand(whole, place) for place in places]
        draft, _ = self._draft(kept, key, whole, named)
        if sealed_size(draft) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"{MAX_EVENT_BYTES} bytes")

    async def _publish_parts(self, submission: Submission, key: bytes, place: int) -> LargeAttachment:
        """Send an attachment ahead of its submission. After a crash, parts that are journaled stay as they are."""
        names = []
        for part in parts_of(submission, place):
            part_key = index_key(self._journal_key, b"part\x00%s%d/%d" % (key, place, part.part))
            known = self._journal.find(part_key)
            if known is not None and known.state is EventState.VOID:
                raise EventVoid
            if known is None:
                published = await self._publisher.publish(self._part_draft(submission, part, part_key))
                names.append(PartName(published.event_id, published.leaf))
            else:
                names.append(PartName(known.event_id, known.leaf))
            crashpoints.reached("portal.between-parts")
        return name_large(submission, place, names)

    def _part_draft(self, submission: Submission, part: Part, key: bytes) -> Draft:
        note = replace(submission, procedure=ATTACHMENT_PART, items=None, attachments=())
        return self._sealed_for(note, key, PART_VERSION, part.encode())

    def _draft(
        self, kept: Submission, key: bytes, whole: Submission, large: Sequence[LargeAttachment]
    ) -> tuple[Draft, tuple[Finding, ...]]:
        """Return the event to be, and what the rules found; `kept` lacks the contents that travel in parts."""
        found = judge(whole)
        section = encode_section(kept, as_portal(found), large)
        return self._sealed_for(kept, key, self._versions[kept.procedure], section), found

    def _sealed_for(self, submission: Submission, key: bytes, version: int, section: bytes) -> Draft:
        tenant = submission.tenant
        return Draft(
            index_key=key,
            tenant=tenant,
            receipt_number=submission.receipt_number,
            procedure=submission.procedure,
            procedure_version=version,
            tax_item=submission.tax_item,
            accepted_at=datetime.fromisoformat(submission.accepted_at),
            calculation_check=submission.calculation_check,
            signature_check=submission.signature_check,
            sections={f"review-{tenant}": section, f"helpdesk-{tenant}": helpdesk_section(submission)},
        )

    def _again(self, submission: Submission, known: Result) -> Result:
        """Answer an input that is here already as its first occurrence was, or as its duplicate."""
        if known.status is Status.ACCEPTED:
            known = Result(known.receipt_number, known.event_id, Status.DUPLICATE, (), known.findings)
        return self._answer(submission, known)

    def _answer(self, submission: Submission, result: Result) -> Result:
        self._observer(
            SubmissionJudged(
                result.status.value,
                submission.tenant,
                submission.procedure,
                tuple(error.rule for error in result.errors),
            )
        )
        return result
