"""Attacks on what belongs together: a tail, a partition, a session with its announcement, the order, what was read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assurance.reconcile import Entry, Flow, Kind, Report, State, compare
from consumers.reporting import entries
from hub.envelope.records import ReportEntry, Session, SessionClose
from hub.envelope.signed import Signed
from hub.transport import KafkaRecord, OffsetGone
from portal.producer import JOURNAL
from portal.report import report_entries
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.attacks.evil.copies import Place
from tests.attacks.evil.singles import CALLED, MINUTE
from tests.attacks.evil.stage import Desk, EvilStage
from tests.attacks.evil.tampering import is_checkpoint, is_event, session_of
from tests.broker.router_stage import PARTITIONS, TENANT
from topics import names

Cut = Callable[[Place, Sequence[KafkaRecord]], list[KafkaRecord]]
RECONCILE = "the next reconciliation"
_KINDS = {"review": Kind.REVIEW, "helpdesk": Kind.HELPDESK, "audit": Kind.AUDIT}


def announced(record: KafkaRecord) -> bytes | None:
    """The session that a record of a sessions topic opens or closes."""
    signed = Signed.parse(record.value or b"")
    return SessionClose.decode(signed.body).session if signed.name == SessionClose.RECORD else signed.hash


class Lanes:
    """One desk and the operator between it and the honest history."""

    def __init__(self, stage: EvilStage, attack: Attack, kind: str) -> None:
        self.stage, self.attack, self.kind = stage, attack, kind
        self.victim, self.by = f"{kind}-{TENANT}", CALLED[kind]
        self.topic = names.of_tenant(stage.namespace, TENANT, kind)
        self.places = [(self.topic, number) for number in range(PARTITIONS)]
        self.announcements = (names.sessions(stage.namespace), 0)
        copies = stage.evil.copies
        portal = [Session.decode(Signed.parse(each.value or b"").body) for each in self._honest_sessions()]
        self.first, self.last = (each.id for each in portal)
        self.events = {place: [each for each in copies.honest(place) if is_event(each)] for place in self.places}

    def _honest_sessions(self) -> list[KafkaRecord]:
        """The two sessions of the portal with this city, as they were announced."""
        found = self.stage.evil.copies.honest((names.sessions(self.stage.namespace), 0))
        signed = [(each, Signed.parse(each.value or b"")) for each in found]
        return [
            each
            for each, record in signed
            if record.name == Session.RECORD and Session.decode(record.body).tenant == TENANT
        ]

    def show(self, cut: Cut, *more: Place) -> int:
        """Show the desk what `cut` leaves of its topic's partitions, and of more; return how many events that costs."""
        copies, cost = self.stage.evil.copies, 0
        copies.anew(self.victim)
        for place in (*self.places, *more):
            honest = copies.honest(place)
            left = cut(place, honest)
            copies.show(self.victim, place, left)
            if place in self.places:
                cost += sum(map(is_event, honest)) - sum(map(is_event, left))
        return cost

    async def watched(self, desk: Desk) -> None:
        """Let the desk read all, let a minute pass, and let it look."""
        await desk.through_all()
        desk.clock.a_minute_passes()
        await desk.looked()

    def lost(self, desk: Desk) -> int:
        """How many events reconciliation finds lost at this desk, of what the portal says that it sent."""
        return len(lost_at(desk, _KINDS[self.kind], self.stage.directory / "portal/state" / JOURNAL))

    async def run(self, what: str, cost: int, rings: str, within: str) -> None:
        """Run the desk on what it is shown; `rings`: the alarm that an audit desk must ring, the others cannot."""
        tried = self.attack(Attacker.BROKER, what.format(self.by), Verdict.DETECTED)
        async with self.stage.desk(self.victim) as desk:
            await self.watched(desk)
            assert cost and self.lost(desk) == cost
            if self.kind == "audit":
                tried.detected(by=self.by, how=f"alarm `{await desk.rings(rings)}`", within=within)
            else:
                assert not desk.alarms(), "then the row is to say so"
                tried.detected(by="reconciliation", how=f"`lost` at {self.kind}", within=RECONCILE)


