"""A review desk at work: stored submissions, reviewers, and the outbox over topics that are a file.

The file of topics and everything else survive kill -9, so that a second process can go on. Nobody here exists.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from consumers.review.cases import Dossiers
from consumers.review.deciding import Reviewer
from consumers.review.desk import Kept
from consumers.review.outbox import DecisionOutbox, Lane
from consumers.review.queries import ReviewQueries
from consumers.store.model import Batch, NewCase, NewEvent, StoredEvent
from consumers.store.sql import SqlStore, open_sqlite
from consumers.store.vault import Vault
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.identity import IdentityKey
from hub.crypto.random import system_random
from hub.envelope import header as headers
from hub.envelope import sealed as sealed_events
from hub.envelope.header import EventHeader
from hub.envelope.records import AudienceKey
from hub.envelope.session import open_section, open_session
from hub.envelope.times import epoch_bounds
from hub.facts import Fact
from hub.producing.audience_keys import SealingKey
from hub.producing.delivery import Writer
from hub.producing.errors import AudienceKeyMissing
from hub.producing.journal import Journal
from hub.producing.producer import Place, SessionProducer
from hub.producing.sealing import Signer
from hub.transport import FinalRefusal, Outgoing
from schemas.catalogue import TAX_ITEMS
from schemas.decisions import Decision, Order
from schemas.judging import as_portal, judge
from schemas.parts import ATTACHMENT_PART, LargeAttachment, Part, PartName, encode_section
from schemas.submission import Refused, parse
from schemas.submission_model import Attachment, Submission
from tests.unit.consumers.making import NOW, SESSION, TENANT, event_id, leaf
from tests.unit.producing.wire import Seen, look
from topics import names

NAMESPACE = "rehearsal"
REVIEW = f"review-{TENANT}"
OWNER = f"{NAMESPACE}/{REVIEW}"
EPOCH = 202701
PARTITIONS = 3
STATUS, ACCEPTED = names.status(NAMESPACE, TENANT), names.accepted(NAMESPACE, TENANT)
SESSIONS = names.desk_sessions(NAMESPACE, TENANT)
ITEM, OTHER_ITEM = TAX_ITEMS[:2]
TEAM, OTHER_TEAM = f"tax-{ITEM}-{TENANT}", f"tax-{OTHER_ITEM}-{TENANT}"
AUDIENCES = {STATUS: sorted(("portal", f"helpdesk-{TENANT}")), ACCEPTED: sorted((TEAM, OTHER_TEAM))}
PROCEDURE = "refund-interest-loss-of-economic-result"
ITEMS = {
    "submitted_on": "令和9年1月15日",
    "applicant_address": "テスト区架空2-20-10",
    "applicant_name": "見本　太郎",
    "loss_reason": "例示の取引が取り消されたため",
}
"""what no rule finds anything in"""
PDF = Attachment("a.pdf", "application/pdf", b"%PDF-1.7 artificial")

ACCEPT = Order(Decision.ACCEPT, "complete", None, (ITEM,))
ACCEPT_BOTH = Order(Decision.ACCEPT, "complete", None, (ITEM, OTHER_ITEM))
RETURN = Order(Decision.RETURN, "item-missing", "見本の項を記入してください")
HOLD = Order(Decision.HOLD, "inquiry")
REVOKE = Order(Decision.REVOKE, "decided-in-error")


def receipt(number: int) -> str:
    return f"R7-99999-{number:09d}"


def submission(number: int, *attachments: Attachment, **changes: Any) -> Submission:
    document = {
        "procedure": PROCEDURE,
        "receipt_number": receipt(number),
        "tenant": TENANT,
        "tax_item": None,
        "accepted_at": "2027-01-15T17:00:00+09:00",
        "checks": {"calculation": "passed", "signature": "not_performed"},
        "rehearsal": True,
        "items": ITEMS,
    }
    made = parse(json.dumps(document | changes, ensure_ascii=False).encode(), rehearsal=True)
    assert not isinstance(made, Refused), made
    return replace(made, attachments=attachments)


def keep_secret(audience: str) -> AudiencePrivateKey:
    """Return an audience's private key, the same in every process."""
    return AudiencePrivateKey.from_seeds(Suite.X25519, sha256(audience.encode()).digest())


@dataclass
class PlainKeys:
    """Epoch keys of the store that seal nothing, so that two processes have the same."""

    gone: set[int] = field(default_factory=set)

    def seal(self, epoch: int, info: bytes, secret: bytes) -> tuple[bytes, bytes] | None:
        return b"artifice", secret

    def open(self, epoch: int, key_id: bytes, info: bytes, sealed: bytes) -> bytes | None:
        return None if epoch in self.gone else sealed

    def forget(self) -> None:
        """Nothing is kept."""


