"""The artificial world of the vectors: keys of fixed seeds, a trust list, sessions, events. No line of the hub."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors import avro_reference as avro
from tests.vectors import reference

Json = dict[str, Any]

NS, T, OTHER = "rehearsal", "131041", "999997"
PARTITIONS = 6
EPOCH = 202604
BEGIN, END = 1774969200000, 1777561200000
"""2026-04-01T00:00+09:00 and 2026-05-01T00:00+09:00: the epoch"""
NOW = 1775012400000
"""2026-04-01T12:00+09:00: sessions begin"""
CLOCK = NOW + 3 * 3_600_000
"""the readers' clock"""
YEAR = 365 * 86_400_000
REVIEW, HELPDESK, AUDIT, TAX = f"review-{T}", f"helpdesk-{T}", f"audit-{T}", f"tax-resident-tax-{T}"
SUBMISSIONS, STATUS, ACCEPTED = f"{NS}.submissions", f"{NS}.{T}.status", f"{NS}.{T}.accepted"
RECEIPT = "R8-13104-000000017"
SUITE = {HELPDESK: "X25519", "portal": "X25519"}
OWNER = {"quarantine": "operator"}
PRINCIPALS = ["admin", AUDIT, HELPDESK, "monitor", "operator", "portal", REVIEW, f"review-{OTHER}", "router", TAX]
AUDIENCES = [HELPDESK, "portal", "quarantine", REVIEW, "router", TAX]
PROCEDURE = "heir-representative-designation"


def seed(name: str, count: int = 32) -> bytes:
    """Test key material: SHA-256 of `eltax-hub vector <name> <place>`, as long as need be."""
    out = b""
    while len(out) < count:
        out += sha256(f"eltax-hub vector {name} {len(out)}".encode()).digest()
    return out[:count]


def suite_of(audience: str) -> str:
    return SUITE.get(audience, "MLKEM768_X25519")


def audience_seeds(audience: str) -> bytes:
    return seed(f"audience {audience}", 32 if suite_of(audience) == "X25519" else 96)


def randomness(name: str, audience: str) -> bytes:
    return seed(f"randomness {name}", 32 if suite_of(audience) == "X25519" else 64)


def identity(name: str) -> Json:
    secret = seed(f"identity {name}")
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return {"principal": name, "seed": secret.hex(), "public": public.hex(), "key_id": sha256(public).hexdigest()[:16]}


def audience_public(audience: str) -> bytes:
    return reference.public_key(suite_of(audience), audience_seeds(audience))


def key_id(audience: str) -> str:
    return sha256(audience_public(audience)).hexdigest()[:16]


def record(name: str, about: str, fields: Json, *, topic: str | None = None, key: str | None = None) -> Json:
    """One unsigned record."""
    body = avro.encode(name, fields)
    made: Json = {"name": about, "record": name, "schema_id": avro.contract(name)[0], "fields": fields}
    return made | {"body": body.hex(), "hash": sha256(body).hexdigest(), "topic": topic, "key": key}


def signed(made: Json, *signers: str) -> Json:
    """The record signed by identities (by their seeds' names)."""
    name, body = made["record"], bytes.fromhex(made["body"])
    marks = []
    for signer in signers:
        one = identity(signer)
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(one["seed"]))
        marks.append(one | {"signature": key.sign(reference.purpose(name) + body).hex()})
    seeds = [bytes.fromhex(mark["seed"]) for mark in marks]
    value = reference.signed(avro.contract("SignedRecord")[0], name, body, seeds)
    return made | {
        "signature_input": (reference.purpose(name) + body).hex(),
        "signatures": sorted(marks, key=lambda each: str(each["key_id"])),
        "signed": value.hex(),
    }


