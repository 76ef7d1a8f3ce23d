"""What became of a dead letter: its bytes by an independent reader, and who may say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import pytest

from hub.envelope.contracts import encode_body, schema_id
from hub.envelope.letters import Place
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Confided, LetterResolved, RefusedEvent, Resolution
from hub.envelope.resolutions import receipt_fingerprint
from hub.envelope.signed import Signed, sign
from hub.envelope.validation import validate_resolution
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.envelope.support import NOW, NS, SUBMISSIONS, T, identity, seed, trust

CONTRACTS = Path(__file__).parents[3] / "schemas" / "contracts" / "envelope"
EVENT = RefusedEvent("0190f3d4-0000-7000-8000-000000000001", seed("leaf"))
NUMBER = "R8-13104-000000001"
CONFIDED = Confided(seed("salt"), seed("value"), receipt_fingerprint(NUMBER), "operator-1", None)
LETTER = Place(f"{NS}.dead-letters.router", 3, 7)
REPLAYED = LetterResolved(
    letter=LETTER,
    origin=Place(SUBMISSIONS, 3, 42),
    refused=Reason.UNKNOWN_SESSION,
    refused_at=NOW - timedelta(hours=3),
    tenant=T,
    event=EVENT,
    reason=None,
    replayed_to=99,
    generation=0,
    former=None,
    confided=CONFIDED,
    resolved_at=NOW,
)
DISCARDED = replace(
    REPLAYED,
    tenant=None,
    event=None,
    reason="not-ours",
    replayed_to=None,
    generation=2,
    former=Place(f"{NS}.dead-letters.router", 3, 6),
    confided=replace(CONFIDED, receipt=None, note="a probe of the network team"),
)


def signed(said: LetterResolved, *names: str) -> bytes:
    return sign(said.RECORD, said.encode(), *(identity(name) for name in names or ("operator",)))


@pytest.mark.parametrize("said", [REPLAYED, DISCARDED], ids=["replayed", "discarded"])
def test_a_resolution_is_read_as_it_was_written(said: LetterResolved) -> None:
    assert LetterResolved.hear(said.tell()) == said
    assert LetterResolved.decode(said.encode()) == said.withheld
    assert said.kind is (Resolution.REPLAYED if said is REPLAYED else Resolution.DISCARDED)
    assert said.key == f"resolved/{NS}.dead-letters.router/3/7"
    assert said.returned_at == (Place(SUBMISSIONS, 3, 99) if said is REPLAYED else None)


def test_another_reader_of_the_contract_finds_the_same_values() -> None:
    """Apache's own Avro, from the contract's file; the hub reads with another library."""
    body = REPLAYED.encode()
    assert body[:5] == b"\x00" + schema_id("LetterResolved").to_bytes(4, "big")
    read = read_by_avro("LetterResolved", body)
    assert read["letter"] == {"topic": f"{NS}.dead-letters.router", "partition": 3, "offset": 7}
    assert read["origin"] == {"topic": SUBMISSIONS, "partition": 3, "offset": 42}
    assert (read["refused"], read["kind"], read["replayed_to"]) == ("unknown-session", "replayed", 99)
    assert read["event"]["leaf"] == seed("leaf")
    assert (read["reason"], read["former"], read["generation"]) == (None, None, 0)
    told = read_by_avro("LetterTold", REPLAYED.tell())
    assert told["resolved"] == body
    assert read["confided"] == sha256(b"eltax-hub/v1/confided\x00" + told["confided"]).digest()
    confided = read_by_avro("LetterConfided", told["confided"])
    text = b"eltax-hub/v1/receipt\x00R8-13104-000000001"
    assert confided == {
        "salt": seed("salt"),
        "digest": seed("value"),
        "receipt": sha256(text).digest()[:16],
        "actor": "operator-1",
        "note": None,
    }


def read_by_avro(name: str, framed: bytes) -> dict[str, Any]:
    schema = avro.schema.parse((CONTRACTS / f"{name}.1.avsc").read_text(encoding="utf-8"))
    read = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(BytesIO(framed[5:])))
    assert isinstance(read, dict)
    return read


@pytest.mark.parametrize("said", [REPLAYED, DISCARDED], ids=["replayed", "discarded"])
def test_what_the_audit_log_publishes_leads_to_nobody(said: LetterResolved, attack: Attack) -> None:
    """A log is kept for years: who decided, in which words, and whatever a guess could confirm stays out of it."""
    guessed = attack(Attacker.OUTSIDER, "finds in a published log which filing a letter was about, by trying numbers")
    read = attack(Attacker.AUDIT, "reads in its log who decided about a dead letter, and in which words")
    public, opened = signed(said), said.opened
    assert opened is not None
    guesses = [b"operator-1", b"probe of", opened.digest, receipt_fingerprint(NUMBER), receipt_fingerprint(NUMBER)[:8]]
    assert [each for each in guesses if each in public] == []
    salts = {Confided.fresh(opened.digest, opened.receipt, opened.actor, opened.note).commitment for _ in range(8)}
    assert len(salts) == 8, "the same words never have the same digest"
    guessed.prevented(by="operator", how="the entry has no digest of it without a random salt", within="the same entry")
    read.prevented(by="operator", how="the entry holds reason code and digest only", within="the same entry")


def test_what_was_confided_belongs_to_one_word_alone() -> None:
    def told(resolved: bytes, confided: bytes) -> bytes:
        return encode_body("LetterTold", {"resolved": resolved, "confided": confided})

    one, other = CONFIDED, replace(CONFIDED, actor="operator-2")
    assert LetterResolved.hear(told(REPLAYED.encode(), one.encode())) == REPLAYED
    swapped = [
        told(REPLAYED.encode(), other.encode()),
        told(REPLAYED.encode(), replace(one, salt=bytes(32)).encode()),
        told(replace(REPLAYED, confided=other).encode(), one.encode()),
    ]
    contradicting = [replace(REPLAYED, confided=replace(one, note="why")), replace(REPLAYED, event=None)]
    swapped += [told(said.withheld.encode(), said.opened.encode()) for said in contradicting if said.opened]
    assert len(swapped) == 5
    for body in swapped:
        with pytest.raises(EnvelopeError) as refused:
            LetterResolved.hear(body)
        assert refused.value.reason is Reason.MALFORMED
    with pytest.raises(EnvelopeError):
        REPLAYED.withheld.tell()


def test_another_writer_of_the_contract_makes_the_same_bytes() -> None:
    schema = avro.schema.parse((CONTRACTS / "LetterResolved.1.avsc").read_text(encoding="utf-8"))
    out = BytesIO()
    letters = f"{NS}.dead-letters.router"
    avro.io.DatumWriter(schema).write(
        {
            "letter": {"topic": letters, "partition": 3, "offset": 7},
            "origin": {"topic": SUBMISSIONS, "partition": 3, "offset": 42},
            "refused": "unknown-session",
            "refused_at": 1_775_001_600_000,
            "tenant": None,
            "event": None,
            "kind": "discarded",
            "reason": "not-ours",
            "replayed_to": None,
            "generation": 2,
            "former": {"topic": letters, "partition": 3, "offset": 6},
            "confided": DISCARDED.commitment,
            "resolved_at": 1_775_012_400_000,
        },
        avro.io.BinaryEncoder(out),
    )
    assert DISCARDED.encode()[5:] == out.getvalue()


@pytest.mark.parametrize(
    "bad",
    [
        replace(REPLAYED, replayed_to=None),
        replace(REPLAYED, reason="not-ours"),
        replace(REPLAYED, replayed_to=-1),
        replace(REPLAYED, generation=1),
        replace(REPLAYED, former=LETTER),
        replace(REPLAYED, generation=-1),
        replace(REPLAYED, tenant="13104"),
        replace(REPLAYED, event=replace(EVENT, event_id="見本太郎")),
        replace(REPLAYED, letter=replace(LETTER, topic="")),
        replace(REPLAYED, origin=replace(LETTER, offset=-1)),
        replace(REPLAYED, confided=replace(CONFIDED, actor="")),
        replace(REPLAYED, confided=replace(CONFIDED, actor="x" * 129)),
        replace(DISCARDED, confided=replace(CONFIDED, receipt=None, note="")),
        replace(DISCARDED, confided=replace(CONFIDED, receipt=None, note="x" * 201)),
        replace(DISCARDED, confided=replace(CONFIDED, receipt=None, note="two\nlines")),
        replace(DISCARDED, confided=replace(CONFIDED, receipt=None)),
        replace(DISCARDED, confided=replace(CONFIDED, note="why")),
        replace(DISCARDED, reason=""),
        replace(DISCARDED, reason="x" * 129),
    ],
)
def test_parts_that_contradict_each_other_are_malformed(bad: LetterResolved) -> None:
    with pytest.raises(EnvelopeError) as refused:
        bad.encode()
    assert refused.value.reason is Reason.MALFORMED


def test_a_body_that_contradicts_itself_is_malformed() -> None:
    def fields(**change: object) -> dict[str, object]:
        place = {"topic": SUBMISSIONS, "partition": 3, "offset": 42}
        return {
            "letter": place,
            "origin": place,
            "refused": "bad-mac",
            "refused_at": 0,
            "tenant": None,
            "event": None,
            "kind": "replayed",
            "reason": None,
            "replayed_to": 1,
            "generation": 0,
            "former": None,
            "confided": bytes(32),
            "resolved_at": 0,
        } | change

    assert LetterResolved.decode(encode_body("LetterResolved", fields())).refused is Reason.BAD_MAC
    for change in ({"kind": "discarded"}, {"kind": "forgotten"}, {"refused": "no-reason"}, {"resolved_at": -1}):
        with pytest.raises(EnvelopeError) as refused:
            LetterResolved.decode(encode_body("LetterResolved", fields(**change)))
        assert refused.value.reason is Reason.MALFORMED


def test_only_the_operator_says_what_became_of_a_letter() -> None:
    assert validate_resolution(signed(REPLAYED), trust(), NOW, tenant=T, key=REPLAYED.key.encode()) == REPLAYED.withheld
    told = sign(REPLAYED.TOLD, REPLAYED.tell(), identity("operator"))
    assert validate_resolution(told, trust(), NOW, tenant=T, key=REPLAYED.key.encode(), told=True) == REPLAYED
    assert validate_resolution(told, trust(), NOW) is Reason.FOREIGN_SCHEMA
    assert validate_resolution(signed(REPLAYED), trust(), NOW, told=True) is Reason.FOREIGN_SCHEMA
    for other in ("router", "admin", "portal", f"review-{T}"):
        assert validate_resolution(signed(REPLAYED, other), trust(), NOW) is Reason.UNTRUSTED
    body = Signed.parse(signed(REPLAYED)).body
    forged = Signed(body, Signed.parse(signed(DISCARDED)).signatures).encode()
    assert validate_resolution(forged, trust(), NOW) is Reason.BAD_SIGNATURE


def test_a_resolution_counts_where_and_when_it_belongs() -> None:
    assert validate_resolution(signed(REPLAYED), trust(), NOW, tenant="999997") is Reason.WRONG_TENANT
    assert validate_resolution(signed(DISCARDED), trust(), NOW, tenant="999997") == DISCARDED.withheld
    assert validate_resolution(signed(REPLAYED), trust(), NOW, key=b"resolved/x") is Reason.WRONG_KEY
    ahead = NOW - timedelta(minutes=11)
    assert validate_resolution(signed(REPLAYED), trust(), ahead) is Reason.EXPIRED
    assert validate_resolution(b"\x00", trust(), NOW) is Reason.NOT_FRAMED
