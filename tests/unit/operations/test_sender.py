"""From disk to Kafka: at least once, in order, the same bytes; what does not heal is not hammered at."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.envelope.operations import OperationEvent
from hub.facts import Alarm, Fact
from hub.operations import sender as sending
from hub.operations.facts import BrokersReached, OperationSent, OperationsWaiting
from hub.operations.sender import Sender, SendingLock, partition_of
from hub.operations.spool import Spool
from hub.operations.telling import MAX_QUEUED, Teller
from hub.transport import BrokerUnavailable, NotAuthorized, Outgoing, TransportError
from tests.unit.cluster import Cluster, ListWriter
from tests.unit.operations.test_spool import child
from tests.unit.operations.world import TOPIC, alarm, said, spool, viewed, waiting

PARTITIONS = 3


class Writer(ListWriter):
    """Also disconnects, and says how often it was asked."""

    def __init__(self, endpoint: Cluster) -> None:
        super().__init__(endpoint)
        self.asked = 0
        self.closed = 0

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        self.asked += 1
        return await super().write(topic, partition, records)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


def made(log: Spool, directory: Path, cluster: Cluster, facts: list[Fact]) -> tuple[Sender, Writer]:
    writer = Writer(cluster)
    lock = SendingLock(directory)
    return Sender(log, lock, writer, TOPIC, PARTITIONS, facts.append, poll_seconds=0.02), writer


def on_topic(cluster: Cluster) -> list[OperationEvent]:
    """What is on the topic, asserted to lie on one partition per log with its key."""
    lines = []
    for (topic, partition), records in cluster.records.items():
        assert topic == TOPIC
        for record in records:
            line = OperationEvent.parse(record.value or b"")[0]
            assert record.key == line.key.encode() and partition == partition_of(line.log, PARTITIONS)
            lines.append(line)
    return lines


@asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(sender.run(stop))
    try:
        yield
    finally:
        stop.set()
        sender.wake()
        await task


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


async def test_all_that_waits_is_sent_in_order_and_told(tmp_path: Path) -> None:
    log, cluster, facts = spool(tmp_path), Cluster(), []  # type: ignore[var-annotated]
    for number in range(1_200):
        log.tell([alarm(number)]) if number % 400 == 0 else None
    log.tell([alarm(number) for number in range(1_200)])
    sender, writer = made(log, tmp_path, cluster, facts)
    assert await sender.drain() and writer.closed == 1 and writer.asked == 3
    lines = on_topic(cluster)
    assert [each.sequence for each in lines] == list(range(1_203))
    assert [fact.line for fact in facts if isinstance(fact, OperationSent)] == lines
    assert facts[0] == BrokersReached(True) and not waiting(log)


async def test_lines_of_other_processes_are_noticed_and_own_ones_at_once(tmp_path: Path) -> None:
    log, other, cluster = spool(tmp_path), spool(tmp_path), Cluster()
    facts: list[Fact] = []
    sender, _ = made(log, tmp_path, cluster, facts)
    teller = Teller(log, written=sender.wake)
    async with running(sender):
        other.note(viewed(1))
        await until(lambda: len(on_topic(cluster)) == 1)
        teller.tell(alarm(1))
        await until(lambda: len(on_topic(cluster)) == 2 and not waiting(log))
    teller.close()
    assert said(on_topic(cluster)) == ["officer-1", "part-1"]
    assert OperationsWaiting(0, False) in facts


async def test_while_kafka_is_away_lines_wait_and_then_come_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_PAUSES", (0.01,))
    log, cluster = spool(tmp_path, lines=8), Cluster(away=True)
    facts: list[Fact] = []
    sender, writer = made(log, tmp_path, cluster, facts)
    async with running(sender):
        log.note(viewed(0))
        await until(lambda: writer.asked >= 3)
        assert facts.count(BrokersReached(False, "kafka.unavailable")) == 1
        assert OperationsWaiting(1, False) in facts
        for number in range(1, 8):
            log.note(viewed(number))
        await until(lambda: OperationsWaiting(8, True) in facts)
        assert facts.count(Alarm("operations.unlogged", "operations")) == 1
        cluster.away = False
        await until(lambda: OperationsWaiting(0, False) in facts)
    assert [each.sequence for each in on_topic(cluster)] == list(range(8))
    assert facts.count(BrokersReached(True)) == 1


@pytest.mark.parametrize("refusal", [BrokerUnavailable, NotAuthorized])
async def test_what_does_not_heal_is_told_and_asked_again_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: type[TransportError]
) -> None:
    monkeypatch.setattr(sending, "_PAUSES", (0.01,))
    log, cluster = spool(tmp_path), Cluster()
    cluster.trouble["write"] = [refusal() for _ in range(50)]
    facts: list[Fact] = []
    sender, writer = made(log, tmp_path, cluster, facts)
    log.note(viewed())
    async with running(sender):
        if refusal.retriable:
            await until(lambda: writer.asked == 51 and not waiting(log))
        else:
            await until(lambda: writer.asked == 1)
            await asyncio.sleep(0.3)
            assert writer.asked == 1 and waiting(log), "nothing is dropped"
    assert (Alarm(refusal.code, "operations") in facts) is not refusal.retriable


async def test_one_process_of_a_role_sends(tmp_path: Path) -> None:
    log, cluster = spool(tmp_path), Cluster()
    log.note(viewed())
    held = SendingLock(tmp_path)
    assert held.take() and held.take()
    sender, writer = made(log, tmp_path, cluster, [])
    assert not await sender.drain() and not writer.asked
    held.release()
    assert await sender.drain() and len(on_topic(cluster)) == 1


async def test_a_damaged_file_rings_and_ends_nothing(tmp_path: Path) -> None:
    log, cluster = spool(tmp_path), Cluster()
    facts: list[Fact] = []
    (tmp_path / "operations.db").write_bytes(b"no database" * 500)
    sender, _ = made(log, tmp_path, cluster, facts)
    async with running(sender):
        await until(lambda: Alarm("operations.damaged", "operations") in facts)
        assert OperationsWaiting(0, True) in facts


CRASHES = """
import asyncio, sys
from pathlib import Path
from tests.unit.cluster import Cluster
from tests.unit.operations.test_sender import Writer, made
from tests.unit.operations.world import spool, viewed

