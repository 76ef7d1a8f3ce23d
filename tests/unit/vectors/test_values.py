"""Every value of the vectors is what the hub makes, and what the reference makes again."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from hub.crypto import merkle
from hub.crypto import sections as keys
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.keyfile import FOR_TESTS, PassphraseKeys, open_file, read_clear, seal_file
from hub.crypto.labels import label
from hub.crypto.secret import Secret
from hub.envelope import delivery
from hub.envelope import header as headers
from hub.envelope.header import EventHeader
from hub.envelope.inspection import PRODUCED, STRIPPED, Inspected, inspect, lane, routed_to
from hub.envelope.leaf import leaf
from hub.envelope.names import Kind
from hub.envelope.padding import pad, padded_bytes, unpad
from hub.envelope.records import Session
from hub.envelope.sealed import build, outputs, parse
from hub.envelope.session import open_section, open_session, session_info
from hub.envelope.signed import Signed
from hub.envelope.validation import validate_receipt, validate_session
from hub.envelope.wire import encode_bytes, encode_long, encode_text, frame, frame_id, read_length, read_long
from schemas import codec
from tests.unit.vectors.files import NOW, PLACE, WORLD, as_json, b, from_json, load, names, private_key, trust
from tests.vectors import make
from topics.partition import murmur2, partition_for

PRIMITIVES: dict[str, Any] = load("primitives")
SESSIONS: list[dict[str, Any]] = load("sessions")
EVENTS: list[dict[str, Any]] = load("events")
MADE = make.documents()


@pytest.mark.parametrize("name", MADE)
def test_the_reference_makes_the_same_file_again(name: str) -> None:
    assert make.text(MADE[name]) == (PLACE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("each", PRIMITIVES["longs"], ids=lambda each: each["value"])
def test_longs(each: dict[str, str]) -> None:
    data = b(each["encoded"])
    assert encode_long(int(each["value"])) == data
    assert read_long(data, 0) == (int(each["value"]), len(data))


@pytest.mark.parametrize("each", PRIMITIVES["strings"], ids=lambda each: each["value"] or "empty")
def test_strings(each: dict[str, str]) -> None:
    data = b(each["encoded"])
    assert encode_text(each["value"]) == encode_bytes(each["value"].encode()) == data
    assert read_length(data, 0, 100)[0] == len(each["value"].encode())


def test_frames_labels_and_derivations() -> None:
    for each in PRIMITIVES["frames"]:
        assert frame(each["schema_id"]) + b(each["body"]) == b(each["framed"])
        assert frame_id(b(each["framed"])) == each["schema_id"]
    for each in PRIMITIVES["labels"]:
        assert label(each["purpose"]) == b(each["label"])
    said = PRIMITIVES["derivations"]
    secret = Secret(b(said["secret"]))
    assert keys.commitment(secret) == b(said["commitment"])
    assert keys.mac_key(secret) == b(said["mac_key"])
    assert keys.event_key(secret, b(said["header"]), said["audience"]) == b(said["event_key"])


def test_padding() -> None:
    for each in PRIMITIVES["padding"]:
        assert padded_bytes(each["length"]) == each["padded"]


@pytest.mark.parametrize("each", PRIMITIVES["partitions"], ids=lambda each: each["receipt_number"][:20])
def test_partitions(each: dict[str, Any]) -> None:
    assert murmur2(each["receipt_number"].encode()) == each["murmur2"]
    for count, number in each["of"].items():
        assert partition_for(each["receipt_number"], int(count)) == number


@pytest.mark.parametrize("each", load("hpke"), ids=names(load("hpke")))
def test_hpke_opens(each: dict[str, Any]) -> None:
    private = AudiencePrivateKey.from_seeds(Suite(each["suite"]), b(each["seeds"]))
    assert (private.public.hex(), private.key_id.hex()) == (each["public"], each["key_id"])
    assert each["sealed"] == each["enc"] + each["ciphertext"]
    assert private.open(b(each["sealed"]), b(each["info"])) == b(each["plaintext"])


@pytest.mark.parametrize("each", SESSIONS, ids=names(SESSIONS))
def test_sessions_count_and_open(each: dict[str, Any]) -> None:
    found = validate_session(b(each["signed"]), trust(), NOW, topic=each["topic"], key=each["key"].encode())
    assert isinstance(found, Session)
    assert (found.id.hex(), found.key) == (each["id"], each["key"])
    for one in each["opened"]:
        audience = found.audience(one["audience"])
        assert audience is not None and audience.sealed.hex() == one["enc"] + one["ciphertext"]
        info = session_info(found.salt, found.producer, found.topic, found.tenant, one["audience"], audience.epoch)
        assert info == b(one["info"])
        secret = open_session(found, one["audience"], private_key(one["audience"]))
        assert secret == Secret(b(one["secret"]))
        assert keys.commitment(secret).hex() == one["commitment"]
        if one["mac_key"]:
            assert keys.mac_key(secret).hex() == one["mac_key"]


def header_of(fields: dict[str, Any]) -> EventHeader:
    values = dict(fields, session=b(fields["session"]))
    values["kind"] = Kind(fields["kind"])
    for name in ("calculation_check", "signature_check"):
        values[name] = headers.Check(fields[name])
    values["accepted_at_ms"], values["produced_at_ms"] = values.pop("accepted_at"), values.pop("produced_at")
    cause = fields["cause"]
    values["cause"] = None if cause is None else headers.Cause(cause["event_id"], b(cause["leaf"]))
    return EventHeader(**values)


@pytest.mark.parametrize("each", EVENTS, ids=names(EVENTS))
def test_events_are_sealed_byte_for_byte(each: dict[str, Any]) -> None:
    header = b(each["header"])
    assert headers.encode(header_of(each["header_fields"])) == header
    assert headers.decode(header) == header_of(each["header_fields"])
    assert sha256(header).hexdigest() == each["header_sha256"]
    sections: list[tuple[str, bytes, bytes | None]] = []
    for one in each["sections"]:
        secret, plaintext = Secret(b(one["secret"])), b(one["plaintext"])
        info = label("section") + b(each["header_sha256"]) + one["audience"].encode()
        assert info == b(one["event_key_info"])
        assert keys.event_key(secret, header, one["audience"]) == b(one["event_key"])
        assert pad(plaintext) == b(one["padded"]) and unpad(b(one["padded"])) == plaintext
        assert keys.seal_section(secret, header, one["audience"], b(one["padded"])) == b(one["ciphertext"])
        assert open_section(secret, header, one["audience"], b(one["ciphertext"])) == plaintext
        assert sha256(b(one["ciphertext"])).hexdigest() == one["digest"]
        decoded = codec.decode(plaintext, {one["record"]}).value
        assert as_json(decoded) == one["fields"]
        assert codec.encode(one["record"], from_json(one["fields"], decoded)) == plaintext
        sections.append((one["audience"], b(one["digest"]), b(one["ciphertext"])))
    assert leaf(header, [(name, digest) for name, digest, _ in sections]) == b(each["leaf"])
    mac = None if each["mac"] is None else b(each["mac"])
    if mac is not None:
        assert keys.mac(b(each["mac_key"]), b(each["leaf"])) == mac
    assert build(header, sections, mac) == b(each["value"])


@pytest.mark.parametrize("each", EVENTS, ids=names(EVENTS))
def test_events_pass_every_hop_and_are_routed_byte_for_byte(each: dict[str, Any]) -> None:
    (said,) = (one for one in SESSIONS if one["id"] == each["session"])
    session = Session.decode(b(said["body"]))
    mac_key = None if each["mac_key"] is None else b(each["mac_key"])
    number = partition_for(each["header_fields"]["receipt_number"], WORLD["partitions"])
    assert number == each["partition"]
    one = lane(session, number, trust(), topic=each["topic"], mac_key=mac_key)
    assert not isinstance(one, str)
    lanes, key = {session.id: one}, each["key"].encode()
    found = inspect(b(each["value"]), key, lanes, PRODUCED)
    assert isinstance(found, Inspected) and found.leaf.hex() == each["leaf"]
    copies = outputs(parse(b(each["value"])), [copy["keeps"] for copy in each["routed"]])
    for copy, made in zip(each["routed"], copies, strict=True):
        assert made.hex() == copy["value"]
        expect = STRIPPED if copy["keeps"] is None else routed_to(copy["keeps"])
        assert isinstance(inspect(made, key, lanes, expect), Inspected)


def test_merkle_trees() -> None:
    said = load("merkle")
    leaves = [b(each) for each in said["leaves"]]
    roots = {each["size"]: b(each["root"]) for each in said["roots"]}
    for size, root in roots.items():
        assert merkle.Frontier(leaves[:size]).root() == root
    for each in said["inclusion"]:
        path = [b(one) for one in each["path"]]
        size, index = each["size"], each["index"]
        assert merkle.verify_inclusion(leaves[index], index, size, path, roots[size])
        assert not merkle.verify_inclusion(leaves[index], index, size, path, roots[size - 1])
    for each in said["consistency"]:
        path = [b(one) for one in each["path"]]
        first, second = each["first"], each["second"]
        assert merkle.verify_consistency(first, roots[first], second, roots[second], path)
        assert not merkle.verify_consistency(first, roots[first - 1], second, roots[second], path)


KEY_FILES = [*load("key-files"), *load("key-files-2")]


@pytest.mark.parametrize("each", KEY_FILES, ids=[f"{one['suite']} 2^{one['log2_n']}" for one in KEY_FILES])
def test_key_files(each: dict[str, Any]) -> None:
    passphrase = PassphraseKeys(each["passphrase"].encode(), allow_weak=each["log2_n"] == FOR_TESTS.log2_n)
    data = b(each["file"])
    clear, end = read_clear(data)
    assert data[:end] == clear.encode() == b(each["clear"])
    assert (clear.suite, clear.name, clear.cost.log2_n) == (each["suite_number"], each["name"], each["log2_n"])
    assert passphrase.derive(clear.salt, clear.cost) == b(each["file_key"])
    assert open_file(data, passphrase) == (clear, b(each["seeds"]))
    assert seal_file(clear, b(each["seeds"]), passphrase) == data


def test_the_delivery_receipt() -> None:
    said = load("delivery-receipt")
    found = delivery.read(b(said["file"]))
    assert found.agrees
    assert not isinstance(validate_receipt(Signed.parse(found.record), trust(), NOW), str)
    (filing,) = (each for each in EVENTS if each["name"] == "submission")
    assert delivery.write(found.record, parse(b(filing["value"]))) == b(said["file"])
