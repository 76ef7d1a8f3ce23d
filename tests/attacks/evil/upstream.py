"""Attacks on the portal end: what it writes, what it gets back, whom it seals to, whom it speaks with."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.crypto.audience import AudiencePrivateKey
from hub.crypto.certificates import CertificateAuthority, Usage
from hub.crypto.identity import IdentityKey
from hub.enrolment import administrator
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey
from hub.envelope.signed import Signed, sign
from hub.envelope.times import epoch_of, next_epoch
from hub.producing.errors import AudienceKeyMissing, AudienceKeyRefused
from hub.transport import BrokerUnavailable, KafkaRecord
from tests.attacking.rows import Attacker, Verdict
from tests.attacks.evil.copies import Place
from tests.attacks.evil.live import RECEIPT, Live, submitted
from tests.attacks.evil.singles import BATCH
from tests.attacks.evil.stage import alarms_in, until
from tests.broker.router_stage import CHEAP, OTHER, TENANT
from topics import names


def NOBODY(principal: str, place: Place) -> bool:
    """Swallows nothing."""
    return False


async def thrown_away(live: Live) -> None:
    """Acknowledged, and never stored: an event with its checkpoint; a session's announcement."""
    evil, sessions = live.stage.evil, names.sessions(live.stage.namespace)
    tried = live.attack(Attacker.BROKER, "acknowledges submissions and throws them away", Verdict.DETECTED)
    async with live.stage.desks("review"), live.router() as router, live.portal() as (portal, facts):
        await submitted(portal, live.document(0))
        evil.swallow = lambda principal, place: (principal, place) == ("portal", (live.topic, 1))
        lost = await submitted(portal, live.document(1))
        await router.through()
        alarm = await live.missed_by_portal(facts, lost)
    evil.swallow = NOBODY
    assert await live.missed_by_audit("checkpoint-gap") == set(lost)
    how = f"alarm `{alarm}`, its bytes are kept in the journal; at session end `checkpoint-gap` at the audit desk"
    tried.detected(by="portal", how=how, within=RECEIPT)

    what = "acknowledges a session's announcement and throws it away"
    tried = live.attack(Attacker.BROKER, what, Verdict.DETECTED)
    await live.stage.new_letters("router")
    evil.swallow = lambda principal, place: (principal, place[0]) == ("portal", sessions)
    async with live.router() as router, live.portal() as (portal, _):
        await submitted(portal, live.document())
        await router.through()
        rang = alarms_in(router.facts)[Reason.UNKNOWN_SESSION.value]
    evil.swallow = NOBODY
    (reason,) = {each.reason for each in await live.stage.new_letters("router")}
    assert rang
    tried.detected(by="router", how=f"dead letters and alarm `{reason.value}`", within=BATCH)


async def receipts(live: Live) -> None:
    """Receipts withheld, then shown after all; receipts that are not what they say."""
    copies, status = live.stage.evil.copies, names.status(live.stage.namespace, TENANT)
    other = names.status(live.stage.namespace, OTHER)
    copies.anew("portal")
    copies.lie("portal", status, lambda partition, new: [])
    tried = live.attack(Attacker.BROKER, "withholds the desk's receipts from the portal", Verdict.DETECTED)
    async with live.stage.desks("review") as (desk,), live.router() as router, live.portal() as (portal, facts):
        told = await submitted(portal, live.document())
        await router.through()
        alarm = await live.missed_by_portal(facts, told)
        await until(lambda: set(told) <= {row.event.event_id for row in desk.store.events()}, "it is at the desk")
    tried.detected(by="portal", how=f"alarm `{alarm}`; the journal keeps the event until it comes", within=RECEIPT)

    copies.anew("portal")
    await live.stage.evil.settled()
    real = next(each for each in copies.honest((status, 0)) if (each.key or b"").startswith(b"stored/"))
    forged = {
        "shows the portal a receipt with a bit flipped": ((status, 0), _broken(real)),
        "shows the portal a receipt of another partition": ((status, 1), real),
        "shows the portal one city's receipt as another's": ((other, 0), real),
    }
    await live.stage.new_letters("portal")
    async with live.portal() as (_, facts):
        await until(lambda: live.unreceipted() == set(), "with the receipts its journal forgets the events")
        for place, record in forged.values():
            copies.log("portal", place).append(record)
        await until(lambda: alarms_in(facts)["receipt.refused"] == len(forged), "each is refused")
    reasons = {each.place.topic + str(each.place.partition): each for each in await live.stage.new_letters("portal")}
    for what, (place, _) in forged.items():
        reason = reasons[place[0] + str(place[1])].reason
        how = f"dead letter `{reason.value}` and alarm `receipt.refused`; nothing is forgotten"
        live.attack(Attacker.BROKER, what).prevented(by="portal", how=how, within=BATCH)


def _broken(record: KafkaRecord) -> KafkaRecord:
    value = record.value or b""
    return replace(record, value=value[:-2] + bytes([value[-2] ^ 1]) + value[-1:])