@dataclass
class Published:
    """Audience keys to seal to; those in `missing` are not published yet."""

    missing: set[str] = field(default_factory=set)

    async def current(self, audiences: Sequence[str], now: datetime) -> tuple[SealingKey, ...]:
        await asyncio.sleep(0)
        for audience in audiences:
            if audience in self.missing:
                raise AudienceKeyMissing(audience)
        keys = [keep_secret(audience) for audience in audiences]
        bounds = epoch_bounds(EPOCH)
        return tuple(
            SealingKey(AudienceKey(name, EPOCH, key.key_id, Suite.X25519, key.public, *bounds), key.key_id * 4)
            for name, key in zip(audiences, keys, strict=True)
        )


@dataclass
class Topics:
    """Records as lines of a file, synced before they are acknowledged."""

    path: Path
    max_bytes: int = 1 << 30

    async def new_writer(self) -> Writer:
        return _FileWriter(self)

    def records(self, topic: str) -> dict[int, list[tuple[bytes, bytes]]]:
        """Return (key, value) of every record ever acknowledged, per partition, in order."""
        found: dict[int, list[tuple[bytes, bytes]]] = {partition: [] for partition in range(PARTITIONS)}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                name, partition, key, value = json.loads(line)
                if name == topic:
                    found[partition].append((bytes.fromhex(key), bytes.fromhex(value)))
        return found


class _FileWriter:
    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        await asyncio.sleep(0)
        if any(len(record.value or b"") > self._topics.max_bytes for record in records):
            raise FinalRefusal(topic)
        with self._topics.path.open("a") as out:
            for record in records:
                assert record.key is not None and record.value is not None
                out.write(json.dumps([topic, partition, record.key.hex(), record.value.hex()]) + "\n")
            out.flush()
            os.fsync(out.fileno())
        return [0] * len(records)

    async def close(self) -> None:
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Sent:
    """One record of an event as it stands on its topic, opened by everybody who can."""

    header: EventHeader
    leaf: bytes
    sections: dict[str, bytes] = field(repr=False)


