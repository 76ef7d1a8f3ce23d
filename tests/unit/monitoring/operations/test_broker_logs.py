"""The watch over brokers' logs as files: noted before it counts as read, and again after a crash in between."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.envelope.operations import Kind, Operation
from hub.facts import Alarm, Fact, Paused
from hub.operations.errors import Unlogged
from monitoring.operations.broker_logs import BrokerWatch
from monitoring.operations.facts import BrokerSeen
from monitoring.operations.store import OperationsStore
from tests.unit.monitoring.operations.test_broker_lines import connected, denied, failed
from tests.unit.monitoring.operations.world import NOW, Monitor


@dataclass
class Told:
    """What the watch noted and told; noting may fail."""

    lines: list[Operation] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    refusals: int = 0

    def note(self, operation: Operation) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unlogged("x")
        self.lines.append(operation)

    def __call__(self, fact: Fact) -> None:
        self.facts.append(fact)

    def kinds(self) -> list[tuple[Kind, str, int]]:
        return [(line.kind, line.actor, line.count) for line in self.lines]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    for name in ("authorizer.log", "network.log"):
        (directory / name).write_bytes(b"")
    return directory


def add(log: Path, *lines: bytes) -> None:
    with log.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def watch_until(monitor: Monitor, logs: Path | list[Path], told: Told, until: Callable[[], bool]) -> None:
    async def run(store: OperationsStore) -> None:
        stop = asyncio.Event()
        where = [logs] if isinstance(logs, Path) else logs
        watch = BrokerWatch(monitor, store, told.note, told, lambda: NOW, where, seconds=0.01, networks={})
        task = asyncio.create_task(watch.run(stop))
        async with asyncio.timeout(20):
            while not until():
                assert not task.done(), task.exception()
                await asyncio.sleep(0.005)
            stop.set()
            await task

    with monitor.open() as store:
        asyncio.run(run(store))


def unexpected(told: Told) -> int:
    return sum(fact.unexpected for fact in told.facts if isinstance(fact, BrokerSeen))


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    return Monitor(tmp_path)


def test_lines_become_lines_numbers_and_one_alarm_for_each_stranger(monitor: Monitor, logs: Path) -> None:
    told = Told()
    add(logs / "authorizer.log", *[denied("CN=portal")] * 7, b"garbage")
    add(logs / "network.log", connected("CN=stranger"), connected("CN=portal"), failed("plaintext connection"))
    watch_until(monitor, logs, told, lambda: unexpected(told) == 1)
    assert sorted(told.kinds()) == [
        (Kind.CONNECTED, "portal", 1),
        (Kind.DENIED, "portal", 7),
        (Kind.HANDSHAKE_REFUSED, "", 1),
        (Kind.PEER_UNEXPECTED, "stranger", 1),
    ]
    add(logs / "network.log", connected("CN=stranger"))
    again = Told()
    watch_until(monitor, logs, again, lambda: unexpected(again) == 1)
    assert again.kinds() == [(Kind.PEER_UNEXPECTED, "stranger", 1)], "another process goes on behind what was read"
    alarms = [fact for fact in told.facts if isinstance(fact, Alarm)]
    assert alarms == [Alarm("peer.unexpected", "stranger 10.0.0.7 undeclared")]
    assert sum(fact.unread for fact in told.facts if isinstance(fact, BrokerSeen)) == 1


def test_a_learned_address_is_known_to_the_next_process(monitor: Monitor, logs: Path) -> None:
    told, again = Told(), Told()
    add(logs / "network.log", connected("CN=portal"))
    watch_until(monitor, logs, told, lambda: bool(told.lines))
    add(logs / "network.log", connected("CN=portal").replace(b"10.0.0.7", b"10.0.0.8"))
    watch_until(monitor, logs, again, lambda: unexpected(again) == 1)
    assert [line.code for line in again.lines] == ["address"]


def test_what_cannot_be_noted_is_not_read(monitor: Monitor, logs: Path) -> None:
    told = Told(refusals=2)
    add(logs / "authorizer.log", denied("CN=portal"))
    watch_until(monitor, logs, told, lambda: bool(told.lines))
    assert told.kinds() == [(Kind.DENIED, "portal", 1)]
    assert Paused("broker-logs", "operations.unlogged", True) in told.facts
    assert Paused("broker-logs", "operations.unlogged", False) in told.facts


def test_a_log_that_cannot_be_read_makes_the_watch_blind_and_rings_once(monitor: Monitor, logs: Path) -> None:
    told = Told()
    (logs / "network.log").unlink()
    blind = Paused("broker-logs", "broker-logs.unreadable", True)
    seen = Paused("broker-logs", "broker-logs.unreadable", False)

    def sees_again() -> bool:
        if blind in told.facts and not (logs / "network.log").exists():
            add(logs / "network.log", connected("CN=portal"))
        return seen in told.facts and bool(told.lines)

    watch_until(monitor, logs, told, sees_again)
    assert told.facts.count(Alarm("broker-logs.unreadable", "broker-logs")) == 1
    assert told.facts.index(blind) < told.facts.index(seen)


def test_a_log_that_was_cut_off_rings_and_is_a_line(monitor: Monitor, logs: Path) -> None:
    told = Told()
    add(logs / "authorizer.log", denied("CN=portal"))

    def cut() -> bool:
        if told.lines and (logs / "authorizer.log").stat().st_size:
            (logs / "authorizer.log").write_bytes(b"")
        return len(told.lines) > 1

    watch_until(monitor, logs, told, cut)
    assert [(line.kind, line.code) for line in told.lines[1:]] == [(Kind.FAILED, "broker-logs.lost")]
    assert told.facts.count(Alarm("broker-logs.lost", "broker-logs")) == 1


WATCH = """
import sys
from pathlib import Path
from tests.unit.monitoring.operations.test_broker_logs import Told, watch_until
from tests.unit.monitoring.operations.world import Monitor

class Printed(Told):
    def note(self, operation):
        print(operation.kind.value, operation.count, flush=True)

watch_until(Monitor(Path(sys.argv[1])), Path(sys.argv[1]) / "logs", Printed(), lambda: False)
"""


def test_killed_between_noting_and_keeping_it_is_noted_again_and_never_left_out(monitor: Monitor, logs: Path) -> None:
    add(logs / "authorizer.log", *[denied("CN=portal")] * 3)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "HUB_CRASH_POINT": "collector.before-following"}
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(logs.parent)],
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"denied 3\n")
    told = Told()
    watch_until(monitor, logs, told, lambda: bool(told.lines))
    assert told.kinds() == [(Kind.DENIED, "portal", 3)]


def test_the_logs_of_several_brokers_are_read_each_once_and_none_is_missed_in_anothers(
    monitor: Monitor, tmp_path: Path
) -> None:
    places = [tmp_path / name for name in ("broker-1", "broker-2", "broker-3")]
    for number, place in enumerate(places):
        place.mkdir()
        for name in ("authorizer.log", "network.log"):
            (place / name).write_bytes(b"")
        for _ in range(number + 1):
            add(place / "authorizer.log", denied("CN=portal"))
    first = Told()
    watch_until(monitor, places, first, lambda: sum(line.count for line in first.lines) >= 6)
    again = Told()
    add(places[1] / "authorizer.log", denied("CN=portal"))
    watch_until(monitor, places[::-1], again, lambda: bool(again.lines))
    assert sum(line.count for line in first.lines) == 6
    assert again.kinds() == [(Kind.DENIED, "portal", 1)], "what was read was read, in whatever order they are named"
    assert not [fact for fact in first.facts + again.facts if isinstance(fact, Alarm) and "lost" in fact.code]
