"""What a malicious router does: its real certificate, rights and keys, writing what it likes to the routed topics.

It holds the mac key of every session, so a mac convinces nobody here. The desks judge with their own role
directories; the portal is honest and signs its lists and the end of its sessions.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from assurance.reconcile import Entry, Kind, Report, State, reconcile
from consumers.audit.verify import Verification
from consumers.reporting import entries
from hub.crypto import sections as keys
from hub.crypto.hkdf import sha256
from hub.envelope import header as headers
from hub.envelope.header import Check
from hub.envelope.leaf import leaf
from hub.envelope.reasons import Reason
from hub.envelope.records import (
    Checkpoint,
    CheckpointEntry,
    ClosedPartition,
    DeadLetterNotice,
    SessionClose,
    StoredReceipt,
)
from hub.envelope.records import StoredEvent as Stored
from hub.envelope.sealed import build, parse
from hub.envelope.session import open_session
from hub.envelope.signed import Signed, sign
from hub.transport import BatchWriter, Outgoing
from tests.broker.insiders import Desks, Sections, file, letters_of, stripped, working
from tests.broker.router_stage import OTHER, PARTITIONS, TENANT, Event, Session, Stage
from tests.kafka import TestKafka, fresh_namespace
from topics import names

REVIEW, HELPDESK, AUDIT, OTHERS = f"review-{TENANT}", f"helpdesk-{TENANT}", f"audit-{TENANT}", f"review-{OTHER}"
OUTPUTS = {REVIEW: REVIEW, HELPDESK: HELPDESK, AUDIT: None}
"""whose ciphertext each output keeps"""


@dataclass
class Router:
    """The attacker: what it opens with its own key, and what it wrote where."""

    stage: Stage
    session: Session
    writer: BatchWriter
    events: dict[str, Event] = field(default_factory=dict)
    """what the portal sent, by attempt"""
    forged: dict[str, bytes] = field(default_factory=dict)
    """leaves of what the router made, by attempt"""
    places: dict[tuple[str, str], tuple[str, int, int]] = field(default_factory=dict)
    """where a record lies, by desk and attempt"""
    number: int = 0

    def topic(self, desk: str) -> str:
        kind, _, tenant = desk.rpartition("-")
        return names.of_tenant(self.stage.namespace, tenant, kind)

    def mac_key(self) -> bytes:
        """Opened with the key files of its own role directory, as the real router does."""
        role, session = self.stage.role("router"), self.session.secrets.session
        sealed = session.audience("router")
        assert sealed is not None
        return keys.mac_key(open_session(session, "router", role.keystore.load_audience("router", sealed.epoch)))

    def sent(self, attempt: str) -> Event:
        """The portal's next event, which this attempt is made on."""
        self.number += 1
        self.events[attempt] = file(self.session, self.number)
        return self.events[attempt]

    async def write(self, desk: str, attempt: str, partition: int, key: bytes, value: bytes) -> None:
        topic = self.topic(desk)
        (offset,) = await self.writer.write(topic, partition, [Outgoing(key, value)])
        self.places[desk, attempt] = (topic, partition, offset)

    async def route(self, attempt: str, *, but: str = "", only: str = "") -> Event:
        """Do its work as it should, to all desks but one, or to one only."""
        event = self.events.get(attempt) or self.sent(attempt)
        for desk, own in OUTPUTS.items():
            if desk != but and only in ("", desk):
                await self.write(desk, attempt, event.partition, event.key, stripped(event.out.value, own))
        return event

    def made_again(
        self, event: Event, change: Callable[[Sections], object] = lambda _: None, **header: object
    ) -> tuple[bytes, bytes]:
        """An event with another header or other sections and a mac that is right; returns value and leaf."""
        sealed = parse(event.out.value)
        framed = headers.encode(event.header._replace(**header))  # type: ignore[arg-type]
        sections: Sections = [(each.audience, each.digest, each.ciphertext) for each in sealed.sections]
        change(sections)
        digest = leaf(framed, [(audience, its) for audience, its, _ in sections])
        return build(framed, sections, keys.mac(self.mac_key(), digest)), digest

    async def forge(self, attempt: str, value: bytes, digest: bytes, partition: int, *desks: str) -> None:
        """Write a made-up event to desks as if it had been routed."""
        self.forged[attempt] = digest
        key = headers.decode(parse(value).header).event_id.encode()
        for desk in desks or OUTPUTS:
            await self.write(desk, attempt, partition, key, stripped(value, OUTPUTS[desk]))

    async def notice(self, attempt: str, header: bytes, digests: tuple[tuple[str, bytes], ...], partition: int) -> None:
        said = DeadLetterNotice(TENANT, header, digests, Reason.BAD_MAC, datetime.now(UTC))
        value = sign(DeadLetterNotice.RECORD, said.encode(), self.stage.role("router").identity)
        key = b"notice/" + leaf(header, digests).hex().encode()
        for desk in OUTPUTS:
            await self.write(desk, attempt, partition, key, value)


