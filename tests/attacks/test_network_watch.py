"""The network watch on a real broker: what must be refused is, and each broken control is noticed by the next round.

The watch runs as in the monitor's process, with a short interval. `next_round` is a round that began after the call,
so that whatever was done before must show in it. What a test breaks, it repairs.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.ports import choose
from hub.crypto.certificates import Usage
from hub.crypto.keyfile import ScryptCost
from hub.crypto.peers import PeerCertificate
from hub.enrolment import enrol
from hub.facts import Alarm, Fact
from hub.role import Role, load_role
from hub.settings import RoleSettings, WatchSettings
from monitoring.adapter import metrics_observer
from monitoring.metrics import Metrics
from monitoring.network.addresses import Address, address
from monitoring.network.deeds import beyond, deeds_of, tried
from monitoring.network.facts import ControlJudged, ListenerUndeclared, PathProbed, RoundEnded
from monitoring.network.judgement import Control, Verdict, judged_codes
from monitoring.network.line import Deadline, Line
from monitoring.network.own_path import OwnPath
from monitoring.network.reach import is_open, verified
from monitoring.network.reach import seen as shows
from monitoring.network.watch import NetworkWatch
from tests.attacking import Attacker
from tests.attacking import Verdict as Ends
from tests.attacking.plugin import Attack
from tests.attacks.laid_out import laid_out, ports, wired
from tests.attacks.wire import INT8, INT16, INT32, TEXT, Boolean, rows, schema
from tests.kafka import TestKafka, start
from topics import names
from topics.layout import Topology

pytestmark = [pytest.mark.broker, pytest.mark.one_broker, pytest.mark.timeout(180)]

TENANT = "131041"
CHEAP = ScryptCost(log2_n=4)
_ACL = (INT8, TEXT, INT8, TEXT, TEXT, INT8, INT8)
TOPIC, GROUP, CLUSTER, TRANSACTIONAL = 2, 3, 4, 5
LITERAL, PREFIXED = 3, 4
READ, WRITE, CREATE, DESCRIBE_CONFIGS = 3, 4, 5, 10
ALLOW = 3
_BROKER = 4


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestKafka]:
    """A node of its own: what other tests gave `monitor` rights to would be rights beyond those declared."""
    made = start(tmp_path_factory.mktemp("node"))
    try:
        yield made
    finally:
        made.node.stop()


@dataclass
class Seen:
    """What a watch that runs has told."""

    facts: list[Fact] = field(default_factory=list)
    metrics: Metrics = field(default_factory=lambda: Metrics(procedures=(), sources=()))

    def __post_init__(self) -> None:
        self._observe = metrics_observer(self.metrics)
        self._ended = asyncio.Event()

    def __call__(self, fact: Fact) -> None:
        self.facts.append(fact)
        self._observe(fact)
        if isinstance(fact, RoundEnded):
            self._ended.set()

    async def next_round(self) -> list[Fact]:
        """What is told until the end of the first whole round that begins from now on."""
        start = len(self.facts)
        for _ in range(2):  # the one under way began before
            self._ended.clear()
            await asyncio.wait_for(self._ended.wait(), 60)
        return self.facts[start:]

    def alarms(self) -> set[tuple[str, str]]:
        return {(fact.code, fact.about) for fact in self.facts if isinstance(fact, Alarm)}

    def refuses(self, control: Control) -> float:
        return self.metrics.value("hub_watch_control_refuses", control=control.value)


@pytest.fixture(scope="module")
def topology(kafka: TestKafka) -> Topology:
    return laid_out(kafka)


@pytest.fixture(scope="module")
def home(kafka: TestKafka, topology: Topology, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    enrol(made, topology, kafka.authority, now=datetime.now(UTC), cost=CHEAP)
    return made


def role_of(home: Path, kafka: TestKafka, topology: Topology, principal: str) -> Role:
    settings = RoleSettings(
        role_dir=home / "roles" / principal,
        bootstrap=kafka.bootstrap,
        namespace=topology.namespace,
        partitions=topology.partitions,
    )
    return load_role(settings, allow_weak=True)


@pytest.fixture(scope="module")
def monitor(home: Path, kafka: TestKafka, topology: Topology) -> Role:
    return role_of(home, kafka, topology, "monitor")


@pytest.fixture(scope="module")
def controller(kafka: TestKafka) -> Address:
    return Address("127.0.0.1", ports(kafka)["controller_port"])


@asynccontextmanager
async def watching(role: Role, *, seconds: float = 5.0, **settings: object) -> AsyncIterator[Seen]:
    """The watch as it runs in the monitor's process, a few times a second, after its first round."""
    seen, stop = Seen(), asyncio.Event()
    told = WatchSettings(**{"watch_seconds": 0.2, "watch_ports": "", **settings})  # type: ignore[arg-type]
    watch = NetworkWatch(role, seen, told, seconds=seconds, hearing_seconds=0.2)
    task = asyncio.create_task(watch.run(stop))
    try:
        await seen.next_round()
        yield seen
    finally:
        stop.set()
        await task