def trust_fields(**change: Any) -> Json:
    def listed(name: str) -> Json:
        rights: list[Json] = []
        if name == "portal":
            rights = [{"dataset": "submissions", "tenants": [T, OTHER], "procedures": ["attachment-part", PROCEDURE]}]
        if name == REVIEW:
            rights = [{"dataset": kind, "tenants": [T], "procedures": None} for kind in ("status", "accepted")]
        known = [_validity(identity(name)["public"])]
        if name == "portal":
            known.append(_validity(identity("portal, revoked")["public"], revoked_at=BEGIN))
            known.append(_validity(identity("portal, of last year")["public"], until=BEGIN))
        instances = ["vector-1"] if name == "portal" else None
        return {"name": name, "instances": instances, "identities": known, "may_produce": rights}

    def ruled(name: str) -> Json:
        suites = ["MLKEM768_X25519", "X25519"] if suite_of(name) == "X25519" else ["MLKEM768_X25519"]
        minimum = EPOCH if name == TAX else 0
        return {"name": name, "owner": OWNER.get(name, name), "minimum_epoch": minimum, "suites": suites}

    return {
        "namespace": NS,
        "serial": 7,
        "issued_at": BEGIN,
        "principals": [listed(name) for name in sorted(PRINCIPALS)],
        "audiences": [ruled(name) for name in sorted(AUDIENCES)],
    } | change


def _validity(public: str, *, until: int = NOW + YEAR, revoked_at: int | None = None) -> Json:
    return {"public_key": public, "not_before": NOW - YEAR, "not_after": until, "revoked_at": revoked_at}


def audience_key(audience: str, **change: Any) -> Json:
    fields = {
        "audience": audience,
        "epoch": EPOCH,
        "key_id": key_id(audience),
        "suite": suite_of(audience),
        "public_key": audience_public(audience).hex(),
        "not_before": BEGIN,
        "not_after": END,
    } | change
    key = f"{fields['audience']}/{fields['epoch']}/{fields['key_id']}"
    made = record("AudienceKey", f"key of {audience}", fields, topic=f"{NS}.audiences", key=key)
    return signed(made, OWNER.get(audience, audience), "admin")


def session(topic: str, sealed_for: list[str], about: str, *, signer: str | None = None, **change: Any) -> Json:
    """A session: its record, signed, with what each audience finds in it."""
    producer = "portal" if topic == SUBMISSIONS else REVIEW
    fields: Json = {
        "salt": seed(f"salt {about}", 16).hex(),
        "producer": producer,
        "instance": "vector-1",
        "topic": topic,
        "tenant": T,
        "created_at": NOW,
        "expires_at": NOW + 8 * 3_600_000,
        "previous": None,
        "audiences": [],
    } | {name: value for name, value in change.items() if name != "epoch"}
    raw = fields | {"salt": bytes.fromhex(fields["salt"])}
    epoch = change.get("epoch", EPOCH)
    opened = []
    for audience in sorted(sealed_for):
        suite, seeds = suite_of(audience), audience_seeds(audience)
        secret, drawn = seed(f"secret {about} {audience}"), randomness(f"{about} {audience}", audience)
        info = reference.session_info(raw, audience, epoch)
        sealed = reference.hpke_seal(suite, seeds, info, secret, drawn)
        size = reference.KEMS[suite][1]
        commitment = reference.commitment(secret)
        if "audiences" not in change:
            fields["audiences"].append(
                {"audience": audience, "epoch": epoch, "commitment": commitment.hex(), "sealed": sealed.hex()}
            )
        opened.append(
            {
                "audience": audience,
                "suite": suite,
                "seeds": seeds.hex(),
                "info": info.hex(),
                "randomness": drawn.hex(),
                "enc": sealed[:size].hex(),
                "ciphertext": sealed[size:].hex(),
                "secret": secret.hex(),
                "commitment": commitment.hex(),
                "mac_key": reference.mac_key(secret).hex() if audience == "router" else None,
            }
        )
    made = record("Session", about, fields)
    where = f"{NS}.sessions" if topic == SUBMISSIONS else f"{NS}.{T}.sessions"
    made |= {"topic": where, "key": made["hash"], "id": made["hash"], "opened": opened}
    return signed(made, signer or fields["producer"])


def secret_of(session_: Json, audience: str) -> bytes:
    return next(bytes.fromhex(each["secret"]) for each in session_["opened"] if each["audience"] == audience)


