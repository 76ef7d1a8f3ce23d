"""The committed bytes: each checked by a second implementation first, then met by the hub exactly."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub.crypto import sections as keys
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.identity import IdentityKey
from hub.crypto.secret import Secret
from hub.envelope import header as headers
from hub.envelope.header import Cause, Check, EventHeader
from hub.envelope.leaf import leaf
from hub.envelope.names import Kind
from hub.envelope.padding import padded_bytes
from hub.envelope.records import Session
from hub.envelope.sealed import build, outputs, parse
from hub.envelope.session import open_section, open_session, session_info
from hub.envelope.signed import Signed, sign
from tests.vectors import reference

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "envelope-v1.json").read_text())
EVENTS = DOCUMENT["events"]
_BYTES = {"session", "salt", "commitment", "sealed", "previous", "leaf"}


def raw(value: Any, name: str = "") -> Any:
    """Bytes for the fields of headers and sessions that are bytes."""
    if isinstance(value, dict):
        return {key: raw(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [raw(each) for each in value]
    return bytes.fromhex(value) if name in _BYTES and isinstance(value, str) else value


def b(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.fixture(params=EVENTS, ids=["submission", "accepted"])
def event(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def triples(event: dict[str, Any]) -> list[tuple[str, bytes, bytes | None]]:
    return [(each["audience"], b(each["digest"]), b(each["ciphertext"])) for each in event["sections"]]


def secret(event: dict[str, Any], audience: str) -> bytes:
    return next(b(key["secret"]) for key in event["keys"] if key["audience"] == audience)


def test_a_second_implementation_derives_every_value_of_the_vectors(event: dict[str, Any]) -> None:
    session = raw(event["session"])
    for key, sealed in zip(event["keys"], session["audiences"], strict=True):
        info = reference.session_info(session, key["audience"], sealed["epoch"])
        assert info == b(key["info"])
        assert reference.hpke_open(key["suite"], b(key["seeds"]), info, sealed["sealed"]) == b(key["secret"])
        assert reference.commitment(b(key["secret"])) == sealed["commitment"]
        if key["mac_key"] is not None:
            assert reference.mac_key(b(key["secret"])) == b(key["mac_key"])
    ids = event["schema_ids"]
    assert sha256(b(event["session_body"])).hexdigest() == event["session_id"]
    seeds = [b(event["identity_seed"])]
    signed = reference.signed(ids["SignedRecord"], "Session", b(event["session_body"]), seeds)
    assert signed == b(event["signed_session"])
    header = reference.header(ids["EventHeader"], raw(event["header_fields"]))
    assert header == b(event["header"])
    for each in event["sections"]:
        name, plaintext = each["audience"], b(each["plaintext"])
        assert len(reference.padded(plaintext)) == each["padded_bytes"]
        assert reference.event_key(secret(event, name), header, name) == b(each["event_key"])
        ciphertext = reference.ciphertext(secret(event, name), header, name, plaintext)
        assert ciphertext == b(each["ciphertext"])
        assert sha256(ciphertext).digest() == b(each["digest"])
    assert reference.leaf(header, [(n, digest) for n, digest, _ in triples(event)]) == b(event["leaf"])
    mac = None if event["mac"] is None else b(event["mac"])
    if mac is not None:
        assert mac == reference.mac(reference.mac_key(secret(event, "router")), b(event["leaf"]))
    assert reference.sealed(ids["SealedEvent"], header, triples(event), mac) == b(event["value"])
    for keep, digest in event["output_sha256"].items():
        kept = [(n, d, c if n == keep else None) for n, d, c in triples(event)]
        assert sha256(reference.sealed(ids["SealedEvent"], header, kept, mac)).hexdigest() == digest


def test_session_of_the_vectors_is_read_signed_and_opened(event: dict[str, Any]) -> None:
    session = Session.decode(b(event["session_body"]))
    assert session.id == b(event["session_id"])
    assert session.encode() == b(event["session_body"])
    identity = IdentityKey.from_seed(b(event["identity_seed"]))
    assert sign("Session", b(event["session_body"]), identity) == b(event["signed_session"])
    signed = Signed.parse(b(event["signed_session"]))
    assert signed.verify(identity.key_id, identity.public) and signed.hash == session.id
    for key in event["keys"]:
        private = AudiencePrivateKey.from_seeds(Suite(key["suite"]), b(key["seeds"]))
        assert sha256(private.public).hexdigest() == key["public_sha256"]
        audience = session.audience(key["audience"])
        assert audience is not None
        info = session_info(
            session.salt, session.producer, session.topic, session.tenant, key["audience"], audience.epoch
        )
        assert info == b(key["info"])
        opened = open_session(session, key["audience"], private)
        assert opened.reveal() == b(key["secret"])
        assert keys.commitment(opened) == audience.commitment
        if key["mac_key"] is not None:
            assert keys.mac_key(opened) == b(key["mac_key"])


def test_header_of_the_vectors_is_written_and_read(event: dict[str, Any]) -> None:
    fields = raw(event["header_fields"])
    cause = fields["cause"]
    header = EventHeader(
        fields["session"],
        Kind(fields["kind"]),
        fields["tenant"],
        fields["producer"],
        fields["partition"],
        fields["sequence"],
        fields["event_id"],
        fields["receipt_number"],
        fields["procedure"],
        fields["procedure_version"],
        fields["tax_item"],
        fields["accepted_at"],
        fields["produced_at"],
        Check(fields["calculation_check"]),
        Check(fields["signature_check"]),
        None if cause is None else Cause(cause["event_id"], cause["leaf"]),
    )
    assert headers.encode(header) == b(event["header"])
    assert headers.decode(b(event["header"])) == header


def test_event_of_the_vectors_is_sealed_routed_and_opened(event: dict[str, Any]) -> None:
    header = b(event["header"])
    for each in event["sections"]:
        name = each["audience"]
        own = Secret(secret(event, name))
        assert keys.event_key(own, header, name) == b(each["event_key"])
        assert open_section(own, header, name, b(each["ciphertext"])) == b(each["plaintext"])
    mac = None if event["mac"] is None else b(event["mac"])
    assert build(header, triples(event), mac) == b(event["value"])
    sealed = parse(b(event["value"]))
    assert (sealed.header, sealed.mac) == (header, mac)
    assert sealed.leaf() == leaf(header, sealed.digests) == b(event["leaf"])
    assert sealed.digests_hold()
    if mac is not None:
        assert keys.mac(keys.mac_key(Secret(secret(event, "router"))), b(event["leaf"])) == mac
    keeps = list(event["output_sha256"])
    copies = outputs(sealed, [None if keep == "none" else keep for keep in keeps])
    assert [sha256(copy).hexdigest() for copy in copies] == [event["output_sha256"][k] for k in keeps]


def test_padding_table_of_the_vectors() -> None:
    for length, size in DOCUMENT["padding"]:
        assert padded_bytes(length) == size == len(reference.padded(bytes(length)))
