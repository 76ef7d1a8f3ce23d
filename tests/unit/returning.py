"""What comes back and what goes on: a review desk with real keys seals status and accepted events; topics are lists.

Session registry, audience directory, judging and opening are the real ones; only Kafka's client is replaced
(the fixture `cluster`). Nobody here exists.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.identity import IdentityKey
from hub.crypto.keystore import KeyEntry
from hub.envelope.header import Cause, Check
from hub.envelope.letters import Content, DeadLetter, open_quarantine
from hub.envelope.names import parse_topic
from hub.envelope.records import AudienceKey, Checkpoint, CheckpointEntry, StoredEvent, StoredReceipt
from hub.envelope.session import SessionSecrets
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds, to_ms
from hub.envelope.trust import Right, Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.facts import Fact
from hub.transport import KafkaRecord
from schemas.decisions import DecisionRecord, encode_accepted
from schemas.generator import generate
from schemas.parts import ATTACHMENT_PART, LargeAttachment, Part, PartName, name_large, parts_of
from schemas.sections import review_section
from schemas.submission import parse
from schemas.submission_model import Attachment, Submission
from tests.unit.cluster import KEYS, NAMESPACE, NOW, SESSIONS, TENANT, Cluster, cluster
from topics import names
from topics.declaration import load
from topics.expanding import expand
from topics.layout import Topology
from topics.names import in_generation
from topics.partition import partition_for

__all__ = ["SESSIONS", "Cluster", "cluster"]
PARTITIONS = 2
EPOCH = 203001
RESIDENT, TOBACCO = f"tax-resident-tax-{TENANT}", f"tax-tobacco-tax-{TENANT}"
REVIEW, HELPDESK, PORTAL = f"review-{TENANT}", f"helpdesk-{TENANT}", "portal"
PRINCIPALS = ("admin", "operator", PORTAL, REVIEW, HELPDESK, RESIDENT, TOBACCO)
AUDIENCES = ("quarantine", PORTAL, HELPDESK, RESIDENT, TOBACCO)
STATUS, ACCEPTED = names.status(NAMESPACE, TENANT), names.accepted(NAMESPACE, TENANT)


def uuid7(number: int) -> str:
    return f"0190f3d4-0000-7000-8000-{number:012x}"


def leaf(number: int) -> bytes:
    return number.to_bytes(32, "big")


def submission(number: int, *attachments: Attachment) -> Submission:
    """A generated filing with a receipt number of its own."""
    (document,) = generate(number, 1, (TENANT,))
    found = parse(json.dumps(document, ensure_ascii=False).encode(), rehearsal=True)
    assert isinstance(found, Submission), found
    return replace(found, receipt_number=f"R12-99999-{number:09d}", attachments=attachments)


@dataclass
class MemoryKeys:
    """A role's key store."""

    held: dict[tuple[str, int, bytes], AudiencePrivateKey] = field(default_factory=dict)

    def list(self) -> Sequence[KeyEntry]:
        return [KeyEntry(*place) for place in self.held]

    def load_audience(self, audience: str, epoch: int, key_id: bytes | None = None) -> AudiencePrivateKey:
        assert key_id is not None
        return self.held[audience, epoch, key_id]


@dataclass
class FakeRole:
    """A role directory in memory; `endpoint` is the cluster."""

    principal: str
    endpoint: Any
    topology: Topology
    trust: Trust
    keystore: Any
    namespace: str = NAMESPACE
    newer: Trust | None = None
    """the trust list that the role learns of when it asks"""

    async def catch_up(self) -> None:
        await asyncio.sleep(0)
        self.trust = self.newer or self.trust