class Office:
    """One desk with its state directory. The clock goes on by a second at each look."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store: SqlStore = open_sqlite(directory / "store.db", OWNER)
        self.keys = PlainKeys()
        self.published = Published()
        self.topics = Topics(directory / "topics.jsonl")
        self.facts: list[Fact] = []
        self.now = NOW
        self.vault = self.another_vault()
        self.dossiers = Dossiers(self.store, self.vault)
        self.queries = ReviewQueries(self.store, self.vault)

    def close(self) -> None:
        self.store.close()

    def clock(self) -> int:
        self.now += 1_000
        return self.now

    def another_vault(self) -> Vault:
        return Vault(OWNER, self.keys, self.store.store_key, system_random)

    # --- what arrives

    def stored(self, *submissions: Submission, large: Sequence[LargeAttachment] = ()) -> list[int]:
        """Store submissions as the desk would; return their rows."""
        return [self._commit(each.procedure, each, self._kept(each, large)) for each in submissions]

    def _kept(self, made: Submission, large: Sequence[LargeAttachment]) -> bytes:
        found = judge(made, unseen=[each.position for each in large])
        return Kept(encode_section(made, as_portal(found), large), found).encode()

    def stored_part(self, of: Submission, part: Part) -> PartName:
        """Store one part of an attachment as the desk would; return its name."""
        row = self._commit(ATTACHMENT_PART, of, Kept(part.encode(), ()).encode())
        event = self.dossiers.row(row).event
        return PartName(event.event_id, event.leaf)

    def in_parts(self, made: Submission, position: int, *pieces: bytes) -> tuple[Submission, LargeAttachment]:
        """Store an attachment in parts; return the submission without it, and where it is."""
        whole = b"".join(pieces)
        parts = [
            Part(made.receipt_number, made.tenant, position, n, len(pieces), piece) for n, piece in enumerate(pieces)
        ]
        at = tuple(self.stored_part(made, part) for part in parts)
        attachments = list(made.attachments)
        attachments[position] = replace(attachments[position], content=b"")
        named = LargeAttachment(position, len(whole), sha256(whole).digest(), at)
        return replace(made, attachments=tuple(attachments)), named

    def _commit(self, procedure: str, of: Submission, kept: bytes) -> int:
        number = self.store.counts()["events"] + 1
        content = self.vault.seal(EPOCH, TENANT, event_id(number), leaf(number), kept)
        case = None if procedure == ATTACHMENT_PART else NewCase(date(2027, 2, 15), of.replaces, of.withdraws)
        event = NewEvent(
            tenant=TENANT,
            producer="portal",
            event_id=event_id(number),
            leaf=leaf(number),
            session=SESSION,
            sequence=number,
            topic=names.review(NAMESPACE, TENANT),
            partition=0,
            offset=number,
            kind="submission",
            receipt_number=of.receipt_number,
            procedure=procedure,
            procedure_version=1,
            tax_item=None,
            accepted_at_ms=NOW,
            produced_at_ms=NOW,
            stored_at_ms=NOW,
            findings=len(Kept.decode(kept).findings),
            content=content,
            case=case,
        )
        keys = self.vault.new_keys()
        self.store.commit(Batch(at_ms=NOW, advances=(), events=(event,), store_keys=keys))
        self.vault.committed(keys)
        return number

    def erase(self, row: int) -> None:
        """Delete a data key, as erasure of one receipt will."""
        from sqlalchemy import delete

        from consumers.store import tables

        with self.store._writing() as db:
            db.execute(delete(tables.data_key).where(tables.data_key.c.event == row))

    def mark_erased(self, row: int) -> None:
        from sqlalchemy import update

        from consumers.store import tables

        self.erase(row)
        with self.store._writing() as db:
            db.execute(update(tables.event).where(tables.event.c.number == row).values(status="erased"))

    # --- what people do

    def reviewer(self, name: str = "reviewer-a", store: SqlStore | None = None) -> Reviewer:
        chosen = store or self.store
        vault = Vault(OWNER, self.keys, chosen.store_key, system_random)
        return Reviewer(chosen, Dossiers(chosen, vault), name, self.clock)

    def row(self, number: int) -> StoredEvent:
        return self.dossiers.row(number)

    def status(self, number: int) -> str:
        return self.row(number).event.status.value

    # --- what goes out

    @asynccontextmanager
    async def lane(self, topic: str) -> AsyncIterator[Lane]:
        dataset = topic.rpartition(".")[2]
        journal = Journal.open(self.directory / f"{dataset}.db", owner=f"{REVIEW}/desk/{NAMESPACE}/{dataset}")
        try:
            async with SessionProducer(
                Place(topic, SESSIONS, PARTITIONS),
                signer=Signer(REVIEW, "desk", IdentityKey.from_seed(sha256(REVIEW.encode()).digest())),
                journal=journal,
                new_writer=self.topics.new_writer,
                keys=self.published,
                audiences=lambda _: AUDIENCES[topic],
                observer=self.facts.append,
                wall=lambda: datetime.fromtimestamp(NOW / 1_000, UTC),
                close_seconds=5.0,
            ) as producer:
                yield Lane(dataset, producer, journal)
        finally:
            journal.close()

    @asynccontextmanager
    async def outbox(self) -> AsyncIterator[DecisionOutbox]:
        async with self.lane(STATUS) as status, self.lane(ACCEPTED) as accepted:
            yield DecisionOutbox(
                REVIEW,
                TENANT,
                self.store,
                Dossiers(self.store, self.another_vault()),
                self.facts.append,
                status=status,
                accepted=accepted,
                now_ms=self.clock,
            )

    async def tell(self, until: Callable[[], bool] | None = None) -> None:
        """Run the outbox until nothing is left to tell, or until something else."""
        over = until or (lambda: self.store.cases.untold_count() == 0)
        stop = asyncio.Event()
        async with self.outbox() as outbox:
            running = asyncio.create_task(outbox.run(stop))
            async with asyncio.timeout(60):
                while not over() and not running.done():  # noqa: ASYNC110 - what is waited for is in a database
                    await asyncio.sleep(0.01)
            stop.set()
            await running

    def seen(self, topic: str) -> Seen:
        """Return what any reader can check, from the bytes alone; fails on contradictions."""
        sessions = [each for lane in self.topics.records(SESSIONS).values() for each in lane]
        found = look(sessions, self.topics.records(topic))
        found.sessions = {key: each for key, each in found.sessions.items() if each.topic == topic}
        found.closes = {key: each for key, each in found.closes.items() if key in found.sessions}
        return found

    def raw(self, topic: str) -> list[Sent]:
        """Return every record of an event in the order of its partition, copies and all, opened."""
        sessions = self.seen(topic).sessions
        found = []
        for records in self.topics.records(topic).values():
            for key, value in records:
                if key.startswith(b"checkpoint/"):
                    continue
                event = sealed_events.parse(value)
                header = headers.decode(event.header)
                opened = {}
                for section in event.sections:
                    name = section.audience
                    if section.ciphertext is not None:
                        secret = open_session(sessions[header.session], name, keep_secret(name))
                        opened[name] = open_section(secret, event.header, name, section.ciphertext)
                found.append(Sent(header, event.leaf(), opened))
        return found