class ToFile(Writer):
    async def write(self, topic, partition, records):
        with open(sys.argv[2], "a") as out:
            for each in records:
                out.write(f"{each.key.decode()} {each.value.hex()}\\n")
        return []

async def main():
    directory = Path(sys.argv[1])
    log = spool(directory)
    for number in range(int(sys.argv[3])):
        log.note(viewed(number))
    sender, _ = made(log, directory, Cluster(), [])
    sender._writer = ToFile(Cluster())
    await sender.drain()

asyncio.run(main())
"""


@pytest.mark.parametrize("point", ["operations.after-append", "operations.after-send", "operations.after-mark"])
def test_killed_anywhere_each_line_arrives_at_least_once_and_is_the_same(tmp_path: Path, point: str) -> None:
    topic, mark = tmp_path / "topic", tmp_path / "mark"
    topic.touch()
    crash = {"HUB_CRASH_POINT": point, "HUB_CRASH_MARK": str(mark)}
    process = child(CRASHES, tmp_path / "state", topic, 5, **crash)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and mark.read_text() == point
    before = len(topic.read_text().splitlines())
    again = child(CRASHES, tmp_path / "state", topic, 1)
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    values = [bytes.fromhex(line.split()[1]) for line in topic.read_text().splitlines()]
    by_id: dict[str, set[bytes]] = {}
    for value in values:
        by_id.setdefault(OperationEvent.parse(value)[0].event_id, set()).add(value)
    noted = 1 if point == "operations.after-append" else 5
    assert len(by_id) == noted + 1 and all(len(forms) == 1 for forms in by_id.values())
    assert [OperationEvent.parse(each)[0].sequence for each in dict.fromkeys(values)] == list(range(noted + 1))
    assert len(values) - len(by_id) == (before if point == "operations.after-send" else 0)


def test_the_teller_counts_what_it_cannot_keep(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    log = spool(tmp_path / "state")
    teller = Teller(log)
    for number in range(3):
        teller.tell(alarm(number))
    assert teller.flush() and teller.failing
    (tmp_path / "state").unlink()
    teller.tell(alarm(9))
    teller.close()
    lines = waiting(log)
    assert not teller.failing and said(lines) == ["operations", "part-9"] and lines[0].operation.count == 3


def test_the_teller_has_a_bound_and_what_is_beyond_it_is_counted(tmp_path: Path) -> None:
    log = spool(tmp_path)
    log.note(viewed())
    db = sqlite3.connect(tmp_path / "operations.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")  # nobody can write
    teller = Teller(log)
    for number in range(3 * MAX_QUEUED):
        teller.tell(alarm(number))
    db.execute("COMMIT")
    db.close()
    teller.close(20.0)
    lines = waiting(log)[1:]
    lost = sum(each.operation.count for each in lines if each.operation.code == "operations.lost")
    assert lost >= MAX_QUEUED
    assert sum(each.operation.count for each in lines) == 3 * MAX_QUEUED


def test_the_partition_depends_on_the_log_alone() -> None:
    logs = [os.urandom(16) for _ in range(300)]
    assert {partition_of(each, 3) for each in logs} == {0, 1, 2}
    assert [partition_of(each, 3) for each in logs] == [partition_of(each, 3) for each in logs]
