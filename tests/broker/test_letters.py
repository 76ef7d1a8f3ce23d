"""The operator's desk on a real Kafka: replays that heal, replays that do not, discards, and power cuts between."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.operator.book import Filter, State
from consumers.operator.desk import LetterDesk, Many
from hub.envelope import records
from hub.envelope.reasons import Reason
from hub.envelope.signed import Signed
from tests.broker.router_stage import OTHER, TENANT, Session, Stage, events_of, until_letters, until_routed
from tests.kafka import TestKafka
from topics import names

pytestmark = pytest.mark.broker
ACTOR = "operator-1"


def now() -> datetime:
    return datetime.now(UTC)


def desk_of(stage: Stage) -> LetterDesk:
    return LetterDesk(stage.role("operator"), now)


async def statements(stage: Stage, topic: str | None = None) -> list[records.LetterResolved]:
    """The operator's statements on a topic (its own by default), in order."""
    found = await stage.read(topic or names.resolutions(stage.namespace))
    said = [each for each in found if (each.key or b"").startswith(b"resolved/")]
    return [records.LetterResolved.decode(Signed.parse(each.value or b"").body) for each in said]


def by_reason(reason: Reason, *, returned: bool = False) -> Many:
    return Many(Filter(reason=reason.value), returned)


async def test_a_session_that_is_announced_late_heals_by_replay_and_everybody_is_told(
    kafka: TestKafka, namespace: str, tmp_path: Path
) -> None:
    stage = await Stage.prepare(kafka, namespace, tmp_path)
    session = Session(stage)
    events = session.seal_many(5)
    desk = desk_of(stage)
    async with stage.router():
        await stage.submit(*events)
        await until_letters(stage, 5)
        await session.announce()
        outcome = await desk.replay(by_reason(Reason.UNKNOWN_SESSION), actor=ACTOR)
        outputs = await until_routed(stage, 5 + 5)
    assert len(outcome.done) == 5 and not outcome.skipped
    for records_ in outputs.values():
        assert events_of([each for each in records_ if not (each.key or b"").startswith(b"resolved/")]) == {
            event.key: 1 for event in events
        }
    said = await statements(stage)
    assert sorted(said, key=lambda each: each.key) == sorted(outcome.done, key=lambda each: each.key)
    assert {each.event.leaf for each in said if each.event} == {event.out.leaf for event in events}
    assert {(each.tenant, each.generation, each.actor) for each in said} == {(TENANT, 0, ACTOR)}
    for route in stage.topology.routes_of(TENANT):
        assert {each.key for each in await statements(stage, route.topic)} == {each.key for each in said}
    assert await statements(stage, names.audit(namespace, OTHER)) == []
    book = await desk.read()
    assert [known.state for known in book.all()] == [State.REPLAYED] * 5
