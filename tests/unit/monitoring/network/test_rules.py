"""The pure rules of the network watch: verdicts, addresses, rights that lie beyond, who is heard."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.control_certificates import keep_control_certificates
from hub.crypto.certificates import CertificateAuthority, expires_at, made_at, principal_of
from hub.crypto.identity import IdentityKey
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.settings import WatchSettings
from monitoring.network.addresses import Address, address, addresses, checked, hosts, ports
from monitoring.network.aside import Aside, pause
from monitoring.network.controls import Places
from monitoring.network.deeds import beyond, deeds_of, excess
from monitoring.network.heard import Hearing, expected, pages
from monitoring.network.judgement import (
    GAUGE,
    RIGHT_ALERTS,
    WORDS,
    Control,
    Tried,
    Verdict,
    by_control,
    judged,
    judged_codes,
    worst,
)
from monitoring.network.line import Came, Ended
from monitoring.network.watch import WatchSettingsInvalid, places
from topics import declaration
from topics.access import may
from topics.expanding import expand
from topics.layout import Operation, Resource

R, A, U = Verdict.REFUSED, Verdict.ACCEPTED, Verdict.UNKNOWN
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
TOPOLOGY = expand(declaration.load(), "rehearsal")


@pytest.mark.parametrize("control", Control)
def test_only_the_right_refusal_counts_and_only_beside_a_contrast(control: Control) -> None:
    right = RIGHT_ALERTS.get(control, frozenset())
    for came in Came:
        for code in {"", "fatal", "certificate-unknown", "handshake-failure", "internal-error", *right}:
            verdict, said = judged(control, came, code, contrast=True)
            wanted = A if came is Came.ANSWERED else R if came is Came.ALERT and code in right else U
            assert verdict is wanted, (came, code)
            assert said.startswith(came.value)
            without, _ = judged(control, came, code, contrast=False)
            assert without is (U if wanted is R else wanted)


def test_each_control_is_told_in_two_languages_and_is_a_label() -> None:
    assert WORDS.keys() == set(Control)
    for control, (english, japanese) in WORDS.items():
        assert english.isascii() and not japanese.isascii()
        assert len(control.value) <= 40


def test_the_verdict_on_codes() -> None:
    assert judged_codes([]) == (U, "untried")
    assert judged_codes([("reads", 29, 29), ("joins", 30, 30)]) == (R, "denied")
    assert judged_codes([("reads", 29, 29), ("joins", 30, 25)]) == (A, "joins")
    assert judged_codes([("reads", 29, -1), ("joins", 30, 0)]) == (A, "joins")
    for code in (-1, 7, 35, 41, 42):
        assert judged_codes([("reads", 29, code), ("joins", 30, 30)]) == (U, "reads-code")
    assert judged_codes([("reads", 29, 30)]) == (A, "reads"), "another's denial is none of this deed"


def test_one_that_is_let_in_counts_before_all_and_unknown_before_refused() -> None:
    assert worst([]) is U
    assert worst([R, R]) is R
    assert worst([R, U]) is U
    assert worst([U, R, A]) is A
    tried = [
        Tried(Control.OLD_TLS, "a:1", R, ""),
        Tried(Control.OLD_TLS, "b:1", U, ""),
        Tried(Control.EXPIRED, "a:1", R, ""),
    ]
    assert by_control(tried) == {Control.OLD_TLS: U, Control.EXPIRED: R}
    assert (GAUGE[R], GAUGE[A]) == (1, 0)
    assert math.isnan(GAUGE[U])


# addresses


def test_addresses() -> None:
    assert address("broker-1.example:9093") == Address("broker-1.example", 9093)
    assert address(" [fd00::1]:9093 ") == Address("fd00::1", 9093)
    assert str(address("[fd00::1]:9093")) == "[fd00::1]:9093"
    assert addresses("a:1, b:2,,a:1") == (Address("a", 1), Address("b", 2))
    assert addresses("") == ()
    assert hosts(addresses("a:1,b:2,a:3")) == ("a", "b")
    assert [Address(host, 1).loopback for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost", "10.0.0.1", "a")] == [
        *(True, True, True, True, False, False)
    ]


@pytest.mark.parametrize(
    "text",
    ["a", "a:", ":1", "a:0", "a:65536", "a:1x", "a b:1", "a\n:1", "-a:1", "a:-1", "a:٣", "x" * 101 + ":1", "a:000001"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        address(text)


def test_ports() -> None:
    assert ports("") == ()
    assert ports("9092, 9090-9092") == (9090, 9091, 9092)
    for bad in ("0", "70000", "9-1", "a", "1-", "1-1000", "1-500,1000-1500"):
        with pytest.raises(ValueError, match="ports"):
            ports(bad)
    assert len(ports(WatchSettings().watch_ports)) == 30
    with pytest.raises(ValueError, match="host:port"):
        checked("", 1)


def test_places_are_what_is_declared_or_the_bootstrap() -> None:
    assert places("a:1,b:2", WatchSettings(watch_ports="")) == Places(addresses("a:1,b:2"))
    told = WatchSettings(watch_brokers="c:3", watch_also="d:4", watch_ports="5", watch_here=True)
    assert places("a:1", told) == Places(addresses("c:3"), addresses("d:4"), (5,), True)
    for wrong in ({"watch_brokers": "c"}, {"watch_also": "d"}, {"watch_ports": "x"}):
        with pytest.raises(WatchSettingsInvalid):
            places("a:1", WatchSettings(**wrong))  # type: ignore[arg-type]


# rights


@pytest.mark.parametrize("principal", ["monitor", "helpdesk-131041", "router", "portal", "canary"])
def test_what_lies_beyond_is_all_that_is_not_declared(principal: str) -> None:
    lies = beyond(TOPOLOGY, principal)
    for topic in (each.name for each in TOPOLOGY.topics):
        assert (topic in lies.reads) is not may(TOPOLOGY, principal, Resource.TOPIC, topic, Operation.READ)
        assert (topic in lies.writes) is not may(TOPOLOGY, principal, Resource.TOPIC, topic, Operation.WRITE)
        assert (topic in lies.shown) is may(TOPOLOGY, principal, Resource.TOPIC, topic, Operation.DESCRIBE)
    assert ("rehearsal.router" in lies.shown_groups) is (principal == "router")
    assert ("rehearsal.router" in lies.groups) is (principal != "router")
    assert any(each.startswith("rehearsal.router/") for each in lies.transactional_ids) is (principal != "router")
    assert lies.produces is (principal != "canary")
    assert lies.made_up not in {each.name for each in TOPOLOGY.topics}


def test_deeds_go_over_all_topics_in_turn() -> None:
    lies = beyond(TOPOLOGY, "monitor")
    kinds = {name for name, _, _ in deeds_of(lies, 0)}
    assert {name for name, _, _ in deeds_of(lies, 1)} == kinds
    assert "produces" not in kinds, "whoever writes operations may have a producer id"
    assert {name for name, _, _ in deeds_of(beyond(TOPOLOGY, "canary"), 0)} == kinds | {"produces"}
    assert excess({"a", "b"}, {"b", "c"}) == ("a",)


# who is heard


def trust(*, revoked: tuple[str, ...] = ()) -> Trust:
    builder, admin = TrustBuilder("rehearsal"), IdentityKey.generate()
    for principal in TOPOLOGY.principals:
        key = IdentityKey.generate()
        builder.principal(principal.name, may_produce=(), instances=())
        builder.identity(principal.name, key.public, NOW - timedelta(days=1), NOW + timedelta(days=1))
        if principal.name in revoked:
            builder.revoke(key.key_id, NOW)
    return Trust.load(builder.sign(NOW, admin), (admin.public,))


def test_routers_and_those_whom_a_route_leads_to_must_run() -> None:
    desks = {f"{kind}-{tenant}" for kind in ("review", "helpdesk", "audit") for tenant in ("131041", "999997")}
    assert expected(TOPOLOGY, trust()) == desks | {"router"}
    assert expected(TOPOLOGY, trust(), ["portal", "nobody"]) == desks | {"router", "portal"}
    out = expected(TOPOLOGY, trust(revoked=("audit-999997",)))
    assert out == (desks | {"router"}) - {"audit-999997"}, "who is shut out is not expected"


def test_a_principal_is_heard_while_its_moment_moves_on_whatever_the_clocks_say() -> None:
    now = 1_000.0
    hearing = Hearing(30.0, lambda: now)
    assert hearing.judge({"router"}, {}) == {"router": True}, "it has its time to begin"
    now += 30
    assert hearing.judge({"router"}, {"router": "1.7e9"}) == {"router": True}
    now += 31
    assert hearing.judge({"router"}, {"router": "1.7e9"}) == {"router": False}, "it answers, and has had no round since"
    assert hearing.judge({"router"}, {"router": "1.6e9"}) == {"router": True}, "its clock was put back"
    now += 31
    assert hearing.judge({"router"}, {}) == {"router": False}
    assert hearing.judge({"audit"}, {}) == {"audit": True}
    assert hearing.judge({"router"}, {}) == {"router": True}, "undeclared and declared again: it may take its time"


def test_targets_are_read_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "targets.json"

    def group(name: object, *targets: object) -> dict[str, object]:
        return {"targets": list(targets), "labels": {"instance": name, "role": "x"}}

    file.write_text(
        json.dumps([group("router", "127.0.0.1:1"), group("bad", "no address"), group("audit-1", "[::1]:2")])
    )
    found = pages(file)
    assert {name: str(page.address) for name, page in found.items()} == {"router": "127.0.0.1:1", "audit-1": "[::1]:2"}
    assert found["router"].host == "router.role.eltax-hub.invalid"
    for bad in ("", "{}x", '{"a": 1}', "[1]", json.dumps([group("router")]), json.dumps([{"targets": ["a:1"]}])):
        file.write_text(bad)
        with pytest.raises(Ended) as end:
            pages(file)
        assert end.value.came is Came.UNTRIED
    with pytest.raises(Ended):
        pages(tmp_path / "none")


# work aside


async def test_work_aside_returns_raises_or_hangs_and_never_twice_at_once() -> None:
    aside, leave = Aside("test"), threading.Event()
    assert await aside.run(lambda: 7, 10) == 7
    with pytest.raises(ZeroDivisionError):
        await aside.run(lambda: 1 // 0, 10)
    with pytest.raises(Ended) as late:
        await aside.run(lambda: leave.wait(60), 0.05)
    assert (late.value.came, late.value.code) == (Came.HUNG, "round")
    with pytest.raises(Ended) as still:
        await aside.run(lambda: 8, 10)
    assert still.value.code == "still"
    leave.set()
    stop = asyncio.Event()
    while True:
        try:
            assert await aside.run(lambda: 9, 10) == 9
        except Ended:
            await pause(stop, 0.01)
        else:
            break


# control certificates


def test_control_certificates_are_made_where_the_monitor_is_and_anew_in_good_time(tmp_path: Path) -> None:
    authority = CertificateAuthority.create(tmp_path / "authority", now=NOW)
    keep_control_certificates(tmp_path, authority, now=NOW)
    assert not (tmp_path / "roles").exists()
    probes = tmp_path / "roles" / "monitor" / "probes"
    probes.parent.mkdir(parents=True)
    keep_control_certificates(tmp_path, authority, now=NOW)
    canary, expired = probes / "canary" / "canary.crt", probes / "expired" / "canary.crt"
    assert principal_of(canary) == principal_of(expired) == "canary"
    assert expires_at(expired) < NOW < expires_at(canary)
    assert made_at(expired) < expires_at(expired)
    before = canary.read_bytes(), expired.read_bytes()
    keep_control_certificates(tmp_path, authority, now=NOW)
    assert (canary.read_bytes(), expired.read_bytes()) == before
    keep_control_certificates(tmp_path, authority, now=expires_at(canary) - timedelta(days=50))
    assert canary.read_bytes() != before[0]
    assert expired.read_bytes() == before[1]
    keep_control_certificates(tmp_path, authority, now=NOW, anew=True)
    assert expired.read_bytes() != before[1]
