"""The log of one process: facts become lines on its disk whether Kafka is there or not, and its work never waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.envelope.operations import Kind, OperationEvent
from hub.facts import Alarm, EventsConfirmed, Fact, Lifecycle, StandingTaken
from hub.operations.facts import BrokersReached
from hub.operations.sender import SendingLock
from hub.operations.spool import Spool
from hub.role import Role
from monitoring.health import LoopBeat
from monitoring.operations.from_facts import configuration_hash
from monitoring.operations.of_process import ProcessLog, partitions_of
from tests.unit.standing.world import Office, laid_out


@pytest.fixture(scope="module")
def role(tmp_path_factory: pytest.TempPathFactory) -> Role:
    office = Office(tmp_path_factory.mktemp("home"))
    office.enrol()
    return office.role("router")


@pytest.fixture
def log(role: Role) -> Iterator[ProcessLog]:
    for file in role.state_directory.glob("operations.*"):
        file.unlink()
    made = ProcessLog(role, {"instance": "router-1"})
    yield made
    made.close()


def lines(role: Role) -> list[OperationEvent]:
    found = [OperationEvent.read(value, role.trust) for _, value in Spool(role).batch().lines]
    assert all(isinstance(each, OperationEvent) for each in found), found
    return found  # type: ignore[return-value]


def test_facts_become_lines_and_the_configuration_is_said_when_it_changes(role: Role, log: ProcessLog) -> None:
    for fact in (
        Lifecycle("started", {"command": "route"}),
        StandingTaken(1, 1, ("131041",)),
        StandingTaken(1, 1, ("131041",)),
        EventsConfirmed("review", 3),
        StandingTaken(2, 1, ("131041",)),
        Alarm("second-leaf", "somewhere"),
    ):
        log.observe(fact)
    for _ in range(5):
        log.observe(Alarm("second-leaf", "somewhere"))
    log.observe(LoopBeat(0.0))
    log.close()
    said = [each.operation for each in lines(role)]
    kinds = [each.kind for each in said]
    assert kinds == [Kind.STARTED, Kind.CONFIGURED, Kind.CONFIGURED, Kind.ALARM, Kind.ALARM]
    assert [each.count for each in said] == [1, 1, 1, 1, 5], "what was held back is written at the end"
    settings = '{"instance": "router-1"}'
    assert [each.code for each in said[1:3]] == [configuration_hash(settings, serial, 1) for serial in (1, 2)]


async def test_kafka_is_not_there_and_nothing_waits_for_it(role: Role, log: ProcessLog) -> None:
    facts: list[Fact] = []

    def observe(fact: Fact) -> None:
        facts.append(fact)
        log.observe(fact)

    async with log.sending(observe):
        log.observe(Lifecycle("started", {"command": "route"}))
        log.observe(Lifecycle("stopped", {"command": "route"}))
    assert BrokersReached(False, "kafka.unavailable") in facts
    log.close()
    kinds = [each.operation.kind for each in lines(role)]
    assert kinds[:2] == [Kind.STARTED, Kind.STOPPED] and Kind.DISCONNECTED in kinds
    lock = SendingLock(role.state_directory)
    assert lock.take(), "the next process may send"
    lock.release()


def test_the_topic_has_as_many_partitions_as_are_declared() -> None:
    assert partitions_of(laid_out()) == 3