async def audience_keys(live: Live) -> None:
    """Keys withheld, planted, exchanged within a month, rolled back to the month before."""
    evil = live.stage.evil
    desk, place = f"review-{TENANT}", (names.audiences(live.stage.namespace), 0)
    await evil.settled()
    honest = evil.copies.honest(place)
    month = epoch_of(datetime.now(UTC))
    genuine = next(each for each in honest if (each.key or b"").startswith(f"{desk}/{month}/".encode()))
    others = [each for each in honest if each is not genuine]
    evil.swallow = lambda principal, place: principal == "portal"  # what it sends here is of no interest

    async def shown(records: list[KafkaRecord], error: type[Exception], code: str, ahead: timedelta) -> str:
        evil.copies.anew("portal")
        evil.copies.show("portal", place, records)
        async with live.portal(wall=lambda: datetime.now(UTC) + ahead) as (portal, facts):
            if error is Exception:
                await submitted(portal, live.document())
                return ""
            with pytest.raises(error):
                await submitted(portal, live.document())
            assert not code or alarms_in(facts)[code]
        return str(error.code)  # type: ignore[attr-defined]

    now = timedelta()
    tried = live.attack(Attacker.BROKER, "withholds the audience keys from the portal")
    refused = await shown([], AudienceKeyMissing, "", now)
    tried.prevented(by="portal", how=f"accepts nothing, `{refused}`", within="the next session")

    mallory = IdentityKey.from_seed(bytes(31) + b"\x07")
    planted = _another(genuine, mallory, mallory)
    tried = live.attack(Attacker.BROKER, "gives the portal an audience key of its own making")
    refused = await shown([*others, planted], AudienceKeyMissing, "audience-key.refused", now)
    how = f"accepts nothing, `{refused}`, alarm `audience-key.refused`"
    tried.prevented(by="portal", how=how, within="the next session")

    assert not await shown(list(honest), Exception, "", now)
    owner, admin = live.stage.stage.role(desk).identity, administrator(live.stage.stage.home, cost=CHEAP)
    tried = live.attack(Attacker.BROKER, "exchanges an audience key for another that was lawfully signed")
    refused = await shown([*others, _another(genuine, owner, admin)], AudienceKeyRefused, "", now)
    tried.prevented(by="portal", how=f"accepts nothing, `{refused}`", within="the next session")

    ahead = _into_next_month()
    assert not await shown(list(honest), Exception, "", ahead)
    old = [each for each in honest if f"/{next_epoch(month)}/".encode() not in (each.key or b"")]
    assert len(old) < len(honest)
    tried = live.attack(Attacker.BROKER, "rolls the audience keys back to the month before")
    refused = await shown(old, AudienceKeyMissing, "", ahead)
    tried.prevented(by="portal", how=f"accepts nothing, `{refused}`: they have ended", within="the next session")
    tried = live.attack(Attacker.BROKER, "rolls the audience keys back, and the portal's clock too")
    refused = await shown(old, AudienceKeyRefused, "", now)
    tried.prevented(
        by="portal", how=f"accepts nothing, `{refused}`: its journal knows the later", within="the next session"
    )
    evil.swallow = NOBODY
    evil.copies.anew("portal")


def _another(record: KafkaRecord, *signers: IdentityKey) -> KafkaRecord:
    """A key record for the same audience and month with another public key."""
    known = AudienceKey.decode(Signed.parse(record.value or b"").body)
    private = AudiencePrivateKey.generate()
    made = replace(known, key_id=private.key_id, public_key=private.public)
    signed = sign(AudienceKey.RECORD, made.encode(), *dict.fromkeys(signers))
    return replace(record, key=made.key.encode(), value=signed)


def _into_next_month() -> timedelta:
    now = datetime.now(UTC)
    day = now
    while epoch_of(day) == epoch_of(now):
        day += timedelta(days=1)
    return day + timedelta(days=1) - now


async def elsewhere(live: Live, directory: Path) -> None:
    """The address that clients are sent to is another machine's, without the broker's key."""
    evil = live.stage.evil
    own = CertificateAuthority.create(directory / "authority")
    kafka = live.stage.stage.kafka
    await _genuine(live)
    for name, authority, usage in (
        ("a certificate of another authority", own, Usage.BROKER),
        ("a client's certificate of the hub's authority", kafka.authority, Usage.CLIENT),
    ):
        tried = live.attack(Attacker.BROKER, f"sends clients to a machine with {name}")
        issued = authority.issue("broker", directory / usage.name, usage=usage, hosts=("127.0.0.1", "localhost"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.private_key)
        with _impostor(context) as (port, said):
            evil.advertised = ("127.0.0.1", port)
            with pytest.raises(BrokerUnavailable) as refused:
                async with live.portal():
                    pass
            evil.advertised = None
        assert said and "a request" not in said
        how = f"`{refused.value.code}`: the certificate is refused before a byte of Kafka's protocol"
        tried.prevented(by="portal", how=how, within="the handshake")


async def _genuine(live: Live) -> None:
    """The control: who has the broker's own key is spoken with."""
    issued, evil = live.stage.stage.kafka.node.identity, live.stage.evil
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.private_key)
    with _impostor(context) as (port, said):
        evil.advertised = ("127.0.0.1", port)
        with pytest.raises(BrokerUnavailable):
            async with live.portal():
                pass
        evil.advertised = None
    assert "a request" in said


@contextmanager
def _impostor(context: ssl.SSLContext) -> Iterator[tuple[int, list[str]]]:
    """A machine that takes connections; what became of each handshake."""
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                with plain:
                    try:
                        with context.wrap_socket(plain, server_side=True) as secure:
                            said.append("a request" if secure.recv(64) else "closed")
                    except ssl.SSLError as refusal:
                        said.append(str(refusal.reason))
                    except OSError:
                        said.append("closed")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], said
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)
