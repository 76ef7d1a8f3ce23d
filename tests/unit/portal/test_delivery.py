"""The delivery receipt proves that the ward's desk has stored one filing; no changed file proves anything."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.identity import IdentityKey
from hub.envelope.delivery import FORMAT
from hub.envelope.header import Check
from hub.envelope.records import AudienceKey, StoredEvent, StoredReceipt
from hub.envelope.session import SealedOut, SessionSecrets
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds, to_ms
from hub.envelope.trust import Trust, TrustRefused
from hub.envelope.trust_builder import TrustBuilder
from hub.producing.journal import Journal
from hub.producing.journal_rows import (
    Acknowledge,
    AddSession,
    Append,
    Confirm,
    JournaledEvent,
    MarkVoid,
    Receipt,
    SealedEntry,
)
from portal.delivery import (
    NotSent,
    NotStoredYet,
    ReceiptInvalid,
    ReceiptNotKept,
    check,
    delivery_receipt,
    is_part,
    sent,
)
from schemas.parts import ATTACHMENT_PART
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.portal.checking import NotProven, proven
from tests.unit.producing.support import OWNER
from topics import names

NOW = datetime(2030, 1, 15, 3, 0, tzinfo=UTC)
TENANT, DESK = "131041", "review-131041"
AUDIENCES = ("router", DESK, "helpdesk-131041")
NUMBER = "R12-13104-000000017"


def uuid7(number: int) -> str:
    return f"0190f3d4-0000-7000-8000-{number:012x}"


class Stage:
    """A portal's journal with sealed events, a desk that signs, and a trust file."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "journal.db"
        self.journal = Journal.open(self.path, owner=OWNER)
        self.identities = {name: IdentityKey.generate() for name in ("admin", "portal", DESK, "review-999997")}
        self.admin = self.identities["admin"]
        begin, end = epoch_bounds(203001)
        keys = []
        for name in AUDIENCES:
            private = AudiencePrivateKey.generate(Suite.X25519)
            keys.append(AudienceKey(name, 203001, private.key_id, Suite.X25519, private.public, begin, end))
        self.secrets = SessionSecrets.create(
            producer="portal",
            instance="portal-1",
            topic=names.submissions("rehearsal"),
            tenant=TENANT,
            created_at=NOW - timedelta(minutes=1),
            expires_at=NOW + timedelta(hours=1),
            audiences=keys,
            identity=self.identities["portal"],
        )
        self.events: list[SealedOut] = []

    @property
    def session(self) -> bytes:
        return self.secrets.session.id

    def trust_file(self, change: Callable[[TrustBuilder], object] = lambda builder: None) -> bytes:
        builder = TrustBuilder("rehearsal")
        for name, identity in self.identities.items():
            builder.identity(name, identity.public, NOW - timedelta(days=30), NOW + timedelta(days=400))
        change(builder)
        return builder.sign(NOW, self.admin)

    def trust(self, change: Callable[[TrustBuilder], object] = lambda builder: None) -> Trust:
        return Trust.load(self.trust_file(change), self.admin.public)

    async def send(
        self,
        count: int = 1,
        number: str = NUMBER,
        procedure: str = "heir-representative-designation",
        *,
        acknowledged: bool = True,
    ) -> None:
        """Seal, journal and acknowledge events."""
        first = len(self.events)
        entries = []
        for at in range(first, first + count):
            header = self.secrets.header(
                partition=1,
                sequence=at,
                event_id=uuid7(at),
                receipt_number=number,
                procedure=procedure,
                procedure_version=1,
                tax_item=None,
                accepted_at_ms=to_ms(NOW) + at,
                produced_at_ms=to_ms(NOW),
                calculation_check=Check.PASSED,
                signature_check=Check.NOT_PERFORMED,
            )
            out = self.secrets.seal(header, {DESK: b"everything %d" % at, "helpdesk-131041": b"masked"})
            self.events.append(out)
            entries.append(
                SealedEntry(bytes([at]) * 32, self.session, 1, at, out.event_id, out.leaf, TENANT, number, out.value)
            )
        steps: list[Any] = [Append(tuple(entries))]
        if acknowledged:
            steps.append(Acknowledge(self.session, 1, first + count - 1))
        if not first:
            session = self.secrets.session
            steps.insert(0, AddSession(self.session, session.topic, TENANT, self.secrets.signed, to_ms(NOW)))
        await self.journal.apply(*steps)

    def receipt(self, *numbers: int, signer: str = DESK, desk: str = DESK, tenant: str = TENANT, **how: Any) -> bytes:
        """The desk's signed word that it has stored some events."""
        stored = tuple(StoredEvent(n, uuid7(n), self.events[n].leaf) for n in numbers)
        session, partition = how.get("session", self.session), how.get("partition", 1)
        body = StoredReceipt(session, partition, tenant, desk, stored, NOW).encode()
        return sign(StoredReceipt.RECORD, body, self.identities[signer])

    async def confirm(self, *numbers: int, record: bytes | None = None, keep: bool = True) -> None:
        """Take a verified receipt down."""
        receipts = tuple(
            Receipt(self.session, 1, n, uuid7(n), self.events[n].leaf, 0 if keep else None) for n in numbers
        )
        await self.journal.apply(Confirm("status", 1, 1, receipts, (record or self.receipt(*numbers),)))

    def event(self, at: int = 0) -> JournaledEvent:
        (found,) = sent(self.path, uuid7(at))
        return found

    async def document(self, at: int = 0) -> bytes:
        """The receipt of one of three events that are stored together."""
        await self.send(3)
        await self.confirm(0, 1, 2)
        return delivery_receipt(self.path, self.event(at))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.journal.close()


