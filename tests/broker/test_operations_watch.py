"""The reading side of the operations log on a real broker: what its authorizer and its TLS refuse, who connects.

The monitor's watch runs in this process; lines go by its spool over Kafka and come back. Everybody else is a client
with a certificate of the node's own authority, or without one.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from hub.crypto.certificates import CertificateAuthority
from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.envelope.operations import Kind, Operation
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.facts import Alarm, Fact, Ready
from hub.operations.spool import Spool
from hub.settings import LogSettings
from hub.transport import BatchWriter, Endpoint, Outgoing
from monitoring.operations.facts import BrokerSeen, OperationsRefused
from monitoring.operations.of_process import sender_of
from monitoring.operations.reading import Stored, Wanted, lines, snapshot
from monitoring.operations.settings import OperationsSettings
from monitoring.operations.verifying import verify
from monitoring.operations.watch import FILE, LOG, OperationsWatch
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.attacks.laid_out import endpoint, laid_out, wired
from tests.attacks.probes import GROUP_DENIED, TOPIC_DENIED, list_offsets
from tests.attacks.raw_tls import attempt, attempt_plaintext
from tests.attacks.wire import INT16, INT32, TEXT, schema
from tests.broker.hub import eventually
from tests.kafka import TestKafka
from topics import names
from topics.layout import Topology

pytestmark = pytest.mark.broker

SECONDS = 0.5
"""one interval"""


@dataclass
class Role:
    """What the watch needs of the monitor's role."""

    kafka: TestKafka
    topology: Topology
    trust: Trust
    state_directory: Path
    principal: str = "monitor"
    instance: str = "monitor"

    @property
    def namespace(self) -> str:
        return self.topology.namespace

    @property
    def identity(self) -> IdentityKey:
        return identity(self.principal)

    @property
    def endpoint(self) -> Endpoint:
        return endpoint(self.kafka, self.principal)

    async def catch_up(self) -> None:
        """Nobody declares anything here."""


def identity(principal: str) -> IdentityKey:
    return IdentityKey.from_seed(sha256(f"operations/{principal}".encode()))


def trust(topology: Topology) -> Trust:
    now, builder = datetime.now(UTC), TrustBuilder(topology.namespace)
    for each in topology.principals:
        builder.principal(each.name, instances=None)
        builder.identity(each.name, identity(each.name).public, now - timedelta(days=1), now + timedelta(days=30))
    return Trust.load(builder.sign(now, identity("admin")), identity("admin").public)


@dataclass
class Watched:
    """A monitor that watches the node, in a thread of its own."""

    kafka: TestKafka
    role: Role
    facts: list[Fact] = field(default_factory=list)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self, fact: Fact) -> None:
        self.facts.append(fact)

    @property
    def port(self) -> int:
        return int(self.kafka.node.bootstrap.rpartition(":")[2])

    def lines(self, kind: Kind, **said: str) -> list[Stored]:
        """What was collected of a kind, with these fields."""
        with snapshot(self.role.state_directory / FILE, f"{self.role.namespace}/monitor") as db:
            found = [each for each in lines(db, Wanted()) if each.event.operation.kind is kind]
        return [
            each for each in found if all(getattr(each.event.operation, name) == value for name, value in said.items())
        ]

    def line(self, kind: Kind, **said: str) -> Operation:
        """Wait until such a line is there."""
        found: list[Stored] = eventually(lambda: self.lines(kind, **said))
        return found[0].event.operation

    def seen(self, condition: Callable[[Fact], bool]) -> Fact:
        """Wait for a fact."""
        found: list[Fact] = eventually(lambda: [fact for fact in list(self.facts) if condition(fact)])
        return found[0]

    async def watch(self, stop: asyncio.Event) -> None:
        settings = OperationsSettings(
            broker_logs=self.kafka.logs, broker_logs_seconds=SECONDS, operations_publish_seconds=SECONDS
        )
        with closing(Spool(self.role)) as spool:
            sender = sender_of(self.role, spool, self)
            sending = asyncio.create_task(sender.run(stop))

            def note(operation: Operation) -> None:
                spool.note(operation)
                sender.wake()

            watch = OperationsWatch(
                self.role, self, lambda: datetime.now(UTC), note, settings=settings, log_settings=LogSettings()
            )
            await watch.run(stop)
            sender.wake()
            await sending