def _other_ciphertexts(sections: Sections) -> None:
    for at, (audience, _, ciphertext) in enumerate(sections):
        made = secrets.token_bytes(len(ciphertext or b""))
        sections[at] = (audience, sha256(made), made)


async def _attacks(router: Router) -> None:
    """Everything that is tried on the one long session of tenant 131041."""
    stage, session = router.stage, router.session
    await router.route("nothing")
    router.sent("drops an event")
    # What it makes itself: header and mac are right, for it holds the mac key.
    model = router.events["nothing"]
    header = session.header(900)
    value, digest = router.made_again(model, _other_ciphertexts, **header._asdict())
    await router.forge("invents an event", value, digest, header.partition)
    event = router.sent("alters a header")
    value, digest = router.made_again(event, signature_check=Check.PASSED)
    await router.forge("alters a header", value, digest, event.partition)
    event, other = router.sent("exchanges sections"), parse(model.out.value)

    def exchange(sections: Sections) -> None:
        sections[:] = [(each.audience, each.digest, each.ciphertext) for each in other.sections]

    value, digest = router.made_again(event, exchange)
    await router.forge("exchanges sections", value, digest, event.partition)
    event = router.sent("alters the others' digests")

    def misname(sections: Sections) -> None:
        audience, _, ciphertext = sections[0]  # the helpdesk's, which the review desk does not have
        sections[0] = (audience, sha256(b"something else"), ciphertext)

    value, digest = router.made_again(event, misname)
    await router.forge("alters the others' digests", value, digest, event.partition, REVIEW)
    await router.route("alters the others' digests", but=REVIEW)
    # Notices: an explanation for what it swallowed, and one for what nobody sent.
    swallowed = parse(router.sent("swallows an event with a notice").out.value)
    partition = router.events["swallows an event with a notice"].partition
    await router.notice("swallows an event with a notice", swallowed.header, swallowed.digests, partition)
    header = session.header(901)
    await router.notice("a notice about nothing", headers.encode(header), swallowed.digests, header.partition)
    # Copies that hold too little or too much.
    copies: tuple[tuple[str, str, str | None], ...] = (
        ("strips the review section", REVIEW, None),
        ("strips the helpdesk's section", HELPDESK, None),
        ("gives the helpdesk's section to review", REVIEW, HELPDESK),
        ("gives the review section to the helpdesk", HELPDESK, REVIEW),
        ("gives the review section to audit", AUDIT, REVIEW),
    )
    for attempt, desk, own in copies:
        event = await router.route(attempt, but=desk)
        await router.write(desk, attempt, event.partition, event.key, stripped(event.out.value, own))
    event = await router.route("gives all sections to audit", but=AUDIT)
    await router.write(AUDIT, "gives all sections to audit", event.partition, event.key, event.out.value)
    # The right copy at the wrong place, too often, too late.
    event = await router.route("another partition", but=REVIEW)
    wrong = (event.partition + 1) % PARTITIONS
    await router.write(REVIEW, "another partition", wrong, event.key, stripped(event.out.value, REVIEW))
    event = await router.route("another tenant", but=REVIEW)
    await router.write(OTHERS, "another tenant", event.partition, event.key, stripped(event.out.value, REVIEW))
    event = await router.route("another key", but=REVIEW)
    key = model.key
    await router.write(REVIEW, "another key", event.partition, key, stripped(event.out.value, REVIEW))
    for _ in range(2):
        await router.route("twice")
    first, second = router.sent("reorders, first"), router.sent("reorders, second")
    assert first.header.sequence < second.header.sequence or first.partition != second.partition
    await router.route("reorders, second")
    await router.route("reorders, first")
    # Statements in others' names.
    body = Checkpoint(session.id, 0, 0, (CheckpointEntry(digest),), None, datetime.now(UTC)).encode()
    value = sign(Checkpoint.RECORD, body, stage.role("router").identity)
    await router.write(AUDIT, "signs a list", 0, Checkpoint.decode(body).key.encode(), value)
    entry = (Stored(0, model.out.event_id, model.out.leaf),)
    receipt = StoredReceipt(session.id, model.partition, TENANT, REVIEW, entry, datetime.now(UTC))
    said = sign(StoredReceipt.RECORD, receipt.encode(), stage.role("router").identity)
    await router.write(AUDIT, "signs a receipt", model.partition, receipt.key.encode(), said)


