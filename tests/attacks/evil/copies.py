"""What the operator has, and what it lets each principal see of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from hub.transport import Endpoint, KafkaRecord, PartitionReader

Place = tuple[str, int]
"""topic, partition"""
Rule = Callable[[int, Sequence[KafkaRecord]], Iterable[KafkaRecord]]
"""(partition, records that are new there) → what is appended to the victim's copy"""


class Honest:
    """Everything that is really there, as the super user reads it: committed records in order."""

    def __init__(self, endpoint: Endpoint, places: Iterable[Place]) -> None:
        self._reader = PartitionReader(endpoint, dict.fromkeys(places))
        self._task: asyncio.Task[None] | None = None
        self.log: defaultdict[Place, list[KafkaRecord]] = defaultdict(list)
        self.news = asyncio.Event()

    async def start(self) -> None:
        await self._reader.start()
        self._task = asyncio.create_task(self._follow(), name="operator")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._reader.close()

    async def _follow(self) -> None:
        while True:
            for record in await self._reader.poll(16 * 2**20, 500):
                self.log[record.topic, record.partition].append(record)
            news, self.news = self.news, asyncio.Event()
            news.set()

    async def until_now(self, places: Iterable[Place]) -> None:
        """Have everything that was acknowledged before the call."""
        ends = await self._reader.end_offsets()
        for place in places:
            while await self._reader.position(place) < ends.get(place, 0):  # noqa: ASYNC110 - the follower's doing
                await asyncio.sleep(0.005)
        await asyncio.sleep(0)  # what was polled is in the log when the follower had its turn


class Copies:
    """One log per principal and partition, offsets from 0 without gaps; without a rule it is the honest one."""

    def __init__(self, honest: Honest) -> None:
        self._honest = honest
        self.rules: dict[tuple[str, str], Rule] = {}
        self.ends: dict[tuple[str, str], int] = {}
        """how far a topic goes at most, when a principal asks where it ends"""
        self._logs: defaultdict[tuple[str, Place], list[KafkaRecord]] = defaultdict(list)
        self._taken: defaultdict[tuple[str, Place], int] = defaultdict(int)

    def lie(self, principal: str, topic: str, rule: Rule) -> None:
        """From now on let what is new pass through this rule."""
        self.rules[principal, topic] = rule

    def anew(self, principal: str) -> None:
        """Forget what the principal was shown, and be honest to it; for one that begins from nothing."""
        self.rules = {key: rule for key, rule in self.rules.items() if key[0] != principal}
        self.ends = {key: end for key, end in self.ends.items() if key[0] != principal}
        for key in [key for key in self._logs if key[0] == principal]:
            del self._logs[key]
            self._taken.pop(key, None)

    def show(self, principal: str, place: Place, records: Sequence[KafkaRecord]) -> None:
        """Show this in place of all that is there by now; what comes later follows it, by the rule if there is one."""
        self._taken[principal, place] = len(self._honest.log[place])
        self._logs[principal, place] = list(records)

    def honest(self, place: Place) -> list[KafkaRecord]:
        """What really is there."""
        return list(self._honest.log[place])

    def log(self, principal: str, place: Place) -> list[KafkaRecord]:
        """What the principal sees of a partition now; a test may change it."""
        log, taken = self._logs[principal, place], self._taken[principal, place]
        new = self._honest.log[place][taken:]
        if new:
            self._taken[principal, place] = taken + len(new)
            rule = self.rules.get((principal, place[0]))
            log.extend(new if rule is None else rule(place[1], new))
        return log

    def end(self, principal: str, place: Place) -> int:
        """Where the principal is told that a partition ends."""
        return min(len(self.log(principal, place)), self.ends.get((principal, place[0]), 2**62))