async def test_the_receipt_says_which_filing_the_desk_has_stored_and_when(stage: Stage) -> None:
    document = await stage.document(1)
    assert check(document, stage.trust(), NOW) == {
        "receipt_number": NUMBER,
        "procedure": "heir-representative-designation",
        "accepted_at": "2030-01-15T03:00:00.001+00:00",
        "event_id": uuid7(1),
        "leaf": stage.events[1].leaf.hex(),
        "tenant": TENANT,
        "desk": DESK,
        "stored_at": "2030-01-15T03:00:00.000+00:00",
    }
    assert b"everything" not in document
    assert not is_part(document)


async def test_somebody_with_the_specification_alone_comes_to_the_same_result(stage: Stage) -> None:
    document = await stage.document(1)
    found = proven(document, stage.trust_file(), stage.admin.public)
    ours = check(document, stage.trust(), NOW)
    assert {name: found[name] for name in ("receipt_number", "procedure", "event_id", "leaf", "tenant", "desk")} == {
        name: ours[name] for name in ("receipt_number", "procedure", "event_id", "leaf", "tenant", "desk")
    }
    assert (found["accepted_at"], found["stored_at"]) == (to_ms(NOW) + 1, to_ms(NOW))
    with pytest.raises(NotProven):
        proven(document, stage.trust_file(), stage.identities["portal"].public)
    said = json.loads(document)
    said["header"] = base64.b64encode(base64.b64decode(said["header"]).replace(b"000000017", b"000000018")).decode()
    with pytest.raises(NotProven):
        proven(json.dumps(said).encode(), stage.trust_file(), stage.admin.public)


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
async def test_a_file_with_one_changed_byte_proves_nothing(stage: Stage, mask: int) -> None:
    document = await stage.document()
    trust = stage.trust()
    check(document, trust, NOW)
    for at in range(len(document)):
        changed = bytearray(document)
        changed[at] ^= mask
        with pytest.raises(ReceiptInvalid):
            check(bytes(changed), trust, NOW)


async def test_a_file_that_is_cut_or_longer_proves_nothing(stage: Stage, attack: Attack) -> None:
    tried = attack(Attacker.APPLICANT, "shows the ward a delivery receipt that was cut, or has something added")
    document = await stage.document()
    trust = stage.trust()
    for length in range(len(document)):
        with pytest.raises(ReceiptInvalid):
            check(document[:length], trust, NOW)
    for more in (b" ", b"\n", b"{}", b"\0", document):
        with pytest.raises(ReceiptInvalid):
            check(document + more, trust, NOW)
        with pytest.raises(ReceiptInvalid):
            check(more + document, trust, NOW)
    tried.prevented(by="who checks it with the trust list", how=f"`{ReceiptInvalid.code}`", within="at once")


