"""A flood of lines becomes a few; who may come from where; what names nobody names nobody."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from hub.envelope.operations import Kind, OperationEvent
from monitoring.operations.broker_lines import OTHER, Connected, Denied, HandshakeRefused, Passed, Seen, Unread
from monitoring.operations.peers import Expected, Peer, judge_peer
from monitoring.operations.settings import OperationsSettings, read_peers
from monitoring.operations.tally import MAX_KEYS, MAX_PAIRS, SUMMARY_SECONDS, Connections, Tally
from tests.unit.monitoring.operations.world import MONITOR, NS, identity

NOW = datetime(2030, 1, 15, 3, 0, tzinfo=UTC)
EXPECTED = Expected({"portal": 1, "router": 2, "admin": 0}, read_peers("admin=10.9.0.0/24,fd00::/64"))
DECLARED = {"eltax.submissions"}


def tally(*seen: Seen, learned: dict[str, set[str]] | None = None) -> Tally:
    made = Tally(NOW, EXPECTED, learned or {}, DECLARED)
    for each in seen:
        made.add(each)
    return made


def denied(principal: str = "portal", resource: str = "eltax.submissions", address: str = "10.0.0.1") -> Denied:
    return Denied(None, principal, "write", "topic", resource, address)


def test_the_same_denial_many_times_is_one_line_with_a_count() -> None:
    made = tally(*[denied()] * 5_000)
    (line,) = made.operations()
    assert (line.kind, line.outcome, line.actor, line.address) == (Kind.DENIED, "denied", "portal", "10.0.0.1")
    assert (line.about, line.code, line.count, line.occurred_at) == ("topic:eltax.submissions", "write", 5_000, NOW)
    assert made.fact().denials == {"portal": 5_000}


def test_a_flood_of_different_denials_is_bounded_and_counted_to_the_last() -> None:
    made = tally(*[denied(f"p{number}", address=f"10.0.{number % 250}.{number // 250}") for number in range(9_000)])
    lines = made.operations()
    assert len(lines) == MAX_KEYS + 1
    assert sum(line.count for line in lines) == 9_000
    assert made.fact().denials == {OTHER: 9_000}, "labels are of declared principals only"


def test_a_resource_that_nobody_declared_is_not_named() -> None:
    (line,) = tally(denied(resource="tanaka 1234")).operations()
    assert line.about == "topic:other"


def test_every_line_can_be_written() -> None:
    made = tally(
        denied("x" * 64),
        denied(OTHER, address=OTHER),
        denied("1234567890123"),
        HandshakeRefused(NOW, "10.0.0.7", "no-certificate"),
        Connected(NOW, OTHER, OTHER),
        Connected(NOW, "mallory", "10.0.0.7"),
    )
    lines = [*made.operations(), *Connections().take(made.connected, (), NOW, 0.0)]
    assert len(lines) == 6
    for line in lines:
        event = OperationEvent(MONITOR, "m", NS, bytes(16), 0, bytes(32), line)
        read, _ = OperationEvent.parse(event.sign(identity(MONITOR)))
        assert read.operation.actor in ("x" * 64, "", "withheld", "mallory")


def test_numbers_of_an_interval() -> None:
    refused = [HandshakeRefused(NOW, "10.0.0.7", "plaintext")] * 3
    made = tally(*refused, Unread(), Passed(), Connected(NOW, "mallory", "10.0.0.7"))
    fact = made.fact()
    assert (fact.handshakes, fact.unexpected, fact.unread, fact.denials) == ({"plaintext": 3}, 1, 1, {})
    assert made.met == {}
    assert {line.kind for line in made.operations()} == {Kind.HANDSHAKE_REFUSED, Kind.PEER_UNEXPECTED}


@pytest.mark.parametrize(
    ("principal", "address", "learned", "peer"),
    [
        ("portal", "10.0.0.1", set(), Peer.NEW),
        ("portal", "10.0.0.1", {"10.0.0.1"}, Peer.KNOWN),
        ("portal", "10.0.0.2", {"10.0.0.1"}, Peer.ADDRESS),
        ("router", "10.0.0.2", {"10.0.0.1"}, Peer.NEW),  # it has two instances
        ("router", "10.0.0.3", {"10.0.0.1", "10.0.0.2"}, Peer.ADDRESS),
        ("admin", "10.9.0.200", set(), Peer.NEW),
        ("admin", "10.9.0.200", {"10.9.0.200"}, Peer.KNOWN),
        ("admin", "10.9.1.1", {"10.9.1.1"}, Peer.ADDRESS),  # what is configured holds, whatever was learned
        ("admin", "fd00::1", set(), Peer.NEW),
        ("admin", OTHER, set(), Peer.ADDRESS),
        ("broker", "10.0.0.9", set(), Peer.NEW),
        ("mallory", "10.0.0.1", set(), Peer.UNDECLARED),
        (OTHER, "10.0.0.1", set(), Peer.UNDECLARED),
    ],
)
def test_who_may_come_from_where(principal: str, address: str, learned: set[str], peer: Peer) -> None:
    assert judge_peer(principal, address, EXPECTED, learned) is peer
    assert peer.unexpected == (peer in (Peer.UNDECLARED, Peer.ADDRESS))


def test_within_one_interval_only_the_first_address_is_learned() -> None:
    made = tally(*[Connected(NOW, "portal", f"10.0.0.{number}") for number in (1, 2, 1, 3)])
    assert list(made.met) == [("portal", "10.0.0.1")]
    assert made.fact().unexpected == 2
    again = tally(Connected(NOW, "portal", "10.0.0.2"), learned={"portal": {"10.0.0.1"}})
    assert again.fact().unexpected == 1, "an address that rang is not learned by ringing"


def test_a_known_peer_is_said_once_in_a_while_and_a_super_user_always() -> None:
    connections = Connections()
    pairs = Counter({("portal", "10.0.0.1"): 2, ("admin", "10.9.0.1"): 1})
    assert [line.count for line in connections.take(pairs, ("admin",), NOW, 0.0)] == [2, 1]
    assert [line.actor for line in connections.take(pairs, ("admin",), NOW, 10.0)] == ["admin"]
    assert connections.take(Counter(), ("admin",), NOW, SUMMARY_SECONDS - 1) == []
    (line,) = connections.take(Counter(), ("admin",), NOW, SUMMARY_SECONDS)
    assert (line.kind, line.actor, line.count) == (Kind.CONNECTED, "portal", 2)


def test_connections_are_remembered_within_a_bound() -> None:
    connections = Connections()
    for number in range(MAX_PAIRS + 50):
        connections.take(Counter({("portal", f"10.{number // 250}.0.{number % 250}"): 1}), (), NOW, float(number) / 1e4)
    assert len(connections._said) == MAX_PAIRS


@pytest.mark.parametrize(
    "text", ["portal", "=10.0.0.1", "portal=", "portal=x", "portal=10.0.0.1;portal=10.0.0.2", "P=::1"]
)
def test_peers_that_cannot_be_read_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PEERS", text)
    with pytest.raises(ValueError, match="peers"):
        OperationsSettings()


def test_settings_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_OPERATIONS_RETENTION_ACCESS", "3650")
    monkeypatch.setenv("HUB_PEERS", " portal=10.0.0.0/8 , 192.0.2.1 ; ")
    found = OperationsSettings()
    days = {kind.value: each for kind, each in found.retention_days.items()}
    assert days == {"system": 365, "network": 1_095, "access": 3_650, "administration": 1_825}
    assert [str(each) for each in found.networks["portal"]] == ["10.0.0.0/8", "192.0.2.1/32"]
    monkeypatch.setenv("HUB_OPERATIONS_RETENTION_ACCESS", "1")
    with pytest.raises(ValueError, match="retention_access"):
        OperationsSettings()
