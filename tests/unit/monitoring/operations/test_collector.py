"""The collector against topics as lists: what counts, what rings, and what is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.store.errors import StoreUnavailable
from hub.envelope.declared import StandingReport
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent
from hub.envelope.trust import Trust
from hub.facts import Alarm, Fact, Lag, Paused, Ready
from hub.operations.sender import partition_of
from hub.settings import LogSettings
from hub.transport import BrokerUnavailable
from monitoring.operations import collector as module
from monitoring.operations.collector import Collector
from monitoring.operations.facts import OperationsCollected, OperationsPublished, OperationsRefused
from monitoring.operations.keeping import Batch, Kept
from monitoring.operations.settings import OperationsSettings
from monitoring.operations.store import OperationsStore
from monitoring.operations.watch import OperationsWatch
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.cluster import Cluster, ListReader
from tests.unit.monitoring.operations.world import (
    DESK,
    MONITOR,
    NOW,
    NS,
    OPERATIONS,
    PORTAL,
    Log,
    Monitor,
    builder,
    identity,
    record,
    trust,
)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(module, "PartitionReader", ListReader)
    monkeypatch.setattr("consumers.patience._SECONDS", (0.01,))
    return Cluster()


@pytest.fixture
def monitor(tmp_path: Path, cluster: Cluster) -> Monitor:
    return Monitor(tmp_path, endpoint=cluster)


@pytest.fixture
def store(monitor: Monitor) -> Iterator[OperationsStore]:
    with monitor.open() as opened:
        yield opened


def append(cluster: Cluster, *values: bytes | None, partition: int = 1, key: bytes | None = None) -> None:
    for value in values:
        cluster.append(OPERATIONS, partition, record(value, key=key).key, value)


def collected(monitor: Monitor, store: OperationsStore, until: Callable[[], bool]) -> list[Fact]:
    """Run a collector until something holds; return the facts it told."""
    facts: list[Fact] = []

    async def run() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(Collector(monitor, store, Facts(facts), lambda: NOW).run(stop))
        async with asyncio.timeout(20):
            while not until():
                assert not task.done(), task.exception()
                await asyncio.sleep(0.005)
            stop.set()
            await task

    asyncio.run(run())
    return facts


@dataclass
class Facts:
    """An observer that keeps what it is told."""

    told: list[Fact]

    def __call__(self, fact: Fact) -> None:
        self.told.append(fact)


def alarms(facts: list[Fact]) -> list[Alarm]:
    return [fact for fact in facts if isinstance(fact, Alarm)]


def done(store: OperationsStore, offset: int, partition: int = 1) -> Callable[[], bool]:
    return lambda: store.places().get((OPERATIONS, partition)) == offset


def test_lines_of_all_partitions_are_kept_and_it_is_ready(
    cluster: Cluster, monitor: Monitor, store: OperationsStore
) -> None:
    desk, portal = Log(), Log(PORTAL, id=b"n" * 16)
    append(cluster, desk.write(Kind.STARTED), desk.write())
    append(cluster, portal.write(Kind.STARTED), partition=partition_of(portal.id, 3))
    facts = collected(monitor, store, lambda: store.size() == 3)
    lines = [fact.lines for fact in facts if isinstance(fact, OperationsCollected)]
    assert {kind: sum(each.get(kind, 0) for each in lines) for kind in ("system", "access")} == {
        "system": 2,
        "access": 1,
    }
    assert Ready("operations", True) in collected(monitor, store, lambda: True) + facts
    assert not alarms(facts)


def test_reports_of_standing_are_no_lines_and_bad_ones_are_refused(
    cluster: Cluster, monitor: Monitor, store: OperationsStore
) -> None:
    said = StandingReport(DESK, "a", NS, 3, 2, NOW)
    good, forged = said.sign(identity(DESK)), said.sign(identity(PORTAL))
    append(cluster, good, forged, b"garbage", partition=0, key=said.key.encode())
    append(cluster, good, partition=0, key=b"standing/portal/a")
    facts = collected(monitor, store, done(store, 4, 0))
    assert store.size() == 0
    refused = {fact.reason: fact.count for fact in facts if isinstance(fact, OperationsRefused)}
    assert refused == {"untrusted": 1, "not-framed": 1, "wrong-key": 1}
    assert Alarm("operations.refused", "untrusted") in facts


def test_who_was_enrolled_a_moment_ago_counts(cluster: Cluster, monitor: Monitor, store: OperationsStore) -> None:
    """The desk hears of the new list before the monitor does."""
    monitor.trust, monitor.newer = trust(without=DESK), monitor.trust
    append(cluster, Log().write())
    facts = collected(monitor, store, done(store, 1))
    assert store.size() == 1
    assert monitor.asked == 1
    assert not alarms(facts)


@pytest.mark.parametrize(
    "how", ["unknown", "bad signature", "revoked", "another's key", "wrong key", "wrong partition", "plain"]
)
def test_what_nobody_may_say_does_not_count_and_is_kept(
    cluster: Cluster, monitor: Monitor, store: OperationsStore, how: str, attack: Attack
) -> None:
    tried = attack(Attacker.PORTAL, f"puts a line into the operations log that does not count: {how}", Verdict.DETECTED)
    value = Log().write()
    reasons = {"bad signature": "bad-signature", "revoked": "revoked", "wrong key": "wrong-key", "plain": "not-framed"}
    expected, key = reasons.get(how, "untrusted"), None
    if how == "unknown":
        monitor.trust = trust(without=DESK)
        expected = "not-permitted"
    elif how == "bad signature":
        value = value[:-10] + bytes((value[-10] ^ 1,)) + value[-9:]
    elif how == "revoked":
        administrator = identity("administrator's own")
        revoked = builder().revoke(identity(DESK).key_id, NOW + timedelta(days=1)).sign(NOW, administrator)
        monitor.trust = Trust.load(revoked, administrator.public)
    elif how == "another's key":
        value = _signed_by(DESK, PORTAL)
    elif how == "wrong partition":
        append(cluster, value, partition=2)
        facts = collected(monitor, store, done(store, 1, 2))
        assert OperationsRefused("wrong-partition", 1) in facts
        tried.detected(by="monitor", how="alarm operations.refused, wrong-partition; kept whole", within="its poll")
        return
    elif how == "wrong key":
        key = b"operation/" + b"00" * 16
    else:
        value, key = b"Principal = User:CN=admin is Denied", b"operation/x"
    append(cluster, value, key=key)
    facts = collected(monitor, store, done(store, 1))
    assert OperationsRefused(expected, 1) in facts
    assert Alarm("operations.refused", expected) in facts
    assert store.size() == 0
    tried.detected(by="monitor", how=f"alarm operations.refused, {expected}; kept whole", within="its poll")


def _signed_by(claimed: str, signer: str) -> bytes:
    event = OperationEvent(claimed, "a", NS, Log().id, 0, FIRST, Operation(Kind.VIEWED, NOW))
    return event.sign(identity(signer))


def test_a_line_left_out_or_said_twice_rings(
    cluster: Cluster, monitor: Monitor, store: OperationsStore, attack: Attack
) -> None:
    withheld = attack(Attacker.BROKER, "withholds a line of the operations log", Verdict.DETECTED)
    forked = attack(Attacker.LAPTOP, "goes on with a copy of a role's operations log", Verdict.DETECTED)
    log = Log()
    values = [log.write() for _ in range(4)]
    append(cluster, values[0], values[2], values[3])
    facts = collected(monitor, store, done(store, 3))
    assert alarms(facts) == [Alarm("operations.gap", DESK)]
    assert [fact.missing for fact in facts if isinstance(fact, OperationsCollected)][-1] == 1
    withheld.detected(by="monitor", how="alarm operations.gap", within="its poll")
    copy = Log()
    append(cluster, copy.write(actor="somebody"))
    facts = collected(monitor, store, done(store, 4))
    assert Alarm("operations.fork", DESK) in facts
    assert OperationsRefused("fork", 1) in facts
    forked.detected(by="monitor", how="alarm operations.fork; both lines are kept", within="its poll")


def test_an_offset_that_is_gone_rings_and_it_goes_on(
    cluster: Cluster, monitor: Monitor, store: OperationsStore
) -> None:
    log = Log()
    append(cluster, *[log.write() for _ in range(3)])
    collected(monitor, store, done(store, 3))
    append(cluster, *[log.write() for _ in range(5)])
    cluster.oldest[OPERATIONS, 1] = 6
    facts = collected(monitor, store, done(store, 8))
    assert Alarm("operations.offset-gone", f"{OPERATIONS}/1") in facts
    assert Alarm("operations.gap", DESK) in facts
    assert store.missing() == 3


def test_brokers_that_are_away_are_waited_for(cluster: Cluster, monitor: Monitor, store: OperationsStore) -> None:
    append(cluster, Log().write())
    cluster.trouble["start"] = [BrokerUnavailable("x")]
    cluster.trouble["poll"] = [BrokerUnavailable("x")]
    facts = collected(monitor, store, done(store, 1))
    assert Paused("operations", "kafka.unavailable", True) in facts
    assert Paused("operations", "kafka.unavailable", False) in facts


def test_a_full_disk_is_waited_for_and_nothing_is_passed_over(
    cluster: Cluster, monitor: Monitor, store: OperationsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [StoreUnavailable("x")] * 2
    keep = store.keep

    def full(batch: Batch) -> Kept:
        if refusals:
            raise refusals.pop()
        return keep(batch)

    monkeypatch.setattr(store, "keep", full)
    append(cluster, Log().write())
    facts = collected(monitor, store, done(store, 1))
    assert Paused("operations", "store-unavailable", True) in facts
    assert store.size() == 1
    assert {fact.records for fact in facts if isinstance(fact, Lag)} <= {0, 1}


# the whole reading side


def watched(monitor: Monitor, until: Callable[[list[Fact]], bool], **more: object) -> list[Fact]:
    facts: list[Fact] = []
    settings = OperationsSettings(operations_publish_seconds=0.05, **more)  # type: ignore[arg-type]

    async def run() -> None:
        stop = asyncio.Event()
        watch = OperationsWatch(
            monitor, Facts(facts), lambda: NOW, lambda _: None, settings=settings, log_settings=LogSettings()
        )
        task = asyncio.create_task(watch.run(stop))
        async with asyncio.timeout(20):
            while not until(facts):
                assert not task.done(), task.exception()
                await asyncio.sleep(0.01)
            stop.set()
            await task

    asyncio.run(run())
    return facts


def test_the_tree_is_published(cluster: Cluster, monitor: Monitor) -> None:
    append(cluster, Log().write())
    watched(monitor, lambda facts: OperationsPublished(1, 0) in facts)
    assert (monitor.directory / "operations-tlog" / "checkpoint").exists()


def test_a_damaged_store_rings_and_ends_nothing_else(cluster: Cluster, monitor: Monitor) -> None:
    monitor.file.write_bytes(b"no database" * 1_000)
    facts = watched(monitor, lambda facts: bool(alarms(facts)))
    assert alarms(facts) == [Alarm("operations.store-damaged", MONITOR)]
    assert Paused("operations", "store-damaged", True) in facts