def _lists(session: Session) -> tuple[list[tuple[int, Outgoing]], Outgoing]:
    """The honest portal's checkpoints of all partitions, and its close."""
    lists = [(partition, session.checkpoint(partition)) for partition in range(PARTITIONS)]
    ends = tuple(
        ClosedPartition(partition, session.sequences[partition] - 1, sha256(Signed.parse(record.value or b"").body))
        for partition, record in lists
    )
    body = SessionClose(session.id, ends, datetime.now(UTC)).encode()
    close = sign(SessionClose.RECORD, body, session.stage.role("portal").identity)
    return lists, Outgoing(SessionClose.decode(body).key.encode(), close)


@dataclass
class Outcome:
    """What the desks made of it."""

    router: Router
    leaves: dict[str, set[bytes]]
    """stored leaves by desk"""
    unconfirmed: dict[str, set[bytes]]
    alarms: dict[str, Counter[str]]
    at_once: dict[str, Counter[str]]
    """alarms before a minute had passed"""
    reasons: dict[str, dict[tuple[str, int, int], Reason]]
    missing: dict[str, int]
    replays: dict[str, int]
    audited: Verification
    lost: set[tuple[str, Kind]]
    """(attempt, place) that a reconciliation names"""

    def refused(self, desk: str, attempt: str) -> str:
        """The dead letter that a desk wrote about an attempt."""
        return f"dead letter `{self.reasons[desk][self.router.places[desk, attempt]].value}`"


async def scenario(kafka: TestKafka, home: Path) -> Outcome:
    stage = await Stage.prepare(kafka, fresh_namespace(), home)
    session, withheld, unlisted = [await Session(stage).announce() for _ in range(3)]
    async with (
        BatchWriter(stage.role("router").endpoint) as writer,
        working(stage, REVIEW, HELPDESK, AUDIT, OTHERS) as desks,
    ):
        router = Router(stage, session, writer)
        await _attacks(router)
        lists, close = _lists(router.session)
        for desk in OUTPUTS:
            for partition, record in lists:
                await writer.write(router.topic(desk), partition, [record])
        await stage.write(names.sessions(stage.namespace), 0, [close])
        # Of a second session nothing is passed on: neither events nor lists. Its close does not pass the router.
        for number in range(3):
            router.events[f"withholds all, {number}"] = file(withheld, 500 + number)
        await stage.write(names.sessions(stage.namespace), 0, [_lists(withheld)[1]])
        # Of a third the events are passed on, and no list.
        for number in range(3):
            name = f"drops a list, {number}"
            router.events[name] = file(unlisted, 600 + number)
            await router.route(name)
        await stage.write(names.sessions(stage.namespace), 0, [_lists(unlisted)[1]])
        await desks.read_all()
        at_once = {name: desk.alarms() for name, desk in desks.desks.items()}
        await desks.a_minute_later(lambda: _rung(desks))
        return await _outcome(router, desks, at_once)


def _rung(desks: Desks) -> bool:
    wanted = {"unconfirmed-event", "missing-event"}
    audit = {*wanted, "checkpoint-gap", "receipt-without-event"}
    return wanted <= desks[REVIEW].alarms().keys() and audit <= desks[AUDIT].alarms().keys()


async def _outcome(router: Router, desks: Desks, at_once: dict[str, Counter[str]]) -> Outcome:
    leaves = {name: set(desk.events()) for name, desk in desks.desks.items()}
    sent = {event.out.leaf: name for name, event in router.events.items()}
    at = datetime.now(UTC)
    reports = [Report("portal", None, Kind.PORTAL, at, tuple(_entry(event) for event in router.events.values()))]
    for kind, desk in ((Kind.REVIEW, REVIEW), (Kind.HELPDESK, HELPDESK), (Kind.AUDIT, AUDIT)):
        held = [Entry(e.tenant, e.event_id, e.leaf, State(e.state)) for e in entries(desks[desk].around.store)]
        reports.append(Report(desk, TENANT, kind, at, tuple(held)))
    lost = reconcile(reports).lost
    return Outcome(
        router,
        leaves,
        {
            name: {found for found, row in desk.events().items() if row.confirmed_at_ms is None}
            for name, desk in desks.desks.items()
        },
        {name: desk.alarms() for name, desk in desks.desks.items()},
        at_once,
        {name: await letters_of(router.stage, name) for name in desks.desks},
        {name: desk.around.store.overdue(2**62).missing for name, desk in desks.desks.items()},
        {name: desk.around.store.counts()["replays"] for name, desk in desks.desks.items()},
        desks[AUDIT].verified(later_ms=desks.ahead_ms),
        {(sent.get(each.leaf, ""), each.at) for each in lost.listed},
    )


def _entry(event: Event) -> Entry:
    return Entry(event.header.tenant, event.out.event_id, event.out.leaf)
