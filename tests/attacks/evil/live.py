"""Attacks on the portal and the router, at work through the operator; what came of it is seen at fresh desks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assurance.reconcile import Kind
from consumers.audit.consumer import verify_store
from hub.facts import BatchRouted, Fact
from hub.producing.journal import read_events
from hub.producing.journal_rows import EventState
from hub.transport import KafkaRecord
from portal.producer import JOURNAL, PortalProducer
from schemas.generator import generate
from tests.attacking.plugin import Attack
from tests.attacks.evil.copies import Rule
from tests.attacks.evil.lanes import announced, lost_at
from tests.attacks.evil.stage import EvilStage, alarms_in, until
from tests.attacks.evil.tampering import header_of, is_event
from tests.broker.router_stage import PARTITIONS, TENANT
from topics import names
from topics.partition import partition_for

Edit = Callable[[KafkaRecord], Iterable[KafkaRecord]]
RECEIPT = "60 s after it was acknowledged"
SOON = 1.2
"""seconds after which a portal under attack misses a receipt; 60 in production"""


@dataclass
class Live:
    """A portal and a router through the operator."""

    stage: EvilStage
    attack: Attack
    seed: int
    state: str
    """the portal's own state directory: its journal begins with this flow"""
    edits: dict[str, tuple[str, Edit]] = field(default_factory=dict)
    """by receipt number: what becomes of an event on its way to the router, and what the attempt is called"""
    _made: dict[int, tuple[str, KafkaRecord]] = field(default_factory=dict)
    _documents: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        made = generate(self.seed, 80, [TENANT], start=datetime.now(UTC))
        self._documents = [each for each in made if "attachments" not in each]
        self.topic = names.submissions(self.stage.namespace)
        self.places = [(self.topic, number) for number in range(PARTITIONS)]
        self.stage.evil.copies.lie("router", self.topic, self._rule)

    def document(self, partition: int | None = None) -> dict[str, Any]:
        """An artificial submission that nobody has sent yet, for a partition."""
        for place, each in enumerate(self._documents):
            if partition in (None, partition_for(each["receipt_number"], PARTITIONS)):
                return self._documents.pop(place)
        raise AssertionError("too few documents")

    def planned(self, name: str, how: Edit) -> dict[str, Any]:
        """A submission with which this will be done before the router sees it."""
        made = self.document()
        self.edits[made["receipt_number"]] = (name, how)
        return made

    def _rule(self, partition: int, records: Sequence[KafkaRecord]) -> list[KafkaRecord]:
        shown: list[KafkaRecord] = []
        for record in records:
            name, how = self.edits.get(header_of(record).receipt_number if is_event(record) else "", ("", _as_it_is))
            for made in how(record):
                if name:
                    self._made[id(made)] = (name, made)
                shown.append(made)
        return shown

    def show(self, name: str, partition: int, record: KafkaRecord) -> None:
        """Show the router one record more, now."""
        made = replace(record)
        self._made[id(made)] = (name, made)
        self.seen(partition).append(made)

    def seen(self, partition: int) -> list[KafkaRecord]:
        """What the router sees of a partition."""
        return self.stage.evil.copies.log("router", (self.topic, partition))

    def named(self, partition: int, offset: int) -> str:
        """Which attempt the record at a place was."""
        return self._made.get(id(self.seen(partition)[offset]), ("", None))[0]

    @asynccontextmanager
    async def portal(self, **options: Any) -> AsyncIterator[tuple[PortalProducer, list[Fact]]]:
        """The portal, a session for as long as the context is open."""
        facts: list[Fact] = []
        role = self.stage.role("portal", self.state)
        async with PortalProducer(role, lambda fact: facts.append(fact), overdue_seconds=SOON, **options) as portal:
            yield portal, facts

    @property
    def journal(self) -> Path:
        return self.stage.directory / self.state / "state" / JOURNAL

    def unreceipted(self) -> set[str]:
        """Events that were acknowledged to this portal and that no review desk has signed for."""
        return {each.event_id for each in read_events(self.journal) if each.state is EventState.ACKNOWLEDGED}

    async def missed_by_portal(self, facts: list[Fact], hidden: Iterable[str]) -> str:
        """Wait until the portal misses the receipts of these events and of no others; returns the alarm's code."""
        await until(lambda: self.unreceipted() == set(hidden), "receipts of the others")
        await until(lambda: alarms_in(facts)["receipt.overdue"], f"the portal's alarm, not {alarms_in(facts)}")
        return "receipt.overdue"

    async def missed_by_audit(self, code: str, *hidden: bytes) -> set[str]:
        """Let a fresh audit desk ring `code`, and say what it lacks; some sessions are not announced to it.

        There must be more of it than when this was asked before: troubles stay in the log.
        """
        stage, victim = self.stage, f"audit-{TENANT}"
        stage.evil.copies.anew(victim)
        await stage.evil.settled()
        stage.evil.copies.lie(victim, names.sessions(stage.namespace), without(hidden))
        async with stage.desk(victim) as desk:
            await desk.through_all()
            desk.clock.a_minute_passes()
            await desk.looked()
            troubles = Counter(verify_store(desk.role, desk.store, desk.clock.now_ms()).troubles)
            if code:
                await desk.rings(code)
                assert troubles[code] > stage.known[code], "what rang is what was there before"
            else:
                assert "missing-predecessor" not in desk.alarms()
            stage.known = troubles
            return lost_at(desk, Kind.AUDIT, self.journal)

    def sessions(self) -> list[bytes]:
        """The sessions that are really announced, oldest first."""
        found = self.stage.evil.copies.honest((names.sessions(self.stage.namespace), 0))
        return list(dict.fromkeys(session for each in found if (session := announced(each)) is not None))

    @asynccontextmanager
    async def router(self) -> AsyncIterator[Router]:
        """The router; wait for `through` before the context ends."""
        self.stage.evil.resumed.clear()
        async with self.stage.stage.router(self.stage.role("router")) as facts:
            yield Router(self, facts)


@dataclass
class Router:
    """A router at work, and what it says."""

    live: Live
    facts: list[Fact]

    async def through(self) -> None:
        """Wait until it has routed or refused all that it was shown since it was started."""
        await self.live.stage.evil.settled()

        def done() -> bool:
            start = self.live.stage.evil.resumed
            shown = sum(len(self.live.seen(number)) - start.get(number, 0) for number in range(PARTITIONS))
            batches = [fact for fact in self.facts if isinstance(fact, BatchRouted)]
            return len(start) == PARTITIONS and shown == sum(
                sum(each.events.values()) + each.checkpoints + sum(each.dead_letters.values()) for each in batches
            )

        await until(done, f"the router is not through: {alarms_in(self.facts)}")


def _as_it_is(record: KafkaRecord) -> Iterable[KafkaRecord]:
    return [record]


def without(sessions: Collection[bytes]) -> Rule:
    """A rule for a topic of announcements: all but these."""
    return lambda partition, new: [each for each in new if announced(each) not in sessions]


async def submitted(portal: PortalProducer, *documents: dict[str, Any]) -> list[str]:
    """Submit; returns the event ids."""
    answers = [await portal.submit(json.dumps(each).encode()) for each in documents]
    assert {answer.status for answer in answers} == {"accepted"}
    return [str(answer.event_id) for answer in answers]