def _changes() -> list[Any]:
    def one(name: str, value: Any) -> Any:
        return pytest.param(lambda said: said.__setitem__(name, value), id=f"{name}={str(value)[:20]}")

    def without(name: str) -> Any:
        return pytest.param(lambda said: said.pop(name), id=f"without {name}")

    members = ("format", "receipt_number", "procedure", "accepted_at", "tenant", "event_id", "leaf", "stored_at")
    return [
        *(without(name) for name in (*members, "desk", "header", "sections", "record")),
        *(one(name, None) for name in (*members, "desk", "header", "sections", "record")),
        one("receipt_number", "R12-13104-000000018"),
        one("tenant", "999997"),
        one("event_id", uuid7(1)),
        one("leaf", "00" * 32),
        one("format", "eltax-hub-delivery-receipt/2"),
        one("header", "AAAA"),
        one("header", 5),
        one("record", ""),
        one("sections", []),
        one("sections", {}),
        one("sections", [{"audience": 5, "digest": "00"}]),
        one("sections", [{"audience": "x", "digest": "00" * 32}] * 40),
        one("surprise", 1),
        pytest.param(lambda said: said["sections"].reverse(), id="sections in another order"),
        pytest.param(lambda said: said["sections"].pop(), id="a section less"),
    ]


@pytest.mark.parametrize("change", _changes())
async def test_a_file_that_says_anything_else_is_refused(stage: Stage, change: Callable[[Any], object]) -> None:
    said = json.loads(await stage.document())
    change(said)
    with pytest.raises(ReceiptInvalid):
        check(_rendered(said), stage.trust(), NOW)


def _rendered(said: Any) -> bytes:
    return json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"


@pytest.mark.parametrize("garbage", [b"", b"null", b"[]", b'"x"', b"[" * 100_000, b"{}", bytes(10), b"\xff" * 100])
async def test_what_is_no_receipt_is_refused(stage: Stage, garbage: bytes) -> None:
    with pytest.raises(ReceiptInvalid):
        check(garbage, stage.trust(), NOW)


async def test_a_file_that_is_too_large_is_not_read(stage: Stage) -> None:
    with pytest.raises(ReceiptInvalid, match="too large"):
        check(b" " * (8 * 2**20 + 1), stage.trust(), NOW)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        pytest.param({"signer": "review-999997"}, "untrusted", id="signed by another tenant's desk"),
        pytest.param({"signer": "portal"}, "untrusted", id="signed by the portal itself"),
        pytest.param(
            {"signer": "review-999997", "desk": "review-999997", "tenant": "999997"}, "wrong-tenant", id="wrong tenant"
        ),
        pytest.param({"signer": "portal", "desk": "portal"}, "not-permitted", id="the portal as the desk"),
        pytest.param({"session": b"\x05" * 32}, "other events", id="another session"),
        pytest.param({"partition": 2}, "wrong-partition", id="another partition"),
    ],
)
async def test_only_the_desk_of_the_tenant_proves_that_it_has_stored_this_event(
    stage: Stage, how: dict[str, Any], why: str
) -> None:
    await stage.send(1)
    await stage.confirm(0, record=stage.receipt(0, **how))
    with pytest.raises(ReceiptInvalid, match=why):
        check(delivery_receipt(stage.path, stage.event()), stage.trust(), NOW)


async def test_a_receipt_of_another_event_proves_nothing(stage: Stage, attack: Attack) -> None:
    tried = attack(Attacker.PORTAL, "hands a filer the delivery receipt of another filing")
    await stage.send(2)
    await stage.confirm(0, record=stage.receipt(1))
    with pytest.raises(ReceiptInvalid, match="other events"):
        check(delivery_receipt(stage.path, stage.event()), stage.trust(), NOW)
    tried.prevented(by="`portal receipt` check", how="refused: the leaf is another", within="the check")


