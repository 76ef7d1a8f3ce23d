"""What a compromised portal does: its real certificate, identity key and rights, and none of our checks.

Each lie is told in a session of its own, so that what the desks find can be told apart. The router is the real one.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consumers.audit.verify import Verification
from hub.crypto import audience as hpke
from hub.crypto import sections as keys
from hub.crypto.audience import AudiencePrivateKey
from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.crypto.secret import Secret
from hub.envelope import header as headers
from hub.envelope import records
from hub.envelope.header import EventHeader
from hub.envelope.leaf import leaf
from hub.envelope.names import Kind
from hub.envelope.padding import pad
from hub.envelope.reasons import Reason
from hub.envelope.records import (
    AudienceKey,
    Checkpoint,
    CheckpointEntry,
    ClosedPartition,
    SessionAudience,
    SessionClose,
)
from hub.envelope.sealed import build
from hub.envelope.session import SealedOut, SessionSecrets, session_info
from hub.envelope.signed import sign
from hub.envelope.times import to_ms
from hub.facts import Alarm
from hub.transport import FinalRefusal, NotAuthorized, Outgoing
from tests.broker.insiders import Desks, file, filing, header_of, refused_leaves, sections_of, working
from tests.broker.router_stage import PARTITIONS, TENANT, Event, Session, Stage, until
from tests.kafka import TestKafka, fresh_namespace
from topics import names
from topics.partition import partition_for

REVIEW, HELPDESK, AUDIT, ROUTER = f"review-{TENANT}", f"helpdesk-{TENANT}", f"audit-{TENANT}", "router"


class Loose(Session):
    """A session as a producer makes it that keeps to no rule."""

    def __init__(
        self,
        stage: Stage,
        *,
        producer: str = "portal",
        instance: str = "",
        topic: str = "",
        tenant: str = TENANT,
        begins: timedelta = timedelta(minutes=-5),
        lasts: timedelta = timedelta(hours=2),
        previous: bytes | None = None,
        audiences: Mapping[str, AudienceKey] | None = None,
        committed: Mapping[str, bytes] | None = None,
        signer: IdentityKey | None = None,
    ) -> None:
        super().__init__(stage)
        self.tenant, self.review, self.helpdesk = tenant, f"review-{tenant}", f"helpdesk-{tenant}"
        portal, salt, topic = stage.role("portal"), secrets.token_bytes(16), topic or names.submissions(stage.namespace)
        sealed_to = audiences or {name: stage.audience_key(name) for name in (ROUTER, REVIEW, HELPDESK)}
        made = {name: Secret(secrets.token_bytes(32)) for name in sealed_to}
        told = []
        for name, key in sorted(sealed_to.items()):
            info = session_info(salt, producer, topic, tenant, name, key.epoch)
            sealed = hpke.seal(key.suite, key.public_key, info, made[name].reveal())
            commitment = (committed or {}).get(name, keys.commitment(made[name]))
            told.append(SessionAudience(name, key.epoch, commitment, sealed))
        at = datetime.now(UTC) + begins
        body = records.Session(
            salt, producer, instance or portal.instance, topic, tenant, at, at + lasts, previous, tuple(told)
        ).encode()
        signed = sign(records.Session.RECORD, body, signer or portal.identity)
        self.secrets = SessionSecrets(records.Session.decode(body), signed, made)
        self.chain: dict[int, tuple[int, bytes | None]] = {}

    def seal_anyway(self, header: EventHeader, sections: Mapping[str, bytes], *, mac: bool = True) -> Event:
        """Seal whatever it is under whatever header."""
        framed = headers.encode(header)
        made: list[tuple[str, bytes, bytes | None]] = []
        for name in sorted(sections.keys() & self.secrets._secrets.keys()):
            ciphertext = keys.seal_section(self.secrets._secrets[name], framed, name, pad(sections[name]))
            made.append((name, sha256(ciphertext), ciphertext))
        digest = leaf(framed, [(name, its) for name, its, _ in made])
        mac_key = keys.mac_key(self.secrets._secrets[ROUTER])
        value = build(framed, made, keys.mac(mac_key, digest) if mac else None)
        return Event(header, SealedOut(value, digest, header.event_id))

    def seal_filing(self, number: int, *, mac: bool = True, drop: str = "", **changes: object) -> Event:
        """Seal a filing that the desks can read, perhaps under another header or without a section."""
        made = filing(number, self.tenant)
        sections = {name: text for name, text in sections_of(self, made).items() if name != drop}
        return self.seal_anyway(header_of(self, made, number, **changes), sections, mac=mac)

    def listed(self, partition: int, first: int, *leaves: bytes, void: bool = False) -> tuple[int, Outgoing]:
        """Sign a list of leaves, after the last one of this partition."""
        _, previous = self.chain.get(partition, (0, None))
        entries = tuple(CheckpointEntry(each, void) for each in leaves)
        body = Checkpoint(self.id, partition, first, entries, previous, datetime.now(UTC)).encode()
        self.chain[partition] = (first + len(leaves), sha256(body))
        value = sign(Checkpoint.RECORD, body, self.stage.role("portal").identity)
        return partition, Outgoing(Checkpoint.decode(body).key.encode(), value)

    async def close(self, ends: Mapping[int, int] | None = None) -> None:
        """Sign where each partition ended, or something else."""
        said = ends or {partition: following - 1 for partition, (following, _) in self.chain.items()}
        closed = tuple(
            ClosedPartition(partition, last, self.chain.get(partition, (0, None))[1])
            for partition, last in sorted(said.items())
        )
        body = SessionClose(self.id, closed, datetime.now(UTC)).encode()
        value = sign(SessionClose.RECORD, body, self.stage.role("portal").identity)
        record = Outgoing(SessionClose.decode(body).key.encode(), value)
        await self.stage.write(names.sessions(self.stage.namespace), 0, [record])


@dataclass
class Portal:
    """The attacker: its sessions and events by attempt."""

    stage: Stage
    sessions: dict[str, Loose] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    broker: dict[str, str] = field(default_factory=dict)
    """what the broker did not take, by attempt: the code of the refusal"""
    number: int = 100

    async def session(self, attempt: str, **changes: object) -> Loose:
        """Announce a session for an attempt."""
        made = Loose(self.stage, **changes)  # type: ignore[arg-type]
        self.sessions[attempt] = made
        await made.announce()
        return made

    def numbers(self, count: int) -> list[int]:
        """Numbers of receipts that nobody else uses and that lie on one partition."""
        found: list[int] = []
        partition = None
        while len(found) < count:
            self.number += 1
            lies_on = partition_for(f"R8-13104-{self.number:09d}", PARTITIONS)
            if partition in (None, lies_on):
                partition = lies_on
                found.append(self.number)
        return found

    async def send(self, attempt: str, event: Event, *more: tuple[int, Outgoing]) -> Event:
        self.events[attempt] = event
        await self.stage.submit(event, *more)
        return event

    async def file(self, attempt: str, **session: object) -> Event:
        """Send a filing in a session of its own, listed as it should be, and dated when the session began."""
        made = await self.session(attempt, **session)
        (number,) = self.numbers(1)
        at_ms = to_ms(made.secrets.session.created_at) + 1
        event = made.seal_filing(number, kind=Kind.SUBMISSION, produced_at_ms=at_ms)
        return await self.send(attempt, event, made.listed(event.partition, 0, event.out.leaf))


async def _sessions_that_are_none(portal: Portal) -> None:
    """Announcements that break a rule, each with an event under it."""
    stage = portal.stage
    own = {name: stage.audience_key(name) for name in (ROUTER, REVIEW, HELPDESK)}
    stranger = AudiencePrivateKey.generate()
    weak = AudiencePrivateKey.generate(hpke.Suite.X25519)

    def key_of(name: str, key: AudiencePrivateKey, epoch: int = 0) -> dict[str, AudienceKey]:
        was = own[name]
        epoch = epoch or was.epoch
        return own | {name: AudienceKey(name, epoch, key.key_id, key.suite, key.public, was.not_before, was.not_after)}

    await portal.file("seals for another review key", audiences=key_of(REVIEW, stranger))
    await portal.file("seals for another router key", audiences=key_of(ROUTER, stranger))
    await portal.file("seals with X25519", audiences=key_of(REVIEW, weak))
    await portal.file("commits to another secret", committed={REVIEW: secrets.token_bytes(32)})
    await portal.file("lasts longer than a day", lasts=timedelta(hours=24, seconds=1))
    await portal.file("is of next week", begins=timedelta(days=7))
    await portal.file("is over", begins=timedelta(minutes=-2), lasts=timedelta(minutes=1, seconds=50))
    await portal.file("seals to no helpdesk", audiences={name: own[name] for name in (ROUTER, REVIEW)})
    await portal.file("seals to no review desk", audiences={name: own[name] for name in (ROUTER, HELPDESK)})
    await portal.file("is another producer's", producer=REVIEW)
    await portal.file("is of an instance that is not declared", instance="portal-99")
    await portal.file("is for decisions", topic=names.status(stage.namespace, TENANT))
    await portal.file("was signed by another", signer=IdentityKey.generate())


async def _lies(portal: Portal) -> None:
    """Good sessions, and signed lists that do not say what was sent."""
    made = await portal.session("sequence twice")
    first, second = portal.numbers(2)
    one = await portal.send("sequence twice, listed", made.seal_filing(first))
    await portal.send("sequence twice", made.seal_filing(second))
    at = one.partition
    await portal.stage.submit(made.listed(at, 0, one.out.leaf))
    await made.close()

    made = await portal.session("skips a sequence")
    first, second = portal.numbers(2)
    one = await portal.send("skips a sequence, before", made.seal_filing(first))
    two = await portal.send("skips a sequence", made.seal_filing(second, sequence=2))
    await portal.stage.submit(made.listed(at := one.partition, 0, one.out.leaf), made.listed(at, 2, two.out.leaf))
    await made.close()

    made = await portal.session("two leaves")
    first, second = portal.numbers(2)
    one = await portal.send("two leaves, first", made.seal_filing(first))
    two = await portal.send("two leaves", made.seal_filing(second, sequence=1, event_id=one.header.event_id))
    await portal.stage.submit(made.listed(one.partition, 0, one.out.leaf, two.out.leaf))
    await made.close()

    made = await portal.session("lists what it did not send")
    one = made.seal_filing(portal.numbers(1)[0])
    portal.events["lists what it did not send"] = one
    await portal.stage.submit(made.listed(one.partition, 0, one.out.leaf))
    await made.close()

    made = await portal.session("does not list what it sent")
    await portal.send("does not list what it sent", made.seal_filing(portal.numbers(1)[0]))
    await made.close({})

    made = await portal.session("beyond the end")
    first, second = portal.numbers(2)
    one = await portal.send("beyond the end, before", made.seal_filing(first))
    await portal.stage.submit(made.listed(one.partition, 0, one.out.leaf))
    await made.close()
    two = await portal.send("beyond the end", made.seal_filing(second, sequence=1))
    await portal.stage.submit(made.listed(one.partition, 1, two.out.leaf))

    made = await portal.session("two lists for one place")
    one = await portal.send("two lists for one place", made.seal_filing(portal.numbers(1)[0]))
    other = made.listed(one.partition, 0, secrets.token_bytes(32))
    made.chain.clear()
    await portal.stage.submit(made.listed(one.partition, 0, one.out.leaf), other)
    await made.close()

    made = await portal.session("voids what it sent")
    one = await portal.send("voids what it sent", made.seal_filing(portal.numbers(1)[0]))
    await portal.stage.submit(made.listed(one.partition, 0, one.out.leaf, void=True))
    await made.close()


async def _records(portal: Portal) -> None:
    """Events that break a rule under a session that is good, and what the broker is asked to take."""
    stage, made = portal.stage, await portal.session("records")
    now = datetime.now(UTC)

    async def one(attempt: str, **changes: object) -> None:
        number = portal.numbers(1)[0]
        await portal.send(attempt, made.seal_filing(number, **changes))  # type: ignore[arg-type]

    await one("no mac", mac=False)
    await one("no helpdesk section", drop=HELPDESK)
    await one("produced before its session", produced_at_ms=to_ms(now - timedelta(days=1)))
    await one("produced tomorrow", produced_at_ms=to_ms(now + timedelta(days=1)))
    await one("accepted last year", accepted_at_ms=to_ms(now - timedelta(days=365)))
    honest = filing(portal.number)
    swapped = {REVIEW: sections_of(made, honest)[HELPDESK], HELPDESK: sections_of(made, honest)[REVIEW]}
    number = portal.numbers(1)[0]
    await portal.send("everything for the helpdesk", made.seal_anyway(header_of(made, filing(number), number), swapped))
    event = made.seal_filing(portal.numbers(1)[0])
    big = Outgoing(event.key, event.out.value + bytes(9 * 2**20))
    for attempt, topic, record in (
        ("over the limit", names.submissions(stage.namespace), big),
        ("writes decisions", names.status(stage.namespace, TENANT), event.outgoing),
        ("writes past the router", names.review(stage.namespace, TENANT), event.outgoing),
        ("publishes a key", names.audiences(stage.namespace), event.outgoing),
    ):
        try:
            await stage.write(topic, event.partition if "limit" in attempt else 0, [record])
        except (FinalRefusal, NotAuthorized) as refused:
            portal.broker[attempt] = refused.code


@dataclass
class Outcome:
    """What router and desks made of it."""

    portal: Portal
    leaves: dict[str, set[bytes]]
    unconfirmed: dict[str, set[bytes]]
    conflicts: set[bytes]
    alarms: dict[str, Counter[str]]
    reasons: dict[str, dict[bytes, Reason]]
    """by writer and leaf"""
    missing: dict[str, int]
    audited: Verification

    def refused(self, by: str, attempt: str) -> str:
        """The dead letter that was written about an attempt."""
        return f"dead letter `{self.reasons[by][self.portal.events[attempt].out.leaf].value}`"

    def held(self, desk: str, attempt: str) -> bool:
        """Whether a desk has the event of an attempt."""
        return self.portal.events[attempt].out.leaf in self.leaves[desk]


async def scenario(kafka: TestKafka, home: Path) -> Outcome:
    """All attempts in one office, through the real router; a minute passes at the end."""
    stage = await Stage.prepare(kafka, fresh_namespace(), home)
    portal = Portal(stage)
    async with stage.router() as facts, working(stage, REVIEW, HELPDESK, AUDIT) as desks:
        for tries in (_sessions_that_are_none, _lies, _records):
            await tries(portal)
        last = await Session(stage).announce()
        marks = [file(last, 900 + number) for number in range(12)]
        await stage.submit(*marks)
        await until(lambda: all(mark.out.leaf in desks[AUDIT].events() for mark in marks))
        await desks.read_all()
        await desks.a_minute_later(lambda: _rung(desks))
        router = Counter(fact.code for fact in facts if isinstance(fact, Alarm))
        return await _outcome(portal, desks, router)


def _rung(desks: Desks) -> bool:
    wanted = {"checkpoint-fork", "beyond-close", "missing-event", "unconfirmed-event", "second-leaf"}
    return wanted <= desks[AUDIT].alarms().keys()


async def _outcome(portal: Portal, desks: Desks, router: Counter[str]) -> Outcome:
    rows = {name: desk.events() for name, desk in desks.desks.items()}
    return Outcome(
        portal,
        {name: set(found) for name, found in rows.items()},
        {name: {leaf_ for leaf_, row in found.items() if row.confirmed_at_ms is None} for name, found in rows.items()},
        {leaf_ for leaf_, row in rows[REVIEW].items() if row.conflict},
        {ROUTER: router, **{name: desk.alarms() for name, desk in desks.desks.items()}},
        {name: await refused_leaves(portal.stage, name) for name in (ROUTER, *desks.desks)},
        {name: desk.around.store.overdue(2**62).missing for name, desk in desks.desks.items()},
        desks[AUDIT].verified(later_ms=desks.ahead_ms),
    )
