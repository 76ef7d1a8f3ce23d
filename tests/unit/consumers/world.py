"""A small world for the desks: real keys, trust file, sessions, sealed events and their routed copies.

Everybody in it is artificial. Topics are lists; `hub.transport` against a real Kafka is in tests/broker.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consumers.engine import Clocks, Engine, Limits
from consumers.letters import Letters
from consumers.own_keys import OwnKeys
from consumers.store.sql import SqlStore, open_sqlite
from consumers.store.vault import Vault
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.identity import IdentityKey
from hub.crypto.keystore import KeyEntry
from hub.crypto.random import system_random
from hub.envelope.header import Check, EventHeader
from hub.envelope.inspection import STRIPPED, Expect, routed_to
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.records import (
    AudienceKey,
    Checkpoint,
    CheckpointEntry,
    ClosedPartition,
    DeadLetterNotice,
    Session,
    SessionClose,
)
from hub.envelope.sealed import outputs, parse
from hub.envelope.session import SealedOut, SessionSecrets
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds, to_ms
from hub.envelope.trust import Right, Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.facts import Fact
from hub.reading.at_hand import SessionsAtHand
from hub.reading.intake import Expectation, Intake
from hub.reading.secrets import OwnSecrets
from hub.transport import BrokerUnavailable, KafkaRecord, Outgoing
from topics import names
from topics.partition import partition_for

NAMESPACE = "rehearsal"
TENANT = "999997"
PARTITIONS = 3
EPOCH = 203001
NOW = datetime(2030, 1, 15, 3, 0, tzinfo=UTC)
NOW_MS = to_ms(NOW)
REVIEW, HELPDESK, AUDIT = f"review-{TENANT}", f"helpdesk-{TENANT}", f"audit-{TENANT}"
STATUS = names.status(NAMESPACE, TENANT)
PRINCIPALS = ("portal", "router", REVIEW, HELPDESK, AUDIT, "operator", "admin")
AUDIENCES = ("router", REVIEW, HELPDESK, "quarantine")


def uuid7(number: int) -> str:
    return f"0190f3d4-0000-7000-8000-{number:012x}"


def receipt_number(number: int) -> str:
    return f"R12-99999-{number:09d}"


@dataclass
class MemoryKeys:
    """A role's key store in memory."""

    held: dict[tuple[str, int, bytes], AudiencePrivateKey] = field(default_factory=dict)

    def list(self) -> Sequence[KeyEntry]:
        return [KeyEntry(*place) for place in self.held]

    def load_audience(self, audience: str, epoch: int, key_id: bytes | None = None) -> AudiencePrivateKey:
        assert key_id is not None
        return self.held[audience, epoch, key_id]


@dataclass
class Topics:
    """Topics as lists; one object stands for the cluster."""

    records: dict[tuple[str, int], list[KafkaRecord]] = field(default_factory=lambda: defaultdict(list))
    away: bool = False

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> KafkaRecord:
        lane = self.records[topic, partition]
        lane.append(KafkaRecord(topic, partition, len(lane), NOW_MS, key, value))
        return lane[-1]

    def all(self, topic: str) -> list[KafkaRecord]:
        return [r for (name, _), lane in sorted(self.records.items()) if name == topic for r in lane]


@dataclass
class ListReader:
    """Reads `Topics` from given places."""

    topics: Topics
    places: dict[tuple[str, int], int]

    async def poll(self, max_bytes: int, timeout_ms: int) -> list[KafkaRecord]:
        found: list[KafkaRecord] = []
        size = 0
        for place, start in list(self.places.items()):
            for record in self.topics.records[place][start:]:
                if found and size + record.size > max_bytes:
                    break
                found.append(record)
                size += record.size
                self.places[place] = record.offset + 1
        await asyncio.sleep(0 if found else 0.005)
        return found

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        return {place: len(self.topics.records[place]) for place in self.places}

    async def position(self, place: tuple[str, int]) -> int:
        return self.places[place]


@dataclass
class ListWriter:
    """Writes to `Topics`; `lost_acknowledgements` writes whose answer is lost."""

    topics: Topics
    lost_acknowledgements: int = 0

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        if self.topics.away:
            raise BrokerUnavailable
        offsets = [self.topics.append(topic, partition, r.key, r.value).offset for r in records]
        if self.lost_acknowledgements:
            self.lost_acknowledgements -= 1
            raise BrokerUnavailable
        return offsets


