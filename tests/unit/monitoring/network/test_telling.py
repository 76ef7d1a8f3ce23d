"""What the monitor's part tells of its rounds: what is open or unknown, who is silent. With a clock of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.envelope.trust import Trust
from hub.facts import Alarm, Fact
from hub.settings import WatchSettings
from hub.transport import TlsIdentity
from monitoring.network.controls import Round
from monitoring.network.facts import ControlJudged, ListenerUndeclared, PathHeard, RoundEnded
from monitoring.network.judgement import Control, Tried, Verdict
from monitoring.network.watch import Found, NetworkWatch
from monitoring.prometheus.scrape import targets
from tests.unit.monitoring.network.peers import Behaviour, Place, over_tls, peer, says
from tests.unit.monitoring.network.test_own_path import answers
from tests.unit.monitoring.network.test_rules import TOPOLOGY, trust
from topics.layout import Topology
from topics.names import endpoint_host

R, A, U = Verdict.REFUSED, Verdict.ACCEPTED, Verdict.UNKNOWN


@dataclass
class Monitor:
    """The monitor's role, as far as its watch is concerned."""

    directory: Path
    tls: TlsIdentity
    bootstrap: str = "127.0.0.1:1"
    principal: str = "monitor"
    topology: Topology = TOPOLOGY
    trust: Trust = field(default_factory=trust)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def moment(text: str) -> Behaviour:
    return answers(f"HTTP/1.0 200 OK\r\n\r\nhub_watch_last_round_seconds {text}\n".encode())


async def test_whoever_must_run_and_does_not_move_on_is_silent_once(place: Place, tmp_path: Path) -> None:
    now, seen = 100.0, list[Fact]()
    told = tmp_path / "targets.json"
    settings = WatchSettings(watch_seconds=10, watch_ports="", watch_targets=told)
    watch = NetworkWatch(Monitor(tmp_path, place.client()), seen.append, settings, seconds=2.0, clock=lambda: now)
    shown = place.server(hosts=(endpoint_host("router"),))
    try:
        for text, later, silent in (("1.0", 0, False), ("2.0", 35, False), ("2.0", 30, False), ("2.0", 11, True)):
            now += later
            with peer(over_tls(shown, moment(text))) as address:
                told.write_text(targets({"router": f"https://{address}/metrics"}))
                found = await watch.once()
            assert found.heard is not None and found.heard["router"] is not silent
            assert found.heard.keys() >= {"router", "audit-131041"} and "monitor" not in found.heard
        router = [fact for fact in seen if isinstance(fact, PathHeard) and fact.principal == "router"]
        assert [(fact.heard, fact.changed) for fact in router] == [
            *((True, False), (True, False), (True, False), (False, True)),
        ]
        assert seen.count(Alarm("watch.path-silent", "router")) == 1
        assert seen.count(Alarm("watch.path-silent", "audit-131041")) == 1, "who never told is silent too"
        told.write_text("broken")
        await watch.once()
        assert seen.count(Alarm("watch.path-silent", "router")) == 1
    finally:
        watch.close()


async def test_an_endpoint_that_shows_metrics_to_anybody_stays_open_until_it_refuses(
    place: Place, tmp_path: Path
) -> None:
    seen, told = list[Fact](), tmp_path / "targets.json"
    settings = WatchSettings(watch_ports="", watch_targets=told)
    watch = NetworkWatch(Monitor(tmp_path, place.client()), seen.append, settings, seconds=0.4)
    try:
        for behaviour, verdict in ((moment("1.0"), A), (answers(b"HTTP/1.0 403 No\r\n\r\n"), R)):
            with peer(over_tls(place.server(), behaviour)) as address, peer(says(b"")) as other:
                told.write_text(targets({"router": f"https://{address}/metrics", "x": f"https://{other}/metrics"}))
                await watch.once()
                await watch.once()
            last = [fact for fact in seen if isinstance(fact, ControlJudged) and fact.control == "metrics-scrape"][-1]
            assert last.verdict is (verdict if verdict is A else U), "the other one never answers"
            open_ = [each for each in seen if each == Alarm("watch.control-open", f"metrics-scrape {address}")]
            assert len(open_) == (1 if verdict is A else 0)
    finally:
        watch.close()


def telling(*rounds: tuple[Tried, ...]) -> list[Fact]:
    """What a watch tells of rounds that found this."""
    seen: list[Fact] = []
    role = Monitor(Path("/nowhere"), TlsIdentity(Path("a"), Path("b"), Path("c")))
    watch = NetworkWatch(role, seen.append, WatchSettings(), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for tried in rounds:
        watch._tell(Found(tried, Round({}, tried, ()), {}))
    return seen


def one(verdict: Verdict, control: Control = Control.OLD_TLS, listener: str = "a:1") -> Tried:
    return Tried(control, listener, verdict, "code")


def alarms(facts: list[Fact]) -> list[str]:
    return [f"{fact.code} {fact.about}" for fact in facts if isinstance(fact, Alarm)]


def test_what_is_open_rings_at_once_for_each_listener_and_again_when_it_opens_again() -> None:
    both = (one(A), one(A, listener="b:1"))
    assert alarms(telling((one(R),), (one(A),), both, both, (one(R),), (one(A),))) == [
        "watch.control-open tls-1-2 a:1",
        "watch.control-open tls-1-2 b:1",
        "watch.control-open tls-1-2 a:1",
    ]


def test_what_is_unknown_rings_the_second_time_in_a_row_and_once() -> None:
    assert alarms(telling((one(U),), (one(R),), (one(U),))) == []
    rang = ["watch.control-unknown tls-1-2"]
    assert alarms(telling((one(U),), (one(U),), (one(U),))) == rang
    assert alarms(telling((one(U),), (one(U),), (one(R),), (one(U),), (one(U),))) == rang * 2
    assert alarms(telling((one(R), one(U, listener="b:1")), (one(U), one(R, listener="b:1")))) == rang


def test_each_change_and_each_round_is_told() -> None:
    told = telling((one(R), one(R, Control.UNDECLARED)), (one(R), one(A, Control.UNDECLARED, "c:9")), (one(U),))
    judged = [(fact.control, fact.verdict, fact.changed) for fact in told if isinstance(fact, ControlJudged)]
    assert judged == [
        ("tls-1-2", R, True),
        ("undeclared-listener", R, True),
        ("tls-1-2", R, False),
        ("undeclared-listener", A, True),
        ("tls-1-2", U, True),
        ("undeclared-listener", U, True),
    ], "what was tried before and is not any more is not known"
    rounds = [(fact.attempts, fact.unknown, fact.refused) for fact in told if isinstance(fact, RoundEnded)]
    assert rounds == [(2, 0, True), (2, 0, False), (2, 2, False)]
    assert [fact for fact in told if isinstance(fact, ListenerUndeclared)] == [ListenerUndeclared("c:9", "code")]
