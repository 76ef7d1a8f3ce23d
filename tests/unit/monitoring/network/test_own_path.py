"""A role's own path, and what the monitor reads of it, on peers that are no brokers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hub.facts import Alarm, Fact
from hub.transport import TlsIdentity
from monitoring.network.facts import PathProbed, RoundEnded, TlsSeen
from monitoring.network.heard import Page, told
from monitoring.network.kafka import CORRELATION
from monitoring.network.line import Came, Ended
from monitoring.network.own_path import OwnPath
from tests.unit.monitoring.network.peers import Behaviour, Place, closes, drips, hangs, over_tls, peer, says
from topics import declaration
from topics.expanding import expand
from topics.layout import Topology

TOPOLOGY = expand(declaration.load(), "rehearsal")
HELPDESK = "helpdesk-131041"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@dataclass
class Somebody:
    """A role, as far as its path is concerned."""

    bootstrap: str
    tls: TlsIdentity
    principal: str = HELPDESK
    topology: Topology = TOPOLOGY


def metadata(port: int, *topics: str) -> Behaviour:
    """A broker that shows these topics."""
    body = struct.pack(">iih", 1, 1, 9) + b"127.0.0.1" + struct.pack(">ihii", port, -1, 1, len(topics))
    for topic in topics:
        body += struct.pack(">hh", 0, len(topic)) + topic.encode() + b"\0" + struct.pack(">i", 0)
    return says(struct.pack(">ii", len(body) + 4, CORRELATION) + body)


async def once(role: Somebody, *, between: Callable[[], None] = lambda: None) -> list[Fact]:
    """What two looks tell."""
    seen: list[Fact] = []
    path = OwnPath(role, seen.append, 1.0, hearing_seconds=0.0, now=lambda: 7.0)
    await path.once(asyncio.Event())
    between()
    await path.once(asyncio.Event())
    return seen


async def test_a_path_that_is_good_is_told_without_alarm(place: Place) -> None:
    own = [name for name in (each.name for each in TOPOLOGY.topics) if name.endswith("131041.helpdesk")]
    with peer(over_tls(place.server(), metadata(9093, *own))) as address:
        role = Somebody(str(address), place.client(HELPDESK))
        seen = await once(role)
    first, *_ = [fact for fact in seen if isinstance(fact, PathProbed)]
    assert (first.principal, first.listener, first.up, first.code) == (HELPDESK, str(address), True, "")
    assert first.not_after > 0 and first.handshake_seconds > 0 and not first.changed
    other = [fact for fact in seen if isinstance(fact, PathProbed) and fact.listener == "127.0.0.1:9093"]
    assert {fact.code for fact in other} == {"unreachable-connect"}, "the brokers of the metadata are visited too"
    assert [fact.changed for fact in other] == [True, False]
    assert [fact for fact in seen if isinstance(fact, Alarm)] == [Alarm("watch.path-down", "127.0.0.1:9093")]
    assert {(fact.protocol, fact.present) for fact in seen if isinstance(fact, TlsSeen)} == {("TLSv1.3", True)}
    assert [fact.refused for fact in seen if isinstance(fact, RoundEnded)] == [None, None]


async def test_a_topic_too_many_is_an_alarm_and_so_is_an_expired_certificate(place: Place) -> None:
    with peer(over_tls(place.server(), metadata(9093, "rehearsal.131041.review"))) as address:
        seen = await once(Somebody(str(address), place.client(HELPDESK)))
    assert Alarm("watch.rights-excess", str(address)) in seen
    with peer(over_tls(place.server(days=(-3, -1)), hangs)) as address:
        seen = await once(Somebody(str(address), place.client(HELPDESK)))
    assert Alarm("watch.certificate-expired", str(address)) in seen
    last = [fact for fact in seen if isinstance(fact, PathProbed)][-1]
    assert 0 < last.not_after < 2**33 and not last.up


@pytest.mark.parametrize("behaviour", [closes, says(b"\xff" * 100)])
async def test_a_path_to_nobody_is_down_and_its_recovery_is_told(behaviour: Behaviour, place: Place) -> None:
    with peer(behaviour) as address:
        seen = await once(Somebody(str(address), place.client(HELPDESK)))
    down = [fact for fact in seen if isinstance(fact, PathProbed)]
    assert [fact.up for fact in down] == [False, False]
    assert [fact for fact in seen if isinstance(fact, Alarm)] == [Alarm("watch.path-down", str(address))]


async def test_it_stops_when_it_is_told_and_without_an_address_it_says_so(place: Place) -> None:
    seen: list[Fact] = []
    stop = asyncio.Event()

    def until_a_round(fact: Fact) -> None:
        if isinstance(fact, RoundEnded):
            stop.set()

    await OwnPath(Somebody("127.0.0.1:1", place.client()), until_a_round, 0.01).run(stop)
    await OwnPath(Somebody("127.0.0.1:1", place.client()), seen.append, 0).run(asyncio.Event())
    assert seen == []
    await OwnPath(Somebody("no address", place.client()), seen.append, 1).run(asyncio.Event())
    assert seen == [Alarm("watch.settings", "HUB_BOOTSTRAP")]


# what the monitor reads

PAGE = b"HTTP/1.0 200 OK\r\n\r\n# TYPE x gauge\nhub_watch_last_round_seconds 1.7e+09\nhub_ready 1\n"


def answers(page: bytes) -> Behaviour:
    def one(connection: object) -> None:
        connection.recv(4096)  # type: ignore[attr-defined]
        connection.sendall(page)  # type: ignore[attr-defined]

    return one


def test_the_moment_of_the_last_round_is_read_from_a_process_that_is_who_it_should_be(place: Place) -> None:
    shown = place.server(hosts=("router.role.eltax-hub.invalid",))
    with peer(over_tls(shown, answers(PAGE))) as address:
        assert told(Page(address, "router.role.eltax-hub.invalid"), place.client(), seconds=5) == "1.7e+09"
        with pytest.raises(Ended) as another:
            told(Page(address, "audit-131041.role.eltax-hub.invalid"), place.client(), seconds=5)
        assert another.value.came is Came.UNVERIFIED
    with peer(over_tls(shown, answers(b"HTTP/1.0 200 OK\r\n\r\nhub_ready 1\n"))) as address:
        assert told(Page(address, "router.role.eltax-hub.invalid"), place.client(), seconds=5) == ""
    for bad in (answers(b"HTTP/1.0 403 No\r\n\r\n" + PAGE), answers(b"garbage"), drips, hangs):
        with peer(over_tls(shown, bad)) as address, pytest.raises(Ended):
            told(Page(address, "router.role.eltax-hub.invalid"), place.client(), seconds=0.25)
