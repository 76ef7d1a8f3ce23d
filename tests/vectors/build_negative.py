"""What must be refused, and with which code. Imports nothing of the hub.

Each case is wrong in one way, but for those whose name says `before`: they show which of two faults is told.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.vectors import avro_reference as avro
from tests.vectors import build_bad_records as bad
from tests.vectors import reference
from tests.vectors.build_records import masked, review_section
from tests.vectors.build_world import (
    HELPDESK,
    NOW,
    NS,
    OTHER,
    RECEIPT,
    REVIEW,
    STATUS,
    SUBMISSIONS,
    TAX,
    Json,
    T,
    _section,
    assemble,
    event,
    partition,
    sealed_value,
    seed,
    session,
)

EVENT_ID = "019d46a5-3c00-7abc-8def-0000000000ff"
HELPED: Json = masked([])


class Cases:
    """Collects cases about one session of the portal."""

    def __init__(self, known: dict[str, Json]) -> None:
        self.portal, self.status = known["submissions"], known["status"]
        self.sections: dict[str, Any] = {
            REVIEW: ("ReviewSection", review_section(None)),
            HELPDESK: ("HelpdeskRecord", HELPED),
        }
        self.good = self.sealed()
        self.cases: list[Json] = []

    def sealed(self, **change: Any) -> Json:
        return event(self.portal, "", self.sections, **({"event_id": EVENT_ID, "sequence": 9} | change))

    def add(self, name: str, code: str, value: bytes | str | None, **how: Any) -> None:
        """One case; at the router, as the submission of `good`, unless said otherwise."""
        shown = value.hex() if isinstance(value, bytes) else value
        self.cases.append(
            {
                "name": name,
                "judge": "event",
                "reader": "router",
                "topic": SUBMISSIONS,
                "partition": partition(RECEIPT),
                "key": EVENT_ID,
                "announced": [],
            }
            | how
            | {"value": shown, "code": code}
        )

    def raw(self, header: bytes, fields: Json) -> Json:
        """An event around any header bytes, with good digests and mac."""
        secrets = {each["audience"]: bytes.fromhex(each["secret"]) for each in self.portal["opened"]}
        listed = [
            _section(secrets[name], header, name, avro.encode(kind, value), kind, value)
            for name, (kind, value) in sorted(self.sections.items())
        ]
        return assemble(self.portal, "", fields, header, listed)

    def with_plaintext(self, audience: str, padded: bytes, **change: Any) -> Json:
        """An event in which one section holds exactly these bytes, padding included."""
        made = self.sealed(**change)
        header = bytes.fromhex(made["header"])
        for each in made["sections"]:
            if each["audience"] == audience:
                key = reference.event_key(bytes.fromhex(each["secret"]), header, audience)
                content = AESGCM(key).encrypt(bytes(12), padded, b"")
                each |= {"ciphertext": content.hex(), "digest": sha256(content).hexdigest()}
        return assemble(self.portal, "", made["header_fields"], header, made["sections"])

    def routed(self, name: str, code: str, made: Json, audience: str = REVIEW, **how: Any) -> None:
        """The same at a desk, with the copy that a router makes for it."""
        (copy,) = (each for each in made["routed"] if each["keeps"] == audience)
        self.add(name, code, copy["value"], reader=audience, topic=copy["topic"], **how)


def framing(to: Cases) -> None:
    value = bytes.fromhex(to.good["value"])
    to.add("a plaintext", "not-framed", '{"procedure": "見本"}'.encode())
    to.add("no value", "not-framed", None)
    to.add("nothing", "not-framed", b"")
    to.add("four bytes", "not-framed", value[:4])
    to.add("an id that no contract has", "foreign-schema", b"\0" + b"\xff" * 4 + value[5:])
    to.add("a session that is not signed", "foreign-schema", bytes.fromhex(to.portal["body"]))
    to.add("a version from the future", "foreign-schema", b"\0\0\0\x7f\xff" + value[5:])
    for name, end in (("the frame alone", 5), ("without its last byte", -1), ("without its mac", -32)):
        to.add(name, "truncated", value[:end])
    to.add("a byte too many", "trailing-bytes", value + b"\0")
    to.add("two events in one value", "trailing-bytes", value + value)
    header = bytes.fromhex(to.good["header"])
    start = len(reference.avro_bytes(header)) + 5
    rest = value[start:]
    wide = bytes([value[5], value[6] | 0x80, 0])
    to.add("a length with a byte too many", "malformed", value[:5] + wide + value[7:])
    to.add("a negative length", "malformed", value[:5] + b"\1" + value[7:])
    to.add("sections in two blocks", "malformed", _two_blocks(value, to.good))
    to.add("a union with a branch too many", "malformed", value[:-33] + b"\4" + value[-32:])
    to.add("an audience of 64 characters", "malformed", value[:start] + b"\4\x80\1" + rest[2:])
    to.add("a header of 4,097 bytes", "too-large", value[:5] + reference.avro_bytes(header.ljust(4_097, b"\0")) + rest)
    to.add("seventeen sections", "too-large", value[:start] + reference.zigzag(17) + rest[1:])
    one, other = to.good["sections"]
    for name, listed in (("sections in the wrong order", [other, one]), ("a section twice", [one, one])):
        to.add(name, "audience-order", sealed_value(header, listed, bytes.fromhex(to.good["mac"])))
    to.add("a section for nobody", "audience-order", value[:start] + b"\4\0" + rest[2 + len(HELPDESK) :])


def _two_blocks(value: bytes, good: Json) -> bytes:
    header = bytes.fromhex(good["header"])
    out = value[:5] + reference.avro_bytes(header)
    for each in good["sections"]:
        content = reference.avro_bytes(bytes.fromhex(each["ciphertext"]))
        digest = bytes.fromhex(each["digest"])
        out += b"\2" + reference.avro_bytes(each["audience"].encode()) + digest + b"\2" + content
    return out + b"\0\2" + bytes.fromhex(good["mac"])


def headers(to: Cases) -> None:
    fields, header = to.good["header_fields"], bytes.fromhex(to.good["header"])

    def of(name: str, data: bytes, code: str = "header-invalid") -> None:
        to.add(name, code, to.raw(data, fields)["value"])

    of("a header with a byte too many", header + b"\0")
    of("a header without its last byte", header[:-1])
    of("a header that ends in its session id", header[:30])
    of("a header under another id", b"\0\0\0\0\x0e" + header[5:])
    of("a header whose number has a byte too many", header.replace(b"\x12\x48", b"\x92\0\x48", 1))
    for name, change in (
        ("an event id that is no UUIDv7", {"event_id": EVENT_ID.replace("-7", "-4", 1)}),
        ("an event id in capitals", {"event_id": EVENT_ID.upper()}),
        ("no receipt number", {"receipt_number": ""}),
        ("a receipt number of 513 bytes", {"receipt_number": "x" * 513}),
        ("a procedure of 129 bytes", {"procedure": "p" * 129}),
        ("version 0 of a procedure", {"procedure_version": 0}),
        ("an empty tax item", {"tax_item": ""}),
        ("a negative sequence", {"sequence": -1}),
        ("a time before 1970", {"accepted_at": -1}),
        ("a time in the year 10000", {"accepted_at": 253_402_300_800_000}),
    ):
        of(name, avro.encode("EventHeader", fields | change))
    cause = {"event_id": EVENT_ID, "leaf": seed("a cause").hex()}
    of("a submission with a cause", avro.encode("EventHeader", fields | {"cause": cause}), "cause")
    for name, code, change in (
        ("a tenant that is not its session's", "wrong-tenant", {"tenant": OTHER}),
        ("a kind that is not its session's", "wrong-topic", {"kind": "status"}),
        ("a producer that is not its session's", "wrong-producer", {"producer": REVIEW}),
        ("a partition that it does not lie on", "wrong-partition", {"partition": partition(RECEIPT) + 1}),
    ):
        of(name, avro.encode("EventHeader", fields | change), code)
    there = (partition(RECEIPT) + 1) % 6
    made = to.sealed(partition=there)
    to.add("a partition that is not its receipt number's", "wrong-partition", made["value"], partition=there)
    to.add("under another Kafka key", "wrong-key", to.good["value"], key="x")
    to.add("without a Kafka key", "wrong-key", to.good["value"], key=None)
    begin, end = to.portal["fields"]["created_at"], to.portal["fields"]["expires_at"]
    for name, at in (("before its session", begin - 1), ("when its session was over", end)):
        to.add(f"produced {name}", "produced-outside-session", to.sealed(produced_at=at)["value"])
    to.add("a procedure that is not granted", "not-permitted", to.sealed(procedure="advance-payment-offer")["value"])
    unknown = avro.encode("EventHeader", fields | {"session": seed("no session").hex()})
    of("of no announced session", unknown, "unknown-session")


def contents(to: Cases) -> None:
    good, header, mac = to.good, bytes.fromhex(to.good["header"]), bytes.fromhex(to.good["mac"])
    listed: list[Json] = good["sections"]
    value = bytes.fromhex(good["value"])
    to.add("a mac with a bit turned", "bad-mac", value[:-1] + bytes([value[-1] ^ 1]))
    to.add("no mac", "bad-mac", sealed_value(header, listed, None))
    to.add("a mac under another key", "bad-mac", sealed_value(header, listed, reference.mac(seed("x"), mac)))
    turned = [each | {"digest": sha256(b"x").hexdigest()} for each in listed[:1]] + listed[1:]
    to.add("another digest", "bad-mac", sealed_value(header, turned, mac))
    turned = [each | {"ciphertext": each["ciphertext"][:-2] + "00"} for each in listed]
    to.add("a ciphertext with its last byte zero", "digest-mismatch", sealed_value(header, turned, mac))
    to.add("stripped on its way to the router", "stripped-ciphertext", good["routed"][0]["value"])
    desk = {"reader": REVIEW, "topic": f"{NS}.{T}.review"}
    to.add("stripped of the desk's own", "stripped-ciphertext", good["routed"][2]["value"], **desk)
    to.add("with the helpdesk's for the review desk", "foreign-ciphertext", good["value"], **desk)
    audit = {"reader": "audit", "topic": f"{NS}.{T}.audit"}
    to.add("with a ciphertext for the audit desk", "foreign-ciphertext", good["routed"][0]["value"], **audit)
    for name, sections in (("a section missing", listed[:1]), ("no section", [])):
        to.add(name, "sections", assemble(to.portal, "", good["header_fields"], header, sections)["value"])
    extra = [*listed, listed[1] | {"audience": "tax-x"}]
    to.add("a section too many", "sections", assemble(to.portal, "", good["header_fields"], header, extra)["value"])
    other = seed("another secret")
    sealed = reference.ciphertext(other, header, REVIEW, b"\0\0\0\0\x2b")
    swapped = [listed[0], listed[1] | {"ciphertext": sealed.hex(), "digest": sha256(sealed).hexdigest()}]
    made = assemble(to.portal, "", good["header_fields"], header, swapped)
    to.routed("a section under another secret", "not-authentic", made)
    for name, padded in (
        ("not padded", bytes.fromhex(listed[1]["plaintext"]) + b"\x80"),
        ("padded to the step above", bytes.fromhex(listed[1]["padded"]) + bytes(1_024)),
        ("without the byte 0x80", bytes.fromhex(listed[1]["plaintext"]).ljust(1_024, b"\0")),
        ("of zeros only", bytes(1_024)),
        ("empty", b""),
    ):
        to.routed(f"a section {name}", "padding", to.with_plaintext(REVIEW, padded))
    _plaintexts(to, bytes.fromhex(listed[1]["plaintext"]))


def _plaintexts(to: Cases, good: bytes) -> None:
    for name, plaintext in (
        ("that is no record", b"{}"),
        ("of an unknown id", b"\0\xff\xff\xff\xff" + good[5:]),
        ("of another record", avro.encode("HelpdeskRecord", HELPED)),
        ("with a byte too many", good + b"\0"),
        ("cut short", good[:-1]),
        ("in which a length has a byte too many", good[:5] + bytes([good[5], good[6] | 0x80, 0]) + good[7:]),
    ):
        to.routed(f"a section {name}", "plaintext-invalid", to.with_plaintext(REVIEW, reference.padded(plaintext)))
    for name, change in (
        ("receipt number", {"receipt_number": "R8-13104-000000018"}),
        ("tenant", {"tenant": OTHER}),
        ("tax item", {"tax_item": "light-vehicle-tax"}),
        ("time of acceptance", {"accepted_at": "2026-04-01T11:00:00.001+09:00"}),
        ("outcome of a check", {"calculation_check": "failed"}),
    ):
        plaintext = avro.encode("HelpdeskRecord", HELPED | change)
        made = to.with_plaintext(HELPDESK, reference.padded(plaintext))
        to.routed(f"a section about another {name}", "section-mismatch", made, HELPDESK)
    other = avro.encode("HelpdeskRecord", HELPED | {"procedure": "attachment-part"})
    made = to.with_plaintext(HELPDESK, reference.padded(other))
    to.routed("a section about another procedure", "section-mismatch", made, HELPDESK)


def desks(to: Cases) -> None:
    """Status events, and sessions whose secrets do not open."""
    about = {"receipt_number": RECEIPT, "tenant": T, "procedure": "heir-representative-designation", "revision": 1}
    about |= {"decision": "accept", "reason": "complete", "message": None, "tax_items": [], "answer_by": None}
    decision = ("Decision", about | {"decided_at": NOW})
    fields: Json = {"event_id": EVENT_ID, "cause": {"event_id": EVENT_ID, "leaf": seed("a cause").hex()}}
    sections: dict[str, Any] = {"portal": decision, HELPDESK: decision}
    where = {"reader": "portal", "topic": STATUS}
    none = event(to.status, "", sections, event_id=EVENT_ID)
    to.add("a decision without a cause", "cause", none["value"], **where)
    good = event(to.status, "", sections, **fields)
    with_mac = sealed_value(bytes.fromhex(good["header"]), good["sections"], seed("a mac"))
    to.add("a decision with a mac", "bad-mac", with_mac, **where)
    told = ("Decision", about | {"decided_at": NOW, "message": "見本"})
    spilt = event(to.status, "", {"portal": told, HELPDESK: told}, **fields)
    to.add(
        "a message to the filer for the helpdesk", "plaintext-invalid", spilt["value"], reader=HELPDESK, topic=STATUS
    )
    few = session(SUBMISSIONS, ["router", HELPDESK], "session that leaves the review desk out")
    made = event(few, "", {HELPDESK: to.sections[HELPDESK]}, event_id=EVENT_ID)
    own = {"reader": REVIEW, "topic": f"{NS}.{T}.review", "announced": [few["signed"]]}
    to.add("of a session that has nothing for the desk", "not-addressed", made["routed"][0]["value"], **own)
    for name, code, broken in (
        ("a secret sealed under another epoch's info", "secret", "info"),
        ("a secret that is not the announced one", "commitment", "commitment"),
    ):
        said = broken_session(broken)
        made = event(said, "", to.sections, event_id=EVENT_ID)
        to.add(f"{name}, at the desk", code, made["routed"][0]["value"], announced=[said["signed"]], reader=REVIEW,
               topic=f"{NS}.{T}.review")  # fmt: skip
        said = broken_session(broken, "router")
        made = event(said, "", to.sections, event_id=EVENT_ID)
        to.add(f"{name}, at the router", code, made["value"], announced=[said["signed"]])


def broken_session(what: str, audience: str = REVIEW) -> Json:
    """A session that is valid as a record, but one audience finds another secret, or none."""
    good = session(SUBMISSIONS, ["router", REVIEW, HELPDESK], f"broken {what}")
    listed: list[Json] = [dict(each) for each in good["fields"]["audiences"]]
    other = session(SUBMISSIONS, ["router", REVIEW, HELPDESK], f"broken {what}", epoch=202603)
    for each, elsewhere in zip(listed, other["fields"]["audiences"], strict=True):
        if each["audience"] == audience:
            each |= {"sealed": elsewhere["sealed"]} if what == "info" else {"commitment": seed("x").hex()}
    return session(SUBMISSIONS, ["router", REVIEW, HELPDESK], f"broken {what}", audiences=listed)


def order(to: Cases) -> None:
    """Two faults at once: the code says which check comes first."""
    header, listed = bytes.fromhex(to.good["header"]), to.good["sections"]
    value = bytes.fromhex(to.good["value"])
    to.add("the frame before the limits", "foreign-schema", b"\0\0\0\0\x01" + value[5:])
    turned = [each | {"ciphertext": each["ciphertext"][:-2] + "00"} for each in listed]
    to.add("the mac before digests", "bad-mac", sealed_value(header, turned, seed("x")))
    fields = to.good["header_fields"] | {"session": seed("no session").hex()}
    made = to.raw(avro.encode("EventHeader", fields), fields)
    lost = sealed_value(bytes.fromhex(made["header"]), made["sections"], seed("x"))
    to.add("the session before the mac", "unknown-session", lost)
    late = to.raw(header + b"\0", to.good["header_fields"])
    to.add("the header before the key", "header-invalid", late["value"], key="x")
    wrong = to.sealed(produced_at=NOW - 1)
    to.add("the key before the time", "wrong-key", wrong["value"], key="x")
    foreign = to.sealed(procedure="advance-payment-offer", produced_at=NOW - 1)
    to.add("the time before the procedure", "produced-outside-session", foreign["value"])
    strange = to.raw(avro.encode("EventHeader", to.good["header_fields"] | {"tenant": OTHER, "kind": "status"}), {
        **to.good["header_fields"]
    })  # fmt: skip
    to.add("the kind before the tenant", "wrong-topic", strange["value"])
    missing = assemble(to.portal, "", to.good["header_fields"], header + b"\0", listed[:1])
    to.add("the sections before the header", "sections", missing["value"])


def negative(known: dict[str, Json], sent: dict[str, Json], listed: list[Json]) -> Json:
    """All cases, and what cannot be shown by bytes alone."""
    to = Cases(known)
    for each in (framing, headers, contents, desks, order):
        each(to)
    return {
        "not_by_bytes_alone": ["erased", "refused-by-broker", "tenant-not-ready", "tenant-unknown"],
        "cases": to.cases + bad.cases(known, sent, listed),
    }


__all__ = ["TAX", "negative"]