@dataclass
class KnownSessions:
    """Valid sessions; those in `later` are found only by reading on."""

    known: dict[bytes, Session] = field(default_factory=dict)
    later: dict[bytes, Session] = field(default_factory=dict)
    unreachable: bool = False
    asked: int = 0

    async def ensure(self, wanted: Collection[bytes]) -> None:
        if set(wanted) <= self.known.keys():
            return
        self.asked += 1
        if self.unreachable:
            raise BrokerUnavailable
        self.known.update(self.later)

    def find(self, session: bytes) -> Session | Reason:
        return self.known.get(session, Reason.UNKNOWN_SESSION)


class Portal:
    """A portal's session towards one tenant."""

    def __init__(self, world: World, previous: bytes | None = None, tenant: str = TENANT) -> None:
        self.world = world
        self.secrets = SessionSecrets.create(
            producer="portal",
            instance="a",
            topic=names.submissions(world.namespace),
            tenant=tenant,
            created_at=NOW - timedelta(minutes=1),
            expires_at=NOW + timedelta(hours=1),
            audiences=[world.audience_keys[name] for name in AUDIENCES if name != "quarantine"],
            identity=world.identities["portal"],
            previous=previous,
        )
        self.sequences: dict[int, int] = defaultdict(int)
        self.leaves: dict[int, list[bytes]] = defaultdict(list)
        self.chain: dict[int, tuple[int, bytes | None]] = defaultdict(lambda: (0, None))
        world.sessions.known[self.id] = self.secrets.session

    @property
    def id(self) -> bytes:
        return self.secrets.session.id

    def header(self, number: int, **changes: object) -> EventHeader:
        partition = partition_for(receipt_number(number), PARTITIONS)
        made = self.secrets.header(
            partition=partition,
            sequence=self.sequences[partition],
            event_id=uuid7(number),
            receipt_number=receipt_number(number),
            procedure="heir-representative-designation",
            procedure_version=1,
            tax_item=None,
            accepted_at_ms=NOW_MS,
            produced_at_ms=NOW_MS,
            calculation_check=Check.PASSED,
            signature_check=Check.NOT_PERFORMED,
        )
        return made._replace(**changes)  # type: ignore[arg-type]

    def seal(self, number: int, review: bytes = b"review", helpdesk: bytes = b"helpdesk", **changes: object) -> Event:
        header = self.header(number, **changes)
        out = self.secrets.seal(header, {REVIEW: review, HELPDESK: helpdesk})
        self.sequences[header.partition] += 1
        self.leaves[header.partition].append(out.leaf)
        return Event(header, out)

    def checkpoint(self, partition: int, *, void: Collection[int] = ()) -> tuple[bytes, bytes]:
        """Return key and value of the next checkpoint: everything sealed since the last one."""
        first, previous = self.chain[partition]
        leaves = self.leaves[partition][first:]
        entries = tuple(CheckpointEntry(leaf, first + n in void) for n, leaf in enumerate(leaves))
        body = Checkpoint(self.id, partition, first, entries, previous, NOW).encode()
        made = Checkpoint.decode(body)
        self.chain[partition] = (made.next_sequence, made.hash)
        return made.key.encode(), sign(Checkpoint.RECORD, body, self.world.identities["portal"])

    def close(self) -> tuple[bytes, bytes]:
        closed = tuple(
            ClosedPartition(partition, following - 1, last)
            for partition, (following, last) in sorted(self.chain.items())
        )
        body = SessionClose(self.id, closed, NOW).encode()
        record = sign(SessionClose.RECORD, body, self.world.identities["portal"])
        return SessionClose.decode(body).key.encode(), record


@dataclass(frozen=True)
class Event:
    header: EventHeader
    out: SealedOut

    @property
    def key(self) -> bytes:
        return self.out.event_id.encode()

    def copy(self, keep: str | None) -> bytes:
        return outputs(parse(self.out.value), [keep])[0]


