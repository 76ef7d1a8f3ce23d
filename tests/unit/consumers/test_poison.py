"""No bytes stop a desk: whatever lies on its topics is judged, never raised."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.audit.judge import Announcements
from consumers.letters import Letters
from hub.reading.intake import Refused, session_named
from hub.transport import KafkaRecord
from tests.unit.consumers.world import NAMESPACE, NOW, NOW_MS, REVIEW, TENANT, Portal, World
from topics import names

TOPIC = names.review(NAMESPACE, TENANT)


@pytest.fixture(scope="module")
def world() -> World:
    return World(Path(tempfile.mkdtemp()))


@pytest.fixture(scope="module")
def samples(world: World) -> list[bytes]:
    """One good value of each kind that may lie on a desk's topics."""
    portal = Portal(world)
    event = portal.seal(1)
    notice = world.notice(TOPIC, event).value
    assert notice is not None
    return [
        event.copy(REVIEW),
        event.copy(None),
        event.out.value,
        portal.checkpoint(event.header.partition)[1],
        portal.close()[1],
        portal.secrets.signed,
        notice,
    ]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_mutation_is_judged(world: World, samples: list[bytes], data: st.DataObject) -> None:
    value = bytearray(data.draw(st.sampled_from(samples)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert", "end"])):
            case "set":
                value[at] = data.draw(st.integers(0, 255))
            case "cut":
                del value[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                value[at:at] = data.draw(st.binary(max_size=40))
            case _:
                del value[at + 1 :]
        if not value:
            break
    judge_all(world, bytes(value), data.draw(st.none() | st.binary(max_size=80)))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.none() | st.binary(max_size=400), key=st.none() | st.binary(max_size=80))
def test_every_garbage_is_a_letter(world: World, value: bytes | None, key: bytes | None) -> None:
    judge_all(world, value, key)


def judge_all(world: World, value: bytes | None, key: bytes | None) -> None:
    record = KafkaRecord(TOPIC, 1, 5, NOW_MS, key, value)
    session_named(value)
    letters: Letters = world.letters(REVIEW)
    for audience in (REVIEW, None):
        outcome = world.intake(audience).take(record, NOW)
        if isinstance(outcome, Refused):
            assert letters.write(record, outcome, NOW_MS).value
    Announcements(TENANT, world.sessions, lambda: world.trust).take(record, NOW)