async def test_a_revoked_key_of_the_desk_proves_nothing_any_more(stage: Stage, attack: Attack) -> None:
    tried = attack(Attacker.LAPTOP, "signs delivery receipts with a review desk's stolen key, once it is revoked")
    document = await stage.document()
    revoked = stage.identities[DESK].key_id
    for at in (NOW - timedelta(days=1), NOW + timedelta(days=1)):
        with pytest.raises(ReceiptInvalid, match="revoked"):
            check(document, stage.trust(lambda builder, at=at: builder.revoke(revoked, at)), NOW)  # type: ignore[misc]
    with pytest.raises(NotProven):
        proven(document, stage.trust_file(lambda b: b.revoke(revoked, NOW)), stage.admin.public)
    tried.prevented(by="check of the delivery receipt", how="refused: `revoked`", within="the check")


async def test_a_receipt_is_good_for_years_and_not_before_its_time(stage: Stage) -> None:
    document = await stage.document()
    check(document, stage.trust(), NOW + timedelta(days=3_650))
    with pytest.raises(ReceiptInvalid, match="expired"):
        check(document, stage.trust(), NOW - timedelta(days=1))


async def test_a_trust_file_counts_only_under_the_pinned_key(stage: Stage, attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "hands who checks a receipt a trust list of its own")
    with pytest.raises(TrustRefused):
        Trust.load(stage.trust_file(), stage.identities["portal"].public)

    tried.prevented(
        by="check of the delivery receipt", how="refused: not signed by the pinned administrator", within="the check"
    )


# --- when there is one


async def test_there_is_none_before_the_desk_has_confirmed(stage: Stage, attack: Attack) -> None:
    tried = attack(Attacker.PORTAL, "accepts a filing and keeps it back", Verdict.DETECTED)
    await stage.send(1)
    with pytest.raises(NotStoredYet) as problem:
        delivery_receipt(stage.path, stage.event())
    assert problem.value.retriable
    tried.detected(by="filer", how="no delivery receipt can be made without the desk", within="when the filer asks")


async def test_there_never_is_one_of_what_the_broker_refused(stage: Stage) -> None:
    await stage.send(1, acknowledged=False)
    await stage.journal.apply(MarkVoid(stage.session, 1, 0))
    with pytest.raises(NotSent):
        delivery_receipt(stage.path, stage.event())


async def test_what_was_confirmed_before_receipts_were_kept_is_said_to_be_so(stage: Stage) -> None:
    await stage.send(1)
    await stage.confirm(0, keep=False)
    with pytest.raises(ReceiptNotKept) as problem:
        delivery_receipt(stage.path, stage.event())
    assert not problem.value.retriable


async def test_the_first_receipt_that_came_is_kept(stage: Stage) -> None:
    await stage.send(2)
    first, second = stage.receipt(0), stage.receipt(0, 1)
    await stage.confirm(0, record=first)
    await stage.confirm(0, 1, record=second)
    kept = [json.loads(delivery_receipt(stage.path, stage.event(n)))["record"] for n in (0, 1)]
    assert kept == [base64.b64encode(first).decode(), base64.b64encode(second).decode()]


async def test_sealed_bytes_are_gone_and_what_stays_holds_no_ciphertext(stage: Stage) -> None:
    document = await stage.document()
    stage.journal.close()
    stage.journal = Journal.open(stage.path, owner=OWNER)
    assert stage.journal.depth() == (0, 0)
    (said,) = [json.loads(document)]
    assert said["format"] == FORMAT
    assert len(document) < 4_000


async def test_a_part_of_an_attachment_is_known_as_one(stage: Stage) -> None:
    await stage.send(1, procedure=ATTACHMENT_PART)
    await stage.confirm(0)
    assert is_part(delivery_receipt(stage.path, stage.event()))


async def test_events_are_found_by_receipt_number_oldest_first_and_by_event_id(stage: Stage) -> None:
    await stage.send(2)
    await stage.send(1, number="R12-13104-000000099")
    assert [event.event_id for event in sent(stage.path, NUMBER)] == [uuid7(0), uuid7(1)]
    assert [event.receipt_number for event in sent(stage.path, uuid7(2))] == ["R12-13104-000000099"]
    assert list(sent(stage.path, "R12-13104-000000098")) == []
    assert list(sent(stage.path.with_name("none.db"), NUMBER)) == []