def lost_at(desk: Desk, kind: Kind, journal: Path) -> set[str]:
    """The events that a portal says it sent, and that reconciliation finds lost at a desk."""
    now = datetime.now(UTC)
    sent, had = list(report_entries(journal)), list(entries(desk.store))
    mine = [
        Report("portal", None, Kind.PORTAL, now, _entries(sent)),
        Report(desk.role.principal, TENANT, kind, now, _entries(had)),
    ]
    found = compare(Flow(Kind.PORTAL, (kind,)), mine).lost
    assert found.count == len(found.listed), "more than are listed one by one"
    return {each.event_id for each in found.listed if (each.tenant, each.at) == (TENANT, kind)}


def _entries(found: Sequence[ReportEntry]) -> tuple[Entry, ...]:
    return tuple(Entry(each.tenant, each.event_id, each.leaf, State(each.state)) for each in found)


def _without(sessions: Collection[bytes], place: Place) -> Cut:
    """Leave these sessions out, with their announcements and closes if `place` is the topic of those."""

    def cut(at: Place, records: Sequence[KafkaRecord]) -> list[KafkaRecord]:
        named = announced if at == place else session_of
        return [each for each in records if named(each) not in sessions]

    return cut


async def withheld(lanes: Lanes) -> None:
    """A tail, a partition, and each session with all that speaks of it."""
    longest = max(lanes.places, key=lambda place: len(lanes.events[place]))
    # right behind a checkpoint: else the desk would hold events that no checkpoint confirms
    middle = next(each.offset for each in lanes.stage.evil.copies.honest(longest) if is_checkpoint(each)) + 1

    def tail(place: Place, records: Sequence[KafkaRecord]) -> list[KafkaRecord]:
        return [each for each in records if place != longest or each.offset < middle]

    def partition(place: Place, records: Sequence[KafkaRecord]) -> list[KafkaRecord]:
        return [] if place == longest else list(records)

    end = "60 s after the session's close"
    await lanes.run("withholds the tail of a partition from the {}", lanes.show(tail), "checkpoint-gap", end)
    await lanes.run("withholds a whole partition from the {}", lanes.show(partition), "checkpoint-gap", end)
    where = lanes.announcements
    cost = lanes.show(_without({lanes.first}, where), where)
    what = "withholds a whole session with its announcement from the {}, and shows the next"
    await lanes.run(what, cost, "missing-predecessor", "60 s after the next session's announcement")
    cost = lanes.show(_without({lanes.last}, where), where)
    what = "withholds the newest session with its announcement from the {}"
    await lanes.run(what, cost, "receipt-without-event", "60 s after the review desk's receipt")


async def unclosed(lanes: Lanes) -> None:
    """The close of a session is withheld from an audit desk, which alone reads it."""
    where = lanes.announcements

    def cut(place: Place, records: Sequence[KafkaRecord]) -> list[KafkaRecord]:
        closes = [each for each in records if place == where and announced(each) == lanes.first][1:]
        return [each for each in records if each not in closes]

    lanes.show(cut, where)
    tried = lanes.attack(Attacker.BROKER, f"withholds the close of a session from the {lanes.by}", Verdict.DETECTED)
    async with lanes.stage.desk(lanes.victim) as desk:
        await lanes.watched(desk)
        alarm = await desk.rings("missing-close")
        assert desk.alarms() == {alarm: 1}
    tried.detected(by=lanes.by, how=f"alarm `{alarm}`", within="60 s after the next session, or after its own end")


async def unannounced(lanes: Lanes) -> None:
    """Events are shown, and the announcement of their session is not; or the topic is said to end before it."""
    where = lanes.announcements
    whole = {each.key for place in lanes.places for each in lanes.events[place]}

    def cut(place: Place, records: Sequence[KafkaRecord]) -> list[KafkaRecord]:
        return [each for each in records if place != where or announced(each) != lanes.first]

    for what, lie in (
        ("withholds only the announcement of a session from the {}", lambda: lanes.show(cut, where)),
        ("tells the {} that the sessions topics end where they ended long ago", lambda: _old_end(lanes)),
    ):
        lie()
        tried = lanes.attack(Attacker.BROKER, what.format(lanes.by), Verdict.DETECTED)
        await lanes.stage.new_letters(lanes.victim)
        async with lanes.stage.desk(lanes.victim) as desk:
            await desk.through_all()
            stored = sum(row.event.topic == lanes.topic for row in desk.store.events())
        letters = [each for each in await lanes.stage.new_letters(lanes.victim) if each.place.topic == lanes.topic]
        (reason,) = {each.reason for each in letters}
        refused = len(whole) - stored
        assert sum(is_event(_at(lanes, each.place.partition, each.place.offset)) for each in letters) == refused > 0
        tried.detected(by=lanes.by, how=f"dead letter `{reason.value}`, replayed when it is there", within="its batch")