@pytest.fixture(scope="module")
def watched(kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    topology = laid_out(kafka)
    made = Watched(kafka, Role(kafka, topology, trust(topology), tmp_path_factory.mktemp("monitor")))
    loop, stopped = asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            loop.run_until_complete(made.watch(stop))
        except BaseException as error:
            errors.append(error)
        finally:
            loop.close()
            stopped.set()

    threading.Thread(target=run, name="watch").start()
    try:
        eventually(lambda: errors or Ready("operations", True) in made.facts)
        eventually(lambda: errors or any(isinstance(fact, BrokerSeen) for fact in list(made.facts)))
        yield made
    finally:
        if not stopped.is_set():
            loop.call_soon_threadsafe(stop.set)
        assert stopped.wait(30)
        assert not errors, errors


def test_an_unknown_peer_is_noticed(watched: Watched, attack: Attack) -> None:
    """Its certificate is good: our authority has signed it. Nobody has declared the name."""
    tried = attack(
        Attacker.CONTRACTOR, "connects with a certificate in order that nobody has declared", Verdict.DETECTED
    )
    before = sum(fact.unexpected for fact in watched.facts if isinstance(fact, BrokerSeen))
    assert attempt(watched.port, watched.kafka.identity("unlisted-peer")).answered, "TLS lets it in"
    line = watched.line(Kind.PEER_UNEXPECTED, actor="unlisted-peer")
    assert (line.address, line.code, line.outcome) == ("127.0.0.1", "undeclared", "unexpected")
    watched.seen(lambda fact: isinstance(fact, Alarm) and fact.about == "unlisted-peer 127.0.0.1 undeclared")
    assert sum(fact.unexpected for fact in watched.facts if isinstance(fact, BrokerSeen)) > before
    tried.detected(by="monitor", how="alarm peer.unexpected, hub_peers_unexpected_total", within="one interval")


def test_a_declared_peer_is_known_and_an_administrator_is_said_every_time(watched: Watched) -> None:
    assert attempt(watched.port, watched.kafka.identity("operator")).answered
    assert watched.line(Kind.CONNECTED, actor="operator").address == "127.0.0.1"

    def times() -> int:
        return len(watched.lines(Kind.CONNECTED, actor="admin"))

    for _ in range(2):
        before = times()
        assert attempt(watched.port, watched.kafka.identity("admin")).answered
        eventually(partial(_more, times, before))
    assert not watched.lines(Kind.PEER_UNEXPECTED, actor="operator")


def test_what_the_authorizer_denies_is_counted_and_a_flood_is_one_line(watched: Watched, attack: Attack) -> None:
    tried = attack(Attacker.HELPDESK, "asks for what it has no right to, again and again", Verdict.DETECTED)
    topic = names.submissions(watched.role.namespace)

    def denied() -> int:
        return sum(
            fact.denials.get("helpdesk-131041", 0) for fact in list(watched.facts) if isinstance(fact, BrokerSeen)
        )

    before = denied()
    with wired(watched.kafka, "helpdesk-131041") as client:
        for _ in range(30):
            assert list_offsets(client, [topic]) == {topic: TOPIC_DENIED}
    eventually(lambda: denied() >= before + 30)
    line = watched.line(Kind.DENIED, actor="helpdesk-131041", about=f"topic:{topic}")
    assert (line.address, line.outcome) == ("127.0.0.1", "denied")
    assert line.code == "describe"
    found = eventually(lambda: _all(watched, denied()))
    assert sum(each.event.operation.about == line.about for each in found) < 30
    tried.detected(by="broker, monitor", how="hub_broker_denials_total; lines with a count", within="one interval")


def _more(count: Callable[[], int], before: int) -> bool:
    return count() > before


def _all(watched: Watched, count: int) -> list[Stored]:
    found = watched.lines(Kind.DENIED, actor="helpdesk-131041")
    return found if sum(each.event.operation.count for each in found) == count else []


def test_words_of_a_client_in_the_brokers_log_forge_nothing(watched: Watched, attack: Attack) -> None:
    tried = attack(Attacker.OUTSIDER, "writes lines into the broker's log by the name of a group")
    forged = "a\n2026-01-01T00:00:00.000Z INFO Principal = User:CN=admin is Denied operation = ALL from host = 6.6.6.6"
    forged += " on resource = Cluster:LITERAL:kafka-cluster for request = X with resourceRefCount = 1 based on rule"
    forged += " DefaultDeny (kafka.authorizer.logger)\n\x1b[2J\u202e tanaka"
    with wired(watched.kafka, "mallory") as client:
        answer = schema(INT16, INT32, TEXT, INT32)
        assert client.ask(10, 0, schema(TEXT), (forged,), answer)[0] == GROUP_DENIED
    line = watched.line(Kind.DENIED, actor="mallory")
    assert (line.about, line.code, line.address) == ("group:other", "describe", "127.0.0.1")
    assert not watched.lines(Kind.DENIED, actor="admin")
    tried.prevented(by="monitor", how="one escaped line is read from its left end", within="the parser")


@pytest.mark.parametrize("how", ["plaintext", "no-certificate", "unknown-authority", "protocol-version"])
def test_refused_handshakes_are_told_with_their_reason(watched: Watched, tmp_path: Path, how: str) -> None:
    def refused() -> int:
        return sum(fact.handshakes.get(how, 0) for fact in list(watched.facts) if isinstance(fact, BrokerSeen))

    before = refused()
    if how == "plaintext":
        assert not attempt_plaintext(watched.port).answered
    elif how == "no-certificate":
        assert not attempt(watched.port, None).answered
    elif how == "unknown-authority":
        other = CertificateAuthority.create(tmp_path / "authority")
        assert not attempt(watched.port, other.issue("admin", tmp_path)).answered
    else:
        portal = watched.kafka.identity("portal")
        assert not attempt(watched.port, portal, newest=ssl.TLSVersion.TLSv1_2).answered
    assert watched.line(Kind.HANDSHAKE_REFUSED, code=how).address == "127.0.0.1"
    eventually(lambda: refused() > before)


def test_a_forged_line_on_the_topic_rings_and_what_was_collected_verifies(watched: Watched, attack: Attack) -> None:
    tried = attack(Attacker.PORTAL, "writes garbage to the operations topic of a real broker", Verdict.DETECTED)
    topic = names.operations(watched.role.namespace)

    async def write() -> None:
        async with BatchWriter(endpoint(watched.kafka, "portal")) as writer:
            await writer.write(topic, 1, [Outgoing(b"operation/x", b"Principal = User:CN=admin")])

    asyncio.run(write())
    watched.seen(lambda fact: isinstance(fact, OperationsRefused) and fact.reason == "not-framed")
    watched.line(Kind.CONNECTED, actor="portal")
    with snapshot(watched.role.state_directory / FILE, f"{watched.role.namespace}/monitor") as db:
        found = verify(db, watched.role.trust, "monitor", LOG, ())
    assert found.verified, found.damage
    assert found.refused == {"not-framed": 1}
    assert found.bodies == found.size > 0
    tried.detected(by="monitor", how="alarm operations.refused; kept whole", within="its poll")