def event(session_: Json, about: str, sections: dict[str, tuple[str, Json] | bytes], **change: Any) -> Json:
    """An event as its producer seals it, and the copies that a router makes of a submission."""
    kind = {SUBMISSIONS: "submission", STATUS: "status", ACCEPTED: "accepted"}[session_["fields"]["topic"]]
    fields: Json = {
        "session": session_["id"],
        "kind": kind,
        "tenant": session_["fields"]["tenant"],
        "producer": session_["fields"]["producer"],
        "partition": partition(RECEIPT),
        "sequence": 0,
        "event_id": "019d46a5-3c00-7abc-8def-000000000000",
        "receipt_number": RECEIPT,
        "procedure": PROCEDURE,
        "procedure_version": 1,
        "tax_item": None,
        "accepted_at": NOW - 3_600_000,
        "produced_at": NOW + 1_000,
        "calculation_check": "passed",
        "signature_check": "not_performed",
        "cause": None,
    } | change
    header = avro.encode("EventHeader", fields)
    listed = []
    for audience in sorted(sections):
        given = sections[audience]
        name, value = ("bytes", None) if isinstance(given, bytes) else given
        plaintext = given if isinstance(given, bytes) else avro.encode(name, value)
        listed.append(_section(secret_of(session_, audience), header, audience, plaintext, name, value))
    return assemble(session_, about, fields, header, listed)


def _section(secret: bytes, header: bytes, audience: str, plaintext: bytes, name: str, value: Json | None) -> Json:
    info = reference.purpose("section") + sha256(header).digest() + audience.encode()
    content = reference.ciphertext(secret, header, audience, plaintext)
    return {
        "audience": audience,
        "secret": secret.hex(),
        "record": name,
        "fields": value,
        "plaintext": plaintext.hex(),
        "padded": reference.padded(plaintext).hex(),
        "event_key_info": info.hex(),
        "event_key": reference.event_key(secret, header, audience).hex(),
        "ciphertext": content.hex(),
        "digest": sha256(content).hexdigest(),
    }


def assemble(session_: Json, about: str, fields: Json, header: bytes, listed: list[Json]) -> Json:
    """Leaf, mac, value and copies of a header and its sections."""
    digests = [(each["audience"], bytes.fromhex(each["digest"])) for each in listed]
    leaf = reference.leaf(header, digests)
    router = next((bytes.fromhex(each["mac_key"]) for each in session_["opened"] if each["mac_key"]), None)
    mac = None if router is None else reference.mac(router, leaf)
    topic = session_["fields"]["topic"]
    made: Json = {
        "name": about,
        "topic": topic,
        "partition": fields["partition"],
        "key": fields["event_id"],
        "session": session_["id"],
        "header_fields": fields,
        "header": header.hex(),
        "header_sha256": sha256(header).hexdigest(),
        "sections": listed,
        "leaf": leaf.hex(),
        "mac_key": None if router is None else router.hex(),
        "mac": None if mac is None else mac.hex(),
        "value": sealed_value(header, listed, mac).hex(),
        "routed": [],
    }
    if topic == SUBMISSIONS:
        for room, keeps in (("review", REVIEW), ("helpdesk", HELPDESK), ("audit", None)):
            copy = sealed_value(header, listed, mac, lambda audience, keeps=keeps: audience == keeps)
            made["routed"].append({"topic": f"{NS}.{T}.{room}", "keeps": keeps, "value": copy.hex()})
    return made


def sealed_value(header: bytes, listed: list[Json], mac: bytes | None, keeps: Any = lambda audience: True) -> bytes:
    parts: list[tuple[str, bytes, bytes | None]] = []
    for each in listed:
        content = bytes.fromhex(each["ciphertext"]) if keeps(each["audience"]) else None
        parts.append((each["audience"], bytes.fromhex(each["digest"]), content))
    return reference.sealed(avro.contract("SealedEvent")[0], header, parts, mac)


def partition(receipt: str, count: int = PARTITIONS) -> int:
    return (reference.murmur2(receipt.encode()) & 0x7FFFFFFF) % count