def set_on_broker(kafka: TestKafka, **settings: str | None) -> None:
    """Change the running broker, as an administrator of it can; None puts back what its file says."""
    changes = [(name.replace("__", "."), int(value is None), value) for name, value in settings.items()]
    form = schema(rows(INT8, TEXT, rows(TEXT, INT8, TEXT)), Boolean)
    with wired(kafka, "admin") as wire:
        _, found = wire.ask(
            44, 0, form, ([(_BROKER, "1", changes)], False), schema(INT32, rows(INT16, TEXT, INT8, TEXT))
        )
    assert [code for code, *_ in found] == [0], found


@contextmanager
def listener(
    kafka: TestKafka, name: str, protocol: str, *, port: int = 0, settings: Mapping[str, str] | None = None
) -> Iterator[Address]:
    """One more listener on the running broker."""
    place, known = Address("127.0.0.1", port or choose()), ports(kafka)
    listeners = f"MTLS://127.0.0.1:{known['client_port']},CONTROLLER://127.0.0.1:{known['controller_port']}"
    protocols = "MTLS:SSL,CONTROLLER:SSL"
    set_on_broker(
        kafka,
        listeners=f"{listeners},{name}://{place}",
        listener__security__protocol__map=f"{protocols},{name}:{protocol}",
        **(settings or {}),
    )
    try:
        yield place
    finally:
        set_on_broker(kafka, listeners=listeners, listener__security__protocol__map=protocols)
        if settings:
            set_on_broker(kafka, **dict.fromkeys(settings))


@contextmanager
def granted(
    kafka: TestKafka, principal: str, kind: int, name: str, operation: int, pattern: int = LITERAL
) -> Iterator[None]:
    """A right that somebody gave by hand."""
    row = (kind, name, pattern, principal, "*", operation, ALLOW)
    with wired(kafka, "admin") as wire:
        (made,) = wire.ask(30, 1, schema(rows(*_ACL)), ([row],), schema(INT32, rows(INT16, TEXT)))[1]
        assert made[0] == 0
        try:
            yield
        finally:
            taken = wire.ask(31, 1, schema(rows(*_ACL)), ([row],), schema(INT32, rows(INT16)))[1]
            assert taken[0] == 0


