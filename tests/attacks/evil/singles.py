"""Attacks on single records, on their way to a desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hub.envelope import sealed as sealing
from hub.envelope.reasons import Reason
from hub.transport import KafkaRecord
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.attacks.evil.stage import Desk, EvilStage
from tests.attacks.evil.tampering import Tampered, changed, flipped, header_of, is_checkpoint, is_event
from tests.broker.router_stage import OTHER, PARTITIONS, TENANT
from topics import names

_OWN = {"review": names.review, "helpdesk": names.helpdesk, "audit": names.audit}
_ANOTHER = {"review": names.helpdesk, "helpdesk": names.audit, "audit": names.review}
CALLED = {"review": "review desk", "helpdesk": "helpdesk", "audit": "audit desk"}
MINUTE = "60 s after its checkpoint"
BATCH = "the batch that it came in"


def header_bytes(record: KafkaRecord) -> bytes:
    return sealing.parse(record.value or b"").header


def one_ciphertext(record: KafkaRecord) -> bytes:
    return next(each.ciphertext for each in sealing.parse(record.value or b"").sections if each.ciphertext)


def with_header(record: KafkaRecord, header: bytes) -> KafkaRecord:
    sealed = sealing.parse(record.value or b"")
    sections = [(each.audience, each.digest, each.ciphertext) for each in sealed.sections]
    return replace(record, value=sealing.build(header, sections, sealed.mac))


def renumbered(record: KafkaRecord, other: KafkaRecord) -> bytes:
    return header_bytes(record).replace(
        header_of(record).receipt_number.encode(), header_of(other).receipt_number.encode()
    )


async def on_a_desk(stage: EvilStage, attack: Attack, kind: str) -> None:
    """All of them at once, each with an event of its own; then look what became of each."""
    namespace, copies, victim = stage.namespace, stage.evil.copies, f"{kind}-{TENANT}"
    topic = _OWN[kind](namespace, TENANT)
    places = [(topic, number) for number in range(PARTITIONS)]
    copies.anew(victim)
    await stage.evil.settled()
    shown = Tampered(copies, victim, places)
    events = iter(shown.events())

    def take() -> KafkaRecord:
        return next(events)

    lost: dict[str, str] = {}
    """attempt → the event's id that the desk lacks because of it"""

    def instead(name: str, how: Callable[[KafkaRecord], KafkaRecord]) -> None:
        record = take()
        lost[name] = (record.key or b"").decode()
        shown.edit(name, record, lambda one: [how(one)])

    withheld = take()
    lost["withheld"] = (withheld.key or b"").decode()
    shown.edit("withheld", withheld, lambda one: [])
    twice = take()
    shown.edit("twice", twice, lambda one: [one, one])
    moved = take()
    lost["moved"] = (moved.key or b"").decode()
    shown.edit("moved", moved, lambda one: [])
    shown.append("moved", (topic, (moved.partition + 1) % PARTITIONS), moved)
    neighbour = next(each for each in reversed(shown.events()) if each.partition == twice.partition)
    instead("receipt", lambda one: with_header(one, renumbered(one, neighbour)))
    if kind != "audit":
        instead("ciphertext", lambda one: flipped(one, one_ciphertext(one)))
    instead("key", lambda one: replace(one, key=twice.key))
    stranger = next(each for each in reversed(shown.events()) if header_of(each).session != header_of(twice).session)
    instead("session", lambda one: changed(one, header_of(one).session, header_of(stranger).session))
    instead("contents", lambda one: replace(with_header(one, header_bytes(neighbour)), key=neighbour.key))
    instead("garbage", lambda one: replace(one, value=b"\x00\x00\x00\x00\x63" + bytes(40)))
    foreign = next(each for each in copies.honest((_OWN[kind](namespace, OTHER), 0)) if is_event(each))
    shown.append("tenant", (topic, 0), foreign)
    whole = next(each for each in copies.honest((names.submissions(namespace), 1)) if header_of(each).tenant == TENANT)
    shown.append("whole", (topic, 1), whole)
    other_desk = next(each for each in copies.honest((_ANOTHER[kind](namespace, TENANT), 2)) if is_event(each))
    shown.append("desk", (topic, 2), other_desk)
    listed = next(each for each in copies.honest((topic, 0)) if is_checkpoint(each))
    shown.append("checkpoint", (topic, 1), listed)
    shown.append("checkpoint twice", (topic, 0), listed)
    shown.show()

    await stage.new_letters(victim)
    async with stage.desk(victim) as desk:
        await desk.through_all()
        assert "missing-event" not in desk.alarms()
        desk.clock.a_minute_passes()
        missing = await desk.rings("missing-event")
        await desk.looked()
        overdue = desk.store.overdue(desk.clock.now_ms())
    found = {
        shown.named(letter.place.topic, letter.place.partition, letter.place.offset): letter.reason
        for letter in await stage.new_letters(victim)
    }
    assert overdue.missing == len(lost)
    _refused_or_missed(attack, kind, found, missing)
    _without_effect(attack, kind, desk, found, {(twice.key or b"").decode()}, set(lost.values()))
    if kind == "audit":
        await _taken_for_others(attack, desk, overdue.unconfirmed)


