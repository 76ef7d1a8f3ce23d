"""Attacks on what the router reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from assurance.reconcile import Kind
from hub.envelope.reasons import Reason
from hub.transport import KafkaRecord
from tests.attacking.rows import Attacker, Verdict
from tests.attacks.evil.lanes import lost_at
from tests.attacks.evil.live import RECEIPT, Live, submitted
from tests.attacks.evil.singles import BATCH, MINUTE, header_bytes, one_ciphertext, renumbered, with_header
from tests.attacks.evil.stage import Desk, alarms_in, until
from tests.attacks.evil.tampering import changed, flipped, header_of, is_checkpoint, is_event
from tests.broker.router_stage import PARTITIONS, TENANT
from topics import names


async def singles(live: Live) -> None:
    """Each with an event of its own, in one session."""
    copies, namespace = live.stage.evil.copies, live.stage.namespace
    review = names.review(namespace, TENANT)
    old = next(each for each in copies.honest((live.topic, 0)) if is_event(each) and header_of(each).tenant == TENANT)

    def moved(record: KafkaRecord) -> list[KafkaRecord]:
        live.show("moved", (record.partition + 1) % PARTITIONS, record)
        return []

    lost = {
        "withheld": live.planned("withheld", lambda one: []),
        "moved": live.planned("moved", moved),
        "receipt": live.planned("receipt", lambda one: [with_header(one, renumbered(one, old))]),
        "section": live.planned("section", lambda one: [flipped(one, one_ciphertext(one))]),
        "key": live.planned("key", lambda one: [replace(one, key=old.key)]),
        "session": live.planned("session", lambda one: [changed(one, header_of(one).session, header_of(old).session)]),
        "contents": live.planned("contents", lambda one: [replace(with_header(one, header_bytes(old)), key=old.key)]),
        "garbage": live.planned("garbage", lambda one: [replace(one, value=b"\x00\x00\x00\x00\x63" + bytes(40))]),
    }
    twice = live.planned("twice", lambda one: [one, replace(one)])
    await live.stage.new_letters("router")
    async with live.router() as router, live.portal() as (portal, _):
        ids = dict(zip(lost, await submitted(portal, *lost.values()), strict=True))
        (twice_id,) = await submitted(portal, twice)
        await router.through()
        stripped = next(each for each in copies.honest((review, 0)) if is_event(each))
        live.show("stripped", 0, stripped)
        live.show("checkpoint", 1, next(each for each in copies.honest((live.topic, 0)) if is_checkpoint(each)))
        await router.through()
    async with live.router() as router:  # the last checkpoints, and what the portal wrote as it closed
        await router.through()
    letters = await live.stage.new_letters("router")
    found = {live.named(each.place.partition, each.place.offset): each.reason for each in letters}
    async with live.stage.desks("review", "helpdesk", "audit") as desks:
        for desk in desks:
            await desk.through_all()
        for desk in desks:
            desk.clock.a_minute_passes()
            await desk.looked()
            _stored(desk, twice_id, set(ids.values()))
        (audit,) = (desk for desk in desks if desk.role.principal.startswith("audit"))
        _rows(live, found, audit, {await desk.rings("missing-event") for desk in desks})


def _stored(desk: Desk, twice: str, lost: set[str]) -> None:
    rows = {row.event.event_id: row for row in desk.store.events() if row.event.topic == desk.topics()[0]}
    assert not lost & rows.keys()
    assert rows[twice].replays == 1
    assert rows[twice].confirmed_at_ms is not None


_LOST = {
    "moved": "moves an event to another partition of the submissions",
    "receipt": "rewrites the receipt number in a header for the router",
    "section": "flips a bit of a section on its way to the router",
    "key": "gives an event another Kafka key for the router",
    "session": "puts an event into another session for the router",
    "contents": "puts one event's header over another's sections for the router",
    "garbage": "overwrites an event with bytes of its own for the router",
}
_MORE = {
    "stripped": "shows the router a routed copy as a submission",
    "checkpoint": "shows the router a checkpoint of another partition",
}


def _rows(live: Live, found: Mapping[str, Reason], audit: Desk, missing: set[str]) -> None:
    (alarm,) = missing
    tried = live.attack(Attacker.BROKER, "withholds one event from the router", Verdict.DETECTED)
    assert found.keys() == {*_LOST, *_MORE}
    tried.detected(by="each desk", how=f"alarm `{alarm}`", within=MINUTE)
    noticed = {notice.event_id for notice in audit.store.notices()}
    assert len(noticed) == 4, "of what was authentic the desks are told at once, and of the copy that came back"
    for name, what in _LOST.items():
        tried = live.attack(Attacker.BROKER, what, Verdict.DETECTED)
        told = "a notice to each desk" if name in {"moved", "section", "key"} else f"then alarm `{alarm}` at each desk"
        tried.detected(by="router", how=f"dead letter `{found[name].value}`, {told}", within=BATCH)
    for name, what in _MORE.items():
        live.attack(Attacker.BROKER, what).prevented(
            by="router", how=f"dead letter `{found[name].value}`", within=BATCH
        )
    tried = live.attack(Attacker.BROKER, "shows the router an event twice")
    tried.prevented(by="each desk", how="routed twice, stored once, counted as a replay", within=BATCH)


async def withheld(live: Live) -> None:
    """A tail of a partition until the session ends; a session whole, from everybody; the announcement alone."""
    copies, sessions = live.stage.evil.copies, names.sessions(live.stage.namespace)
    tried = live.attack(Attacker.BROKER, "withholds the tail of a partition from the router", Verdict.DETECTED)
    async with live.stage.desks("review"), live.router() as router, live.portal() as (portal, facts):
        await submitted(portal, live.document(0))
        await router.through()
        copies.lie("router", live.topic, lambda partition, new: new if partition else [])
        tail = await submitted(portal, live.document(0))
        alarm = await live.missed_by_portal(facts, tail)
    assert await live.missed_by_audit("checkpoint-gap") == set(tail)
    how = f"alarm `{alarm}`; at session end `checkpoint-gap` at the audit desk"
    tried.detected(by="portal", how=how, within=RECEIPT)

    what = "withholds a whole session with its announcement from everybody"
    tried = live.attack(Attacker.BROKER, what, Verdict.DETECTED)
    copies.lie("router", live.topic, lambda partition, new: [])
    async with live.stage.desks("review"), live.router(), live.portal() as (portal, facts):
        whole = await submitted(portal, live.document(), live.document())
        alarm = await live.missed_by_portal(facts, [*tail, *whole])
    await live.stage.evil.settled()
    hidden = live.sessions()[-1]
    assert await live.missed_by_audit("", hidden) == {*tail, *whole}
    tried.detected(by="portal", how=f"alarm `{alarm}`", within=RECEIPT)

    tried = live.attack(Attacker.BROKER, f"{what}, and shows the next", Verdict.DETECTED)
    copies.lie("router", live.topic, lambda partition, new: new)
    async with live.router() as router, live.portal() as (portal, _):
        await submitted(portal, live.document())
        await router.through()
    assert await live.missed_by_audit("missing-predecessor", hidden) == {*tail, *whole}
    tried.detected(by="audit desk", how="alarm `missing-predecessor`", within="60 s after the next announcement")

    tried = live.attack(
        Attacker.BROKER, "withholds only the announcement of a session from the router", Verdict.DETECTED
    )
    await live.stage.new_letters("router")
    async with live.router() as router, live.portal() as (portal, _):
        copies.lie("router", sessions, lambda partition, new: [])
        (event,) = await submitted(portal, live.document())
        await router.through()
        alarms = alarms_in(router.facts)
    (letter, *_) = letters = await live.stage.new_letters("router")
    assert {each.reason for each in letters} == {Reason.UNKNOWN_SESSION}
    assert alarms[letter.reason.value]
    assert event in await live.missed_by_audit("checkpoint-gap")
    copies.lie("router", sessions, lambda partition, new: new)
    how = f"dead letters and alarm `{letter.reason.value}`, replayed when it is there"
    tried.detected(by="router", how=how, within=BATCH)


async def resumed(live: Live) -> None:
    """The router asks how far its group has come, and is told something else."""
    evil = live.stage.evil
    tried = live.attack(Attacker.BROKER, "tells the router that it has come further than it has", Verdict.DETECTED)
    async with live.portal() as (portal, _):
        skipped = await submitted(portal, live.document(0), live.document(0))
    await evil.settled()
    come = len(live.seen(0))
    evil.committed = lambda partition, offset: offset if partition else come
    async with live.stage.desks("review"), live.router() as router, live.portal() as (portal, facts):
        await submitted(portal, live.document(0))
        await router.through()
        alarm = await live.missed_by_portal(facts, skipped)
    assert await live.missed_by_audit("checkpoint-gap") == set(skipped)
    how = f"alarm `{alarm}`; at session end `checkpoint-gap` at the audit desk"
    tried.detected(by="portal", how=how, within=RECEIPT)

    tried = live.attack(Attacker.BROKER, "tells the router that it has not come so far")
    evil.committed = lambda partition, offset: 0
    async with live.router() as router:
        await router.through()
    evil.committed = lambda partition, offset: offset
    async with live.stage.desks("review") as (desk,):
        await desk.through_all()
        rows = desk.store.events()
        assert sum(row.replays for row in rows) > len(rows) / 2
        assert len({row.event.leaf for row in rows}) == len(rows)
    assert await live.missed_by_audit("") == set()
    tried.prevented(by="each desk", how="routed again, stored once, counted as replays", within=BATCH)


async def thrown_away(live: Live) -> None:
    """What the router writes for one desk is acknowledged, and never stored."""
    evil, review = live.stage.evil, names.review(live.stage.namespace, TENANT)
    what = "acknowledges what the router writes for the review desk and throws it away"
    tried = live.attack(Attacker.BROKER, what, Verdict.DETECTED)
    async with live.stage.desks("review") as (desk,), live.router() as router, live.portal() as (portal, facts):
        await submitted(portal, live.document(1))
        await router.through()
        evil.swallow = lambda principal, place: (principal, place) == ("router", (review, 2))
        lost = await submitted(portal, live.document(2))
        await router.through()
        alarm = await live.missed_by_portal(facts, lost)
        assert ("router", (review, 2)) in evil.swallowed
        await desk.through_all()
        assert lost_at(desk, Kind.REVIEW, live.journal) == set(lost)
    evil.swallow = lambda principal, place: False
    tried.detected(by="portal", how=f"alarm `{alarm}`; `lost` at review when reconciled", within=RECEIPT)

    what = "acknowledges the review desk's receipts and throws them away"
    tried = live.attack(Attacker.BROKER, what, Verdict.DETECTED)
    status = names.status(live.stage.namespace, TENANT)
    async with live.stage.desks("review") as (desk,), live.router() as router, live.portal() as (portal, facts):
        await router.through()
        evil.swallow = lambda principal, place: principal == f"review-{TENANT}" and place[0] == status
        told = await submitted(portal, live.document(1))
        alarm = await live.missed_by_portal(facts, [*lost, *told])
        await until(lambda: set(told) <= {row.event.event_id for row in desk.store.events()}, "it is at the desk")
        await desk.decides(*told)
    evil.swallow = lambda principal, place: False
    tried.detected(by="portal", how=f"alarm `{alarm}`", within=RECEIPT)
    tried = live.attack(
        Attacker.BROKER, "acknowledges the review desk's decisions and throws them away", Verdict.DETECTED
    )
    await live.missed_by_audit("checkpoint-gap")
    tried.detected(by="audit desk", how="alarm `checkpoint-gap`", within="60 s after the close of the desk's session")