class World:
    """Identities, a trust file, published audience keys, and roles of everybody."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.facts: list[Fact] = []
        self.identities = {name: IdentityKey.generate() for name in PRINCIPALS}
        self.private: dict[tuple[str, int], AudiencePrivateKey] = {}
        self.published: dict[tuple[str, int], AudienceKey] = {}
        self.admin = self.identities["admin"]
        self.trust = self.trust_of(self.identities)
        self.topology = expand(load(None), NAMESPACE, partitions=PARTITIONS)
        for name in AUDIENCES:
            self.publish(name)
        self.wall = NOW

    def trust_of(self, identities: Mapping[str, IdentityKey], *producers: str) -> Trust:
        """A trust list with these identities; the review desk and `producers` may produce what desks do."""
        builder = TrustBuilder(NAMESPACE)
        for name, identity in identities.items():
            builder.identity(name, identity.public, NOW - timedelta(days=30), NOW + timedelta(days=60))
        for name in (REVIEW, *producers):
            builder.principal(name, may_produce=[Right("status"), Right("accepted")])
        for name in AUDIENCES:
            builder.audience(name, owner="operator" if name == "quarantine" else name, suites=[Suite.X25519])
        return Trust.load(builder.sign(NOW, self.admin), self.admin.public)

    def publish(self, audience: str, epoch: int = EPOCH, *, announce: bool = True) -> AudienceKey:
        """Make an audience key of a month and (`announce`) publish it, signed by its owner and the administrator."""
        private = AudiencePrivateKey.generate(Suite.X25519)
        record = AudienceKey(audience, epoch, private.key_id, Suite.X25519, private.public, *epoch_bounds(epoch))
        self.private[audience, epoch] = private
        self.published[audience, epoch] = record
        if announce:
            self.announce(record)
        return record

    def announce(self, record: AudienceKey) -> None:
        owner = "operator" if record.audience == "quarantine" else record.audience
        value = sign(AudienceKey.RECORD, record.encode(), self.identities[owner], self.admin)
        self.cluster.append(KEYS, 0, record.key.encode(), value)

    def keys(self, audience: str) -> MemoryKeys:
        mine = {(name, epoch): key for (name, epoch), key in self.private.items() if name == audience}
        return MemoryKeys({(name, epoch, key.key_id): key for (name, epoch), key in mine.items()})

    def role(self, principal: str) -> FakeRole:
        """The role of a principal, with its own keys alone."""
        return FakeRole(principal, self.cluster, self.topology, self.trust, self.keys(principal))

    def letters(self, principal: str) -> list[tuple[DeadLetter, Content]]:
        """Dead letters of a principal, opened by the operator."""
        topic = names.dead_letters(NAMESPACE, principal)
        found = [DeadLetter.decode(r.value or b"") for r in self.on(topic)]
        return [(each, open_quarantine(each, self.private["quarantine", EPOCH])) for each in found]

    def on(self, topic: str) -> list[KafkaRecord]:
        return [r for (name, _), lane in sorted(self.cluster.records.items()) if name == topic for r in lane]

    def told(self, kind: type[Fact]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


class Desk:
    """The review desk's session on one topic (`status` or `accepted`)."""

    def __init__(
        self, world: World, topic: str, *, signer: str = REVIEW, announce: bool = True, epoch: int = EPOCH
    ) -> None:
        audiences = (PORTAL, HELPDESK) if in_generation(topic, 1) == STATUS else (RESIDENT, TOBACCO)
        self.world, self.topic = world, topic
        self.at = max(NOW, epoch_bounds(epoch)[0] + timedelta(minutes=5))
        self.secrets = SessionSecrets.create(
            producer=signer,
            instance="a",
            topic=topic,
            tenant=TENANT,
            created_at=self.at - timedelta(minutes=1),
            expires_at=self.at + timedelta(hours=1),
            audiences=[world.published[name, epoch] for name in audiences],
            identity=world.identities[signer],
        )
        self.sequences: dict[int, int] = defaultdict(int)
        self.number = 1_000
        if announce:
            self.announce()

    def announce(self) -> None:
        name = parse_topic(self.topic)
        assert name is not None
        self.world.cluster.append(name.of("sessions"), 0, self.secrets.session.key.encode(), self.secrets.signed)

    def send(
        self,
        about: Submission,
        sections: Mapping[str, bytes],
        *,
        tax_item: str | None = None,
        procedure: str | None = None,
        damage: int | None = None,
        cause: int = 1,
        partition: int | None = None,
    ) -> KafkaRecord:
        """Seal an event and put it on the topic; `damage` flips a bit of the byte that is so far from the end."""
        self.number += 1
        at = partition_for(about.receipt_number, self.world.topology.partitions_of[self.topic])
        header = self.secrets.header(
            partition=at,
            sequence=self.sequences[at],
            event_id=uuid7(self.number),
            receipt_number=about.receipt_number,
            procedure=procedure or about.procedure,
            procedure_version=1,
            tax_item=tax_item,
            accepted_at_ms=to_ms(NOW),
            produced_at_ms=to_ms(self.at),
            calculation_check=Check.PASSED,
            signature_check=Check.NOT_PERFORMED,
            cause=Cause(uuid7(cause), leaf(cause)),
        )
        self.sequences[at] += 1
        out = self.secrets.seal(header, sections)
        value = bytearray(out.value)
        if damage is not None:
            value[-damage] ^= 1
        where = at if partition is None else partition
        return self.world.cluster.append(self.topic, where, out.event_id.encode(), bytes(value))

    def again(self, record: KafkaRecord) -> KafkaRecord:
        """Send the same bytes again, as after a crash or as a replayed dead letter."""
        return self.world.cluster.append(record.topic, record.partition, record.key, record.value)

    def decide(
        self, about: Submission, *, revision: int = 1, decision: str = "accept", **changes: Any
    ) -> DecisionRecord:
        """The record of a decision, by itself."""
        record = DecisionRecord(
            about.receipt_number,
            TENANT,
            about.procedure,
            revision,
            decision,
            "complete",
            "架空の通知",
            ("resident-tax",),
            None,
            to_ms(NOW),
        )
        return replace(record, **changes)

    def status(self, about: Submission, *, cause: int = 1, **changes: Any) -> KafkaRecord:
        """Tell portal and helpdesk of a decision."""
        record = self.decide(about, **changes)
        return self.send(
            about,
            {PORTAL: record.encode(with_message=True), HELPDESK: record.encode(with_message=False)},
            cause=cause,
        )

    def hand_over(
        self,
        about: Submission,
        team: str = RESIDENT,
        *,
        item: str | None = None,
        large: Sequence[LargeAttachment] = (),
        says: Submission | None = None,
        cause: int = 1,
        header: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> KafkaRecord:
        """Hand a submission over; `says` is what stands in the section if it is not the same."""
        tax_item = item or team.removeprefix("tax-").rpartition("-")[0]
        record = self.decide(about, **changes)
        section = None if record.decision == "revoke" else review_section(says or about)
        framed = encode_accepted(record, tax_item, section, large)
        options: dict[str, Any] = {"tax_item": tax_item, **(header or {})}
        return self.send(about, {team: framed}, cause=cause, **options)

    def part(self, part: Part, about: Submission, team: str = RESIDENT, **options: Any) -> KafkaRecord:
        """Hand over one part of an attachment."""
        item = team.removeprefix("tax-").rpartition("-")[0]
        return self.send(about, {team: part.encode()}, tax_item=item, procedure=ATTACHMENT_PART, **options)

    def parts(self, about: Submission, position: int = 0) -> tuple[Submission, LargeAttachment, list[KafkaRecord]]:
        """Hand an attachment over in parts; return the submission without it, and what names the parts."""
        records = [self.part(each, about) for each in parts_of(about, position)]
        large = name_large(about, position, [self.name(record) for record in records])
        kept = tuple(
            replace(each, content=b"") if number == position else each for number, each in enumerate(about.attachments)
        )
        return replace(about, attachments=kept), large, records

    def name(self, record: KafkaRecord) -> PartName:
        """The event id and leaf of a record."""
        from hub.envelope.sealed import parse as parse_sealed

        assert record.key is not None and record.value is not None
        return PartName(record.key.decode(), parse_sealed(record.value).leaf())

    def checkpoint(self, partition: int = 0) -> KafkaRecord:
        """An empty, valid checkpoint."""
        body = Checkpoint(self.secrets.session.id, partition, 0, (CheckpointEntry(leaf(9), False),), None, NOW).encode()
        value = sign(Checkpoint.RECORD, body, self.world.identities[REVIEW])
        return self.world.cluster.append(self.topic, partition, Checkpoint.decode(body).key.encode(), value)

    def receipt(self, *events: StoredEvent, signer: str = REVIEW) -> bytes:
        """A signed receipt of the portal's events."""
        body = StoredReceipt(b"\x07" * 32, 0, TENANT, signer, events, NOW).encode()
        return sign(StoredReceipt.RECORD, body, self.world.identities[signer])