async def test_all_that_must_be_refused_is_refused_at_every_listener(monitor: Role, controller: Address) -> None:
    watch = NetworkWatch(monitor, seen := Seen(), WatchSettings(watch_also=str(controller), watch_ports=""))
    try:
        found = await watch.once()
    finally:
        watch.close()
    at = {(each.control, each.listener): each for each in found.tried}
    everywhere = {Control.PLAINTEXT, Control.NO_CERTIFICATE, Control.UNKNOWN_CA, Control.EXPIRED, Control.OLD_TLS}
    on_brokers = {Control.RIGHTS, Control.NO_RIGHTS, Control.UNDECLARED}
    wanted = {(each, monitor.bootstrap) for each in everywhere | on_brokers}
    assert at.keys() == wanted | {(each, str(controller)) for each in everywhere}
    assert {each.verdict for each in at.values()} == {Verdict.REFUSED}, at
    assert {each.code for (control, _), each in at.items() if control in everywhere} == {
        *("alert-fatal", "alert-certificate-required", "alert-certificate-unknown", "alert-protocol-version")
    }
    for place in (monitor.bootstrap, str(controller)):
        assert seen.metrics.value("hub_watch_path_up", principal="monitor", listener=place) == 1
        assert seen.metrics.value("hub_watch_peer_not_after_seconds", listener=place) > datetime.now(UTC).timestamp()
        assert seen.metrics.value("hub_watch_handshake_seconds", listener=place) == 1
    assert all(seen.refuses(control) == 1 for control in everywhere | on_brokers)
    assert seen.alarms() == {("watch.paths-unheard", "HUB_WATCH_TARGETS")}, "nobody said where the roles are"


def test_each_deed_would_be_noticed_if_it_were_let_in(kafka: TestKafka, monitor: Role, home: Path) -> None:
    """The administrator may do all of it, and the same attempts must say so, one after another."""
    admin = role_of(home, kafka, monitor.topology, "admin")
    limits = beyond(monitor.topology, "canary")
    place = address(kafka.bootstrap)
    assert tried(place, admin.tls, limits, 0, seconds=5) == (Verdict.ACCEPTED, "sees-topics")
    with Line(place, Deadline.after(20)) as line:
        line.secure(verified(admin.tls), place.host)
        codes = {name: (denied, deed(line)) for name, denied, deed in deeds_of(limits, 0)}
    assert codes.keys() == {
        *("reads", "writes", "creates", "sees-settings", "sees-broker-settings", "alters-settings"),
        *("sees-rights", "joins", "transacts", "produces"),
    }
    for name, (denied, code) in codes.items():
        assert judged_codes([(name, denied, code)]) == (Verdict.ACCEPTED, name), code


async def test_a_listener_in_the_clear_is_noticed(kafka: TestKafka, monitor: Role, attack: Attack) -> None:
    opens = attack(Attacker.BROKER, "opens a listener without TLS on a running broker", Ends.DETECTED)
    port = choose()
    place = Address("127.0.0.1", port)
    async with watching(monitor, watch_ports=f"{port}", watch_here=True) as seen:
        assert seen.refuses(Control.PLAINTEXT) == seen.refuses(Control.UNDECLARED) == 1
        with listener(kafka, "CLEAR", "PLAINTEXT", port=port):
            await _until(lambda: is_open(place, seconds=5))
            told = await seen.next_round()
            assert Alarm("watch.control-open", f"plaintext {place}") in told
            assert Alarm("watch.control-open", f"undeclared-listener {place}") in told
            assert ListenerUndeclared(str(place), "kafka") in told
            assert seen.refuses(Control.PLAINTEXT) == seen.refuses(Control.UNDECLARED) == 0
            assert seen.refuses(Control.NO_CERTIFICATE) == 1, "at the listeners that are declared"
            assert not [fact for fact in await seen.next_round() if isinstance(fact, Alarm)], "it rings when it begins"
        await _until(lambda: not is_open(place, seconds=5))
        await seen.next_round()
        assert seen.refuses(Control.PLAINTEXT) == seen.refuses(Control.UNDECLARED) == 1
    opens.detected(by="the network watch", how="`watch.control-open` plaintext, the loudest alert", within="one round")