def _refused_or_missed(attack: Attack, kind: str, found: Mapping[str, Reason], missing: str) -> None:
    """What costs the desk an event: it is missed, and what is shown instead is refused."""
    by = CALLED[kind]
    tried = attack(Attacker.BROKER, f"withholds one event from the {by}", Verdict.DETECTED)
    assert "withheld" not in found
    tried.detected(by=by, how=f"alarm `{missing}`", within=MINUTE)
    for name, what in _INSTEAD.items():
        if name in _UNREADABLE and kind == "audit":
            continue
        tried = attack(Attacker.BROKER, what.format(by), Verdict.DETECTED)
        tried.detected(by=by, how=f"dead letter `{found[name].value}`, then alarm `{missing}`", within=BATCH)
    for name, what in _BESIDES.items():
        attack(Attacker.BROKER, what.format(by)).prevented(
            by=by, how=f"dead letter `{found[name].value}`", within=BATCH
        )
    known = {*_INSTEAD, *_BESIDES} - (_UNREADABLE if kind == "audit" else set())
    assert found.keys() == known


def _without_effect(
    attack: Attack, kind: str, desk: Desk, found: Mapping[str, Reason], twice: set[str], lost: set[str]
) -> None:
    by = CALLED[kind]
    rows = [row for row in desk.store.events() if row.event.topic == desk.topics()[0]]
    tried = attack(Attacker.BROKER, f"shows the {by} an event twice")
    assert {row.event.event_id for row in rows if row.replays} == twice
    assert len({row.event.leaf for row in rows}) == len(rows)
    tried.prevented(by=by, how="stored once, counted as a replay", within=BATCH)
    tried = attack(Attacker.BROKER, f"shows the {by} a checkpoint twice")
    assert "checkpoint twice" not in found
    confirmed = {row.event.event_id for row in rows if row.confirmed_at_ms is not None}
    assert confirmed == {(each.key or b"").decode() for each in _honest(desk)} - lost
    tried.prevented(by=by, how="no effect: what it lists is confirmed once", within=BATCH)


async def _taken_for_others(attack: Attack, desk: Desk, unconfirmed: int) -> None:
    """An audit desk opens nothing, so a header under another's digests is no contradiction until it is listed."""
    by = "audit desk"
    tried = attack(Attacker.BROKER, "rewrites the receipt number in a header for the audit desk", Verdict.DETECTED)
    alarm = await desk.rings("unconfirmed-event")
    tried.detected(by=by, how=f"alarm `{alarm}`: no signed list names such a leaf", within="60 s after it came")
    tried = attack(
        Attacker.BROKER, "puts one event's header over another's sections for the audit desk", Verdict.DETECTED
    )
    alarm = await desk.rings("second-leaf")
    tried.detected(by=by, how=f"alarm `{alarm}`, both kept", within=BATCH)
    assert unconfirmed == 2


def _honest(desk: Desk) -> list[KafkaRecord]:
    places = [(desk.topics()[0], number) for number in range(PARTITIONS)]
    return [each for place in places for each in desk.evil.copies.honest(place) if is_event(each)]


_UNREADABLE = {"receipt", "ciphertext", "contents"}
"""what only who opens a section can tell at once"""
_INSTEAD = {
    "moved": "moves an event to another partition of the {}'s topic",
    "receipt": "rewrites the receipt number in a header for the {}",
    "ciphertext": "flips a bit of the section that the {} opens",
    "key": "gives an event another Kafka key for the {}",
    "session": "puts an event into another session for the {}",
    "contents": "puts one event's header over another's sections for the {}",
    "garbage": "overwrites an event with bytes of its own for the {}",
}
_BESIDES = {
    "tenant": "shows the {} an event of another city",
    "whole": "shows the {} an event whole, as the portal sealed it",
    "desk": "shows the {} the copy that another desk gets",
    "checkpoint": "shows the {} a checkpoint of another partition",
}
