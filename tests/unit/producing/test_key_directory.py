"""Only keys that their owner and the administrator have signed are sealed to."""

from __future__ import annotations

import asyncio

import pytest

from hub.facts import Alarm, Fact
from hub.producing.errors import AudienceKeyMissing, AudienceKeyRefused
from hub.producing.key_directory import KeyDirectory
from hub.transport import KafkaRecord
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.producing.world import NOW, World


class Topic:
    """The audiences topic: what has been published since the last look."""

    def __init__(self) -> None:
        self._new: list[KafkaRecord] = []

    def publish(self, key: bytes, value: bytes | None) -> None:
        self._new.append(KafkaRecord("rehearsal.audiences", 0, len(self._new), 0, key, value))

    async def read_to_end(self) -> list[KafkaRecord]:
        await asyncio.sleep(0)
        found, self._new = self._new, []
        return found


def directory(
    topic: Topic, used: dict[str, tuple[int, bytes]] | None = None, facts: list[Fact] | None = None
) -> KeyDirectory:
    return KeyDirectory(
        topic, World().trust, (used or {}).get, facts.append if facts is not None else lambda fact: None
    )


async def test_published_key_is_found_and_next_months_is_not_taken_yet() -> None:
    topic, world = Topic(), World()
    topic.publish(*world.audience_key("router"))
    topic.publish(*world.audience_key("router", 202612))
    topic.publish(*world.audience_key("review-131041"))
    found = await directory(topic).current(["review-131041", "router"], NOW)
    assert [(each.key.audience, each.key.epoch) for each in found] == [
        ("review-131041", 202611),
        ("router", 202611),
    ]


@pytest.mark.parametrize("signers", [("router",), ("admin",), ("portal", "admin"), ("router", "operator")])
async def test_key_without_both_signatures_does_not_count(signers: tuple[str, ...]) -> None:
    topic, facts = Topic(), list[Fact]()
    topic.publish(*World().audience_key("router", signers=signers))
    with pytest.raises(AudienceKeyMissing):
        await directory(topic, facts=facts).current(["router"], NOW)
    assert [fact.code for fact in facts if isinstance(fact, Alarm)] == ["audience-key.refused"]


async def test_key_filed_under_another_audience_does_not_count() -> None:
    topic, world = Topic(), World()
    _, value = world.audience_key("helpdesk-131041")
    key, _ = world.audience_key("review-131041")
    topic.publish(key, value)
    with pytest.raises(AudienceKeyMissing):
        await directory(topic).current(["review-131041"], NOW)


async def test_older_epoch_and_exchanged_key_are_refused(attack: Attack) -> None:
    tried = attack(
        Attacker.CONTRACTOR, "rolls an audience key back to an older month, or exchanges it within the month"
    )
    topic, world = Topic(), World()
    topic.publish(*world.audience_key("router"))
    with pytest.raises(AudienceKeyRefused):
        await directory(topic, {"router": (202612, b"later")}).current(["router"], NOW)
    topic.publish(*world.audience_key("router"))
    with pytest.raises(AudienceKeyRefused):
        await directory(topic, {"router": (202611, b"another")}).current(["router"], NOW)
    tried.prevented(by="portal", how="`AudienceKeyRefused`: no session is opened", within="the next session")


async def test_withdrawn_key_is_gone_and_a_new_one_is_seen_without_a_restart() -> None:
    topic, world = Topic(), World()
    keys = directory(topic)
    key, value = world.audience_key("router")
    topic.publish(key, value)
    await keys.current(["router"], NOW)
    topic.publish(key, None)
    with pytest.raises(AudienceKeyMissing):
        await keys.current(["router"], NOW)
    topic.publish(*world.audience_key("router"))
    await keys.current(["router"], NOW)


class Slow(Topic):
    """A topic whose end takes a while to reach, as Kafka's does."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0
        self.gate = asyncio.Event()

    async def read_to_end(self) -> list[KafkaRecord]:
        self.readings += 1
        found = await super().read_to_end()
        await self.gate.wait()
        return found


async def test_who_asks_together_shares_a_reading_but_none_that_began_before() -> None:
    topic, world = Slow(), World()
    keys = directory(topic)
    topic.publish(*world.audience_key("review-131041"))
    first = asyncio.create_task(keys.current(["review-131041"], NOW))
    while not topic.readings:  # noqa: ASYNC110 - a test looks from outside
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    topic.publish(*world.audience_key("router"))  # behind what is being read
    later = [asyncio.create_task(keys.current(["router"], NOW)) for _ in range(50)]
    await asyncio.sleep(0)
    topic.gate.set()
    assert len(await first) == 1
    assert all(len(found) == 1 for found in await asyncio.gather(*later))
    assert topic.readings == 2


async def test_a_reading_that_fails_is_nobodys() -> None:
    topic, world = Slow(), World()
    keys = directory(topic)
    reading = topic.read_to_end

    async def fails() -> list[KafkaRecord]:
        await asyncio.sleep(0)
        topic.read_to_end = reading  # type: ignore[method-assign]
        raise OSError

    topic.read_to_end = fails  # type: ignore[method-assign]
    topic.gate.set()
    topic.publish(*world.audience_key("router"))
    asked = [asyncio.create_task(keys.current(["router"], NOW)) for _ in range(2)]
    one, other = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(one, OSError)
    assert not isinstance(other, BaseException) and len(other) == 1