async def test_a_listener_that_clients_are_sent_to_and_nobody_declared_is_noticed(
    kafka: TestKafka, monitor: Role, attack: Attack
) -> None:
    sends = attack(Attacker.BROKER, "sends clients on to a listener that nobody declared", Ends.DETECTED)
    declared = kafka.bootstrap.replace("127.0.0.1", "localhost")
    async with watching(monitor, watch_brokers=declared) as seen:
        told = await seen.next_round()
        assert Alarm("watch.control-open", f"undeclared-listener {kafka.bootstrap}") in seen.facts
        judged = {fact.control: fact for fact in told if isinstance(fact, ControlJudged)}
        assert judged["undeclared-listener"].verdict is Verdict.ACCEPTED
        assert judged["undeclared-listener"].code == "told"
        assert judged["plaintext"].verdict is Verdict.REFUSED, "and it is tried like the others"
    sends.detected(by="the network watch", how="`watch.control-open` undeclared-listener", within="one round")


async def test_a_right_for_everybody_is_noticed(
    kafka: TestKafka, monitor: Role, topology: Topology, attack: Attack
) -> None:
    gives = attack(
        Attacker.BROKER, "gives everybody (`User:*`) a right to a topic, a group or the cluster", Ends.DETECTED
    )
    review = names.review(topology.namespace, TENANT)
    async with watching(monitor) as seen:
        assert seen.refuses(Control.NO_RIGHTS) == 1
        with granted(kafka, "User:*", TOPIC, review, READ):
            assert Alarm("watch.control-open", f"no-rights {kafka.bootstrap}") in await seen.next_round()
            assert seen.refuses(Control.NO_RIGHTS) == seen.refuses(Control.RIGHTS) == 0, "everybody is the monitor too"
        await seen.next_round()
        assert seen.refuses(Control.NO_RIGHTS) == seen.refuses(Control.RIGHTS) == 1
    gives.detected(by="the network watch", how="`watch.control-open` no-rights", within="one round")


async def test_each_kind_of_right_for_everybody_is_noticed(kafka: TestKafka, monitor: Role, topology: Topology) -> None:
    watch = NetworkWatch(monitor, Seen(), WatchSettings(watch_ports=""), hearing_seconds=0)
    rights = {
        "sees-topics": (TOPIC, "*", WRITE, LITERAL),
        "sees-settings": (TOPIC, topology.namespace, DESCRIBE_CONFIGS, PREFIXED),
        "sees-broker-settings": (CLUSTER, "kafka-cluster", DESCRIBE_CONFIGS, LITERAL),
        "joins": (GROUP, "*", READ, LITERAL),
        "transacts": (TRANSACTIONAL, "*", WRITE, LITERAL),
        "creates": (TOPIC, topology.namespace, CREATE, PREFIXED),
    }
    try:
        for what, right in rights.items():
            with granted(kafka, "User:*", *right):
                found = await watch.once()
            (one,) = [each for each in found.tried if each.control is Control.NO_RIGHTS]
            assert (one.verdict, one.code) == (Verdict.ACCEPTED, what)
    finally:
        watch.close()


async def test_a_right_beyond_those_declared_is_noticed_by_whom_it_was_given(
    kafka: TestKafka, monitor: Role, home: Path, topology: Topology, attack: Attack
) -> None:
    gives = attack(Attacker.BROKER, "gives one principal a right that is not declared", Ends.DETECTED)
    review = names.review(topology.namespace, TENANT)
    async with watching(monitor) as seen:
        with granted(kafka, "User:CN=monitor", TOPIC, review, READ):
            assert Alarm("watch.control-open", f"rights {kafka.bootstrap}") in await seen.next_round()
    helpdesk = role_of(home, kafka, topology, f"helpdesk-{TENANT}")
    own = Seen()
    path = OwnPath(helpdesk, own, 1.0, hearing_seconds=0.2)
    await path.once(asyncio.Event())
    up = {"principal": helpdesk.principal, "listener": kafka.bootstrap}
    assert own.metrics.value("hub_watch_path_up", **up) == 1
    with granted(kafka, f"User:CN={helpdesk.principal}", TOPIC, review, READ):
        await path.once(asyncio.Event())
    assert own.alarms() == {("watch.rights-excess", kafka.bootstrap)}
    assert own.metrics.value("hub_watch_path_up", **up) == 0
    gives.detected(
        by="the role itself", how="`watch.rights-excess`: it is shown what is not its", within="one interval"
    )