def _at(lanes: Lanes, partition: int, offset: int) -> KafkaRecord:
    return lanes.stage.evil.copies.log(lanes.victim, (lanes.topic, partition))[offset]


def _old_end(lanes: Lanes) -> None:
    copies, namespace = lanes.stage.evil.copies, lanes.stage.namespace
    copies.anew(lanes.victim)
    for topic in (names.sessions(namespace), names.desk_sessions(namespace, TENANT)):  # read together
        copies.ends[lanes.victim, topic] = 0


async def disordered(lanes: Lanes) -> None:
    """Checkpoints withheld, order turned round, events held back for more than a minute."""
    cost = lanes.show(lambda place, records: [each for each in records if not is_checkpoint(each)])
    tried = lanes.attack(Attacker.BROKER, f"withholds all checkpoints from the {lanes.by}", Verdict.DETECTED)
    async with lanes.stage.desk(lanes.victim) as desk:
        await lanes.watched(desk)
        rows = [row for row in desk.store.events() if row.event.topic == lanes.topic]
        assert cost == 0
        assert [row for row in rows if row.confirmed_at_ms is not None] == []
        tried.detected(by=lanes.by, how=f"alarm `{await desk.rings('unconfirmed-event')}`", within="60 s after it came")

    lanes.show(lambda place, records: list(reversed(records)))
    what = f"shows the {lanes.by} each partition backwards"
    tried = lanes.attack(Attacker.BROKER, what, Verdict.CONTAINED)
    async with lanes.stage.desk(lanes.victim) as desk:
        await lanes.watched(desk)
        assert (desk.alarms(), lanes.lost(desk)) == ({}, 0)
        assert all(row.confirmed_at_ms is not None for row in desk.store.events())
        how = "stored and confirmed all the same, each with its signed session and sequence"
        tried.contained(by=lanes.by, how=how, within="the same batch")

    held = lanes.events[lanes.places[0]]
    lanes.show(lambda place, records: [each for each in records if each not in held])
    tried = lanes.attack(Attacker.BROKER, f"delays events for the {lanes.by} by more than a minute", Verdict.DETECTED)
    async with lanes.stage.desk(lanes.victim) as desk:
        await lanes.watched(desk)
        alarm = await desk.rings("missing-event")
        lanes.stage.evil.copies.log(lanes.victim, lanes.places[0]).extend(held)
        await desk.through_all()
        assert desk.store.overdue(desk.clock.now_ms()).missing == lanes.lost(desk) == 0
        tried.detected(by=lanes.by, how=f"alarm `{alarm}`, gone once they are there", within=MINUTE)


async def rewritten(lanes: Lanes) -> None:
    """A log that was read once is cut, or told anew."""
    copies = lanes.stage.evil.copies
    copies.anew(lanes.victim)
    state = f"rewritten-{lanes.kind}"
    async with lanes.stage.desk(lanes.victim, state) as desk:
        await desk.through_all()
        known = {row.event.leaf for row in desk.store.events()}

    lanes.show(lambda place, records: [records[-1], *records[:-1]])
    tried = lanes.attack(Attacker.BROKER, f"rewrites what the {lanes.by} has read")
    async with lanes.stage.desk(lanes.victim, state) as desk:
        await lanes.watched(desk)
        assert ({row.event.leaf for row in desk.store.events()}, desk.alarms()) == (known, {})
        tried.prevented(
            by=lanes.by, how="its place and rows are in its own store; nothing is read again", within="at once"
        )

    lanes.show(lambda place, records: list(records[:-1]))
    tried = lanes.attack(Attacker.BROKER, f"cuts off what the {lanes.by} has read", Verdict.DETECTED)
    with pytest.RaisesGroup(OffsetGone, flatten_subgroups=True):
        async with lanes.stage.desk(lanes.victim, state) as desk:
            await desk.ended()
    tried.detected(by=lanes.by, how=f"ends with `{OffsetGone.code}`", within="the next fetch")