class World:
    """Keys, trust, topics, and the router's work done by hand."""

    def __init__(self, directory: Path, namespace: str = NAMESPACE) -> None:
        self.directory = directory
        self.namespace = namespace
        self.topics = Topics()
        self.sessions = KnownSessions()
        self.facts: list[Fact] = []
        self.destroyed: set[int] = set()
        self.missing: set[str] = set()
        self.identities = {name: IdentityKey.generate() for name in PRINCIPALS}
        self.private = {name: AudiencePrivateKey.generate(Suite.X25519) for name in AUDIENCES}
        begin, end = epoch_bounds(EPOCH)
        self.audience_keys = {
            name: AudienceKey(name, EPOCH, key.key_id, Suite.X25519, key.public, begin, end)
            for name, key in self.private.items()
        }
        builder = TrustBuilder(namespace)
        for name, key in self.identities.items():
            builder.identity(name, key.public, NOW - timedelta(days=30), NOW + timedelta(days=30))
        builder.principal("portal", may_produce=[Right("submissions")])
        builder.principal(REVIEW, may_produce=[Right("status"), Right("accepted")])
        for name in AUDIENCES:
            builder.audience(name, owner="operator" if name == "quarantine" else name, suites=[Suite.X25519])
        admin = IdentityKey.generate()
        self.trust = Trust.load(builder.sign(NOW, admin), admin.public)
        self.now_ms = NOW_MS

    def keys(self, audience: str) -> OwnKeys:
        key = self.private[audience]
        held = {} if audience in self.missing else {(audience, EPOCH, key.key_id): key}
        return OwnKeys(audience, MemoryKeys(held))  # type: ignore[arg-type]

    def secrets(self, audience: str) -> OwnSecrets:
        return OwnSecrets(
            audience,
            self.keys(audience)._store,
            announced=lambda epoch: epoch == EPOCH,
            destroyed=self.destroyed.__contains__,
        )

    def store(self, principal: str = REVIEW) -> SqlStore:
        return open_sqlite(self.directory / f"{principal}.db", f"{self.namespace}/{principal}")

    def vault(self, principal: str, store: SqlStore) -> Vault:
        return Vault(f"{self.namespace}/{principal}", self.keys(principal), store.store_key, system_random)

    def letters(self, principal: str) -> Letters:
        topic = names.dead_letters(self.namespace, principal)
        return Letters(principal, topic, lambda: self.audience_keys.get("quarantine"))

    def intake(self, audience: str | None, sessions: SessionsAtHand | None = None) -> Intake:
        expect: Expect = STRIPPED if audience is None else routed_to(audience)
        expectation = Expectation(TENANT, Kind.SUBMISSION, names.submissions(self.namespace), expect, notices=True)
        secrets = self.secrets(audience or REVIEW)
        return Intake(
            audience,
            lambda _: expectation,
            lambda _: PARTITIONS,
            sessions or self.sessions,
            secrets,
            lambda: self.trust,
        )

    def route(self, topic: str, keep: str | None, *events: Event) -> list[KafkaRecord]:
        return [self.topics.append(topic, event.header.partition, event.key, event.copy(keep)) for event in events]

    def notice(self, topic: str, event: Event, reason: Reason = Reason.TENANT_NOT_READY) -> KafkaRecord:
        sealed = parse(event.out.value)
        notice = DeadLetterNotice(TENANT, sealed.header, sealed.digests, reason, NOW)
        value = sign(DeadLetterNotice.RECORD, notice.encode(), self.identities["router"])
        return self.topics.append(topic, event.header.partition, notice.key.encode(), value)

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now_ms, lambda: 0.0)

    def engine(self, name: str, judge: object, store: SqlStore, **limits: object) -> Engine:
        defaults: Mapping[str, object] = {"watch_seconds": 0.01, "poll_timeout_ms": 5, "farewell_seconds": 0.2}
        made = Limits(**{**defaults, **limits})  # type: ignore[arg-type]
        return Engine(name, judge, store, self.facts.append, self.clocks(), made)  # type: ignore[arg-type]

    def reader(self, topics: Collection[str], places: Mapping[tuple[str, int], int]) -> ListReader:
        wanted = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        return ListReader(self.topics, {place: places.get(place, 0) for place in wanted})

    def told(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]