async def test_an_expired_certificate_of_a_listener_is_noticed(kafka: TestKafka, monitor: Role, tmp_path: Path) -> None:
    """A listener of the running broker with a key store of its own, which is exchanged for one that has expired."""
    keystore = tmp_path / "keystore.pem"
    now = datetime.now(UTC)

    def certify(not_after: datetime) -> None:
        start = now - timedelta(days=3)
        made = kafka.authority.issue(
            "broker", tmp_path, usage=Usage.BROKER, hosts=("127.0.0.1",), not_before=start, not_after=not_after
        )
        keystore.write_bytes(made.private_key.read_bytes() + made.certificate.read_bytes())

    certify(now + timedelta(days=1))
    shown = {"listener__name__old__ssl__keystore__location": str(keystore)}
    with listener(kafka, "OLD", "SSL", settings=shown) as place:
        await _until(lambda: shows(place, seconds=5) is not None)
        async with watching(monitor, watch_also=str(place)) as seen:
            assert all(seen.refuses(control) == 1 for control in Control if control is not Control.SCRAPE)
            until = seen.metrics.value("hub_watch_peer_not_after_seconds", listener=str(place))
            assert until == int((now + timedelta(days=1)).timestamp())
            certify(now - timedelta(hours=1))
            set_on_broker(kafka, **shown)
            # each of its network threads takes the new one on by itself, and connections go to them in turn
            await _until(lambda: all((shows(place, seconds=5) or NEVER).not_after < now for _ in range(9)))
            told = await seen.next_round()
            *_, path = [fact for fact in told if isinstance(fact, PathProbed) and fact.listener == str(place)]
            assert (path.up, path.code, path.not_after) == (
                False,
                "unverified-expired",
                int((now - timedelta(hours=1)).timestamp()),
            )
            assert Alarm("watch.certificate-expired", str(place)) in told
            assert math.isnan(seen.refuses(Control.NO_CERTIFICATE)), "where nobody gets in, a refusal proves nothing"


async def test_what_cannot_be_tried_is_unknown_and_never_refused(
    kafka: TestKafka, monitor: Role, controller: Address
) -> None:
    """A broker that holds its sockets and answers nobody."""
    async with watching(monitor, seconds=1.0, watch_also=str(controller)) as seen:
        await _all_refuse(seen)
        kafka.freeze()
        try:
            await seen.next_round()
            for control in Control:
                if control is not Control.SCRAPE:
                    assert math.isnan(seen.refuses(control)), control
                    assert seen.metrics.value("hub_watch_control_unknown", control=control.value) == 1
            assert seen.metrics.value("hub_watch_path_up", principal="monitor", listener=kafka.bootstrap) == 0
            await seen.next_round()
            assert ("watch.control-unknown", "plaintext") in seen.alarms()
            assert not any(code == "watch.control-open" for code, _ in seen.alarms())
        finally:
            kafka.thaw()
        await _all_refuse(seen)


NEVER = PeerCertificate("", "", (), datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


async def _until(probe: Callable[[], bool]) -> None:
    """The broker takes on what it was told a moment after it has answered."""
    for _ in range(600):
        if await asyncio.to_thread(probe):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the broker did not take it on")


async def _all_refuse(seen: Seen) -> None:
    """Wait for it: a machine that is busy needs more than a short deadline now and then."""
    for _ in range(60):
        if all(seen.refuses(control) == 1 for control in Control if control is not Control.SCRAPE):
            return
        await seen.next_round()
    pytest.fail("not all controls were seen to refuse")
