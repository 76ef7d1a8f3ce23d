"""Roles with artificial keys that write lines, and a monitor that keeps them. Nobody here exists."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.envelope.operations import FIRST, Class, Kind, Operation, OperationEvent, line_hash
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.facts import Fact
from hub.operations.sender import partition_of
from hub.transport import KafkaRecord
from monitoring.operations.judging import Report, judged
from monitoring.operations.keeping import Batch, Item, Kept
from monitoring.operations.retention import DEFAULT_DAYS
from monitoring.operations.store import OperationsStore
from monitoring.operations.watch import FILE, signer_of
from topics import names
from topics.declaration import load
from topics.expanding import expand
from topics.layout import Topology

NS = "rehearsal"
TENANT = "131041"
DESK, MONITOR, PORTAL = f"review-{TENANT}", "monitor", "portal"
NOW = datetime(2030, 1, 15, 3, 0, tzinfo=UTC)
OPERATIONS = names.operations(NS)
LANES = 3
TOPOLOGY = expand(load(), NS, partitions=2)


def identity(principal: str) -> IdentityKey:
    return IdentityKey.from_seed(sha256(f"operations/{principal}".encode()))


def builder(*, without: str = "") -> TrustBuilder:
    made = TrustBuilder(NS)
    for each in TOPOLOGY.principals:
        if each.name != without:
            made.principal(each.name, instances=None)
            made.identity(each.name, identity(each.name).public, NOW - timedelta(days=900), NOW + timedelta(days=9_000))
    return made


def trust(*, without: str = "") -> Trust:
    key = identity("administrator's own")
    return Trust.load(builder(without=without).sign(NOW, key), key.public)


TRUST = trust()


@dataclass
class Log:
    """One role's log as its spool writes it."""

    principal: str = DESK
    instance: str = "a"
    id: bytes = b"\x00\x00\x00\x01 the desk's log"[:16]
    at: int = 0
    previous: bytes = FIRST
    values: list[bytes] = field(default_factory=list)

    def write(self, kind: Kind = Kind.VIEWED, *, at: datetime = NOW, **said: Any) -> bytes:
        """Sign the next line."""
        return self.say(Operation(kind, at, **said))

    def say(self, operation: Operation) -> bytes:
        event = OperationEvent(self.principal, self.instance, NS, self.id, self.at, self.previous, operation)
        value = event.sign(identity(self.principal))
        self.at, self.previous = self.at + 1, line_hash(value)
        self.values.append(value)
        return value

    def branch(self) -> Log:
        """The same log, as a copy of its file goes on with it."""
        return Log(self.principal, self.instance, self.id, self.at, self.previous, list(self.values))


def record(
    value: bytes | None, offset: int = 0, *, partition: int | None = None, key: bytes | None = None
) -> KafkaRecord:
    """A record as it lies on the topic: where its log belongs, if nothing else is said."""
    if key is None and value is not None:
        event = OperationEvent.parse(value)[0]
        key, partition = event.key.encode(), partition_of(event.log, LANES) if partition is None else partition
    return KafkaRecord(OPERATIONS, 1 if partition is None else partition, offset, to_ms(NOW), key, value)


@dataclass
class Monitor:
    """What the collector needs of a role, and a store of it."""

    directory: Path
    principal: str = MONITOR
    instance: str = "m"
    namespace: str = NS
    endpoint: Any = None
    trust: Trust = TRUST
    newer: Trust | None = None
    topology: Topology = TOPOLOGY
    facts: list[Fact] = field(default_factory=list)
    asked: int = 0

    @property
    def identity(self) -> IdentityKey:
        return identity(self.principal)

    @property
    def state_directory(self) -> Path:
        return self.directory

    @property
    def file(self) -> Path:
        return self.directory / FILE

    async def catch_up(self) -> None:
        self.asked += 1
        self.trust = self.newer or self.trust

    def open(self, days: dict[Class, int] | None = None) -> OperationsStore:
        return OperationsStore(
            self.file, f"{NS}/{MONITOR}", MONITOR, signer_of(self), days or dict(DEFAULT_DAYS), to_ms(NOW)
        )


class Keeper:
    """Gives records to a store as the collector does, one batch a call."""

    def __init__(self, store: OperationsStore, next_offset: int | None = None) -> None:
        self.store, self.next = store, next_offset

    def keep(self, *values: bytes | None, at: datetime = NOW, key: bytes | None = None) -> Kept:
        first = self.next or 0
        records = [record(value, first + number, key=key) for number, value in enumerate(values)]
        items = []
        for each in records:
            found = judged(each, TRUST, LANES)
            assert not isinstance(found, Report)
            items.append(Item(each.topic, each.partition, each.offset, each.key, each.value, found))
        move = ((OPERATIONS, 1), self.next, first + len(values))
        kept = self.store.keep(Batch(to_ms(at), (move,), items))
        self.next = first + len(values)
        return kept
