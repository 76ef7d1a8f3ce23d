"""Sessions, events and every other record of the vectors. Imports nothing of the hub."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from tests.vectors import avro_reference as avro
from tests.vectors import reference
from tests.vectors.build_world import (
    ACCEPTED,
    AUDIENCES,
    AUDIT,
    BEGIN,
    EPOCH,
    HELPDESK,
    NOW,
    NS,
    PARTITIONS,
    PROCEDURE,
    RECEIPT,
    REVIEW,
    STATUS,
    SUBMISSIONS,
    TAX,
    Json,
    T,
    audience_key,
    audience_seeds,
    event,
    key_id,
    partition,
    randomness,
    record,
    seed,
    session,
    signed,
    trust_fields,
)

PARTITION = partition(RECEIPT)
PART_CONTENT = seed("attachment", 700)


def event_id(number: int) -> str:
    return f"019d46a5-3c00-7abc-8def-{number:012x}"


def _filled(schema: Any, value: Json) -> Json:
    """Every field that is not given is null."""
    return {field["name"]: value.get(field["name"]) for field in schema["fields"]}


def submission(**change: Any) -> Json:
    schema = avro.contract("HeirRepresentativeDesignationSubmission")[1]
    items = next(each for each in schema["fields"] if each["name"] == "items")["type"][1]
    return _filled(
        schema,
        {
            "procedure": PROCEDURE,
            "receipt_number": RECEIPT,
            "tenant": T,
            "accepted_at": "2026-04-01T11:00:00+09:00",
            "calculation_check": "passed",
            "signature_check": "not_performed",
            "rehearsal": True,
            "items": _filled(items, {"decedent_name": "見本 太郎", "decedent_address": "東京都テスト区見本町1-1"}),
            "attachments": [{"file_name": "見本.bin", "media_type": "application/octet-stream", "content": ""}],
        }
        | change,
    )


def masked(items: list[Json], **change: Any) -> Json:
    copied = {name: value for name, value in submission(**change).items() if name not in ("items", "attachments")}
    return copied | {"attachments": len(items) and 1, "items": items}


def sessions() -> dict[str, Json]:
    return {
        "submissions": session(SUBMISSIONS, ["router", REVIEW, HELPDESK], "session of the portal"),
        "status": session(STATUS, ["portal", HELPDESK], "session of the review desk for status"),
        "accepted": session(
            ACCEPTED, [TAX], "session of the review desk for accepted", previous=seed("an earlier session").hex()
        ),
    }


def review_section(part: Json | None, **change: Any) -> Json:
    large = []
    if part is not None:
        names = [{"event_id": part["key"], "leaf": part["leaf"]}]
        whole = sha256(PART_CONTENT).hexdigest()
        large = [{"position": 0, "size": len(PART_CONTENT), "sha256": whole, "parts": names}]
    value = submission(**change)
    name = "HeirRepresentativeDesignationSubmission"
    return {
        "submission": avro.encode(name, value).hex(),
        "rules": "0123456789abcdef",
        "findings": [{"path": "/items/decedent_name", "rule": "characters.unlisted"}],
        "large": large,
    }


def events(known: dict[str, Json]) -> dict[str, Json]:
    portal, status, accepted = known["submissions"], known["status"], known["accepted"]
    about = {"receipt_number": RECEIPT, "tenant": T}
    piece = ("AttachmentPart", about | {"position": 0, "part": 0, "parts": 1, "content": PART_CONTENT.hex()})
    part = event(
        portal,
        "part of an attachment",
        {REVIEW: piece, HELPDESK: ("HelpdeskRecord", masked([]) | {"procedure": "attachment-part"})},
        procedure="attachment-part",
        event_id=event_id(1),
    )
    shown = [{"name": "decedent_name", "group": None, "row": None, "shown": "見**"}]
    filing = event(
        portal,
        "submission",
        {REVIEW: ("ReviewSection", review_section(part)), HELPDESK: ("HelpdeskRecord", masked(shown))},
        sequence=1,
        event_id=event_id(2),
        produced_at=NOW + 1_001,
    )
    checks: Json = {"tax_item": "light-vehicle-tax", "calculation_check": "failed", "signature_check": "passed"}
    refused = event(
        portal,
        "submission that the broker refused for good",
        {
            REVIEW: ("ReviewSection", review_section(None, **checks)),
            HELPDESK: ("HelpdeskRecord", masked([], **checks)),
        },
        sequence=2,
        event_id=event_id(3),
        **checks,
    )
    cause = {"event_id": filing["key"], "leaf": filing["leaf"]}
    decision = about | {
        "procedure": PROCEDURE,
        "revision": 1,
        "decision": "accept",
        "reason": "complete",
        "message": "見本: 受理しました。",
        "tax_items": ["resident-tax"],
        "answer_by": None,
        "decided_at": NOW + 2_000,
    }
    told = event(
        status,
        "decision",
        {"portal": ("Decision", decision), HELPDESK: ("Decision", decision | {"message": None})},
        event_id=event_id(4),
        cause=cause,
    )
    names = [{"event_id": event_id(5), "leaf": seed("leaf of a part for the tax team").hex()}]
    large = [
        {"position": 0, "size": len(PART_CONTENT), "sha256": sha256(PART_CONTENT).hexdigest(), "parts": names},
    ]
    handed = about | {
        "tax_item": "resident-tax",
        "decision": "accept",
        "reason": "complete",
        "revision": 1,
        "decided_at": NOW + 2_000,
        "submission": review_section(None)["submission"],
        "large": large,
    }
    given = event(
        accepted,
        "acceptance for a tax team",
        {TAX: ("AcceptedSubmission", handed)},
        event_id=event_id(6),
        tax_item="resident-tax",
        cause=cause,
    )
    return {"part": part, "submission": filing, "refused": refused, "status": told, "accepted": given}


def checkpoint(known: Json, about: str, first: int, leaves: list[tuple[str, bool]], before: Json | None) -> Json:
    fields = {
        "session": known["id"],
        "partition": PARTITION,
        "first_sequence": first,
        "entries": [{"leaf": leaf, "void": void} for leaf, void in leaves],
        "previous": None if before is None else before["hash"],
        "produced_at": NOW + 3_000 + 60_000 * first,
    }
    key = f"checkpoint/{known['id']}/{PARTITION}/{first}"
    made = record("Checkpoint", about, fields, topic=known["fields"]["topic"], key=key)
    return signed(made, known["fields"]["producer"])


def records(known: dict[str, Json], sent: dict[str, Json]) -> list[Json]:
    """All other records, in an order in which each has what it names before it."""
    trust = signed(record("Trust", "trust list", trust_fields(), topic=f"{NS}.control", key="trust"), "admin")
    keys = [audience_key(audience) for audience in sorted(AUDIENCES)]
    portal = known["submissions"]
    part, filing, refused = (sent[name]["leaf"] for name in ("part", "submission", "refused"))
    first = checkpoint(portal, "first checkpoint", 0, [(part, False)], None)
    empty = checkpoint(portal, "empty checkpoint, a sign of life", 1, [], first)
    last = checkpoint(portal, "checkpoint with a void leaf", 1, [(filing, False), (refused, True)], empty)
    stopped = {"partition": PARTITION, "last_sequence": 2, "last_checkpoint": last["hash"]}
    none = {"partition": 5, "last_sequence": -1, "last_checkpoint": None}
    fields = {"session": portal["id"], "partitions": sorted([stopped, none], key=_number), "closed_at": NOW + 9_000_000}
    close = record("SessionClose", "end of the session", fields, topic=f"{NS}.sessions", key=f"close/{portal['id']}")
    by_admin = signed(close | {"name": "end of the session, by the administrator"}, "admin")
    return [
        trust,
        *keys,
        *known.values(),
        first,
        empty,
        last,
        signed(close, "portal"),
        by_admin,
        receipt(portal, sent),
        *_letters(sent),
        *_others(),
    ]


def _number(closed: Json) -> int:
    return int(closed["partition"])


def receipt(portal: Json, sent: dict[str, Json]) -> Json:
    stored = [
        {"sequence": number, "event_id": sent[name]["key"], "leaf": sent[name]["leaf"]}
        for number, name in enumerate(("part", "submission"))
    ]
    fields = {
        "session": portal["id"],
        "partition": PARTITION,
        "tenant": T,
        "desk": REVIEW,
        "entries": stored,
        "stored_at": NOW + 5_000,
    }
    key = f"stored/{portal['id']}/{PARTITION}/0"
    return signed(record("StoredReceipt", "receipt of the review desk", fields, topic=STATUS, key=key), REVIEW)


def _letters(sent: dict[str, Json]) -> list[Json]:
    filing = sent["submission"]
    digests = [{"audience": each["audience"], "digest": each["digest"]} for each in filing["sections"]]
    noticed = {
        "tenant": T,
        "header": filing["header"],
        "digests": digests,
        "reason": "tenant-not-ready",
        "noticed_at": NOW + 4_000,
    }
    key = f"notice/{filing['leaf']}"
    notice = signed(record("DeadLetterNotice", "notice", noticed, topic=f"{NS}.{T}.review", key=key), "router")
    letters = f"{NS}.dead-letters.router"
    place = {"topic": SUBMISSIONS, "partition": PARTITION, "offset": 42}
    letter: Json = {
        "reason": "tenant-not-ready",
        "stage": "router",
        **place,
        "appended_at": NOW + 1_500,
        "written_at": NOW + 4_000,
        "authentic": True,
        "key": filing["key"].encode().hex(),
        "value": filing["value"],
        "quarantine": None,
        "session": filing["session"],
        "leaf": filing["leaf"],
    }
    origin = f"{SUBMISSIONS}/{PARTITION}/42"
    authentic = record("DeadLetter", "dead letter of an authentic event", letter, topic=letters, key=origin)
    content = avro.encode("DeadLetterContent", {"key": None, "value": b"{} <- not framed".hex()})
    info = reference.purpose("quarantine") + reference.u32(len(SUBMISSIONS)) + SUBMISSIONS.encode()
    info += reference.u32(PARTITION) + (43).to_bytes(8, "big")
    drawn = randomness("quarantine", "quarantine")
    sealed = reference.hpke_seal("MLKEM768_X25519", audience_seeds("quarantine"), info, content, drawn)
    shut = letter | {"reason": "not-framed", "offset": 43, "authentic": False, "key": None, "value": None}
    shut |= {"session": None, "leaf": None}
    shut["quarantine"] = {"epoch": EPOCH, "key_id": key_id("quarantine"), "sealed": sealed.hex()}
    origin = f"{SUBMISSIONS}/{PARTITION}/43"
    quarantined = record("DeadLetter", "dead letter in quarantine", shut, topic=letters, key=origin)
    quarantined |= {"info": info.hex(), "randomness": drawn.hex(), "content": content.hex()}
    return [
        notice,
        authentic,
        quarantined,
        *_words(filing, {"topic": letters, "partition": PARTITION, "offset": 7}, place),
    ]


def _words(filing: Json, letter: Json, origin: Json) -> list[Json]:
    """The operator's words: a replay of an event, a discard of something else."""
    found = sha256(reference.purpose("receipt") + RECEIPT.encode()).hexdigest()[:32]
    made = []
    for about, replayed in (("replayed", True), ("discarded", False)):
        confided = {
            "salt": seed(f"salt of what was {about}").hex(),
            "digest": sha256(bytes.fromhex(filing["value"])).hexdigest() if replayed else "00" * 32,
            "receipt": found if replayed else None,
            "actor": "operator-1",
            "note": None if replayed else "a probe of the network team",
        }
        inner = record("LetterConfided", f"what was confided with a letter {about}", confided)
        digest = sha256(reference.purpose("confided") + bytes.fromhex(inner["body"])).hexdigest()
        fields = {
            "letter": letter,
            "origin": origin,
            "refused": "tenant-not-ready" if replayed else "not-framed",
            "refused_at": NOW + 4_000,
            "tenant": T if replayed else None,
            "event": {"event_id": filing["key"], "leaf": filing["leaf"]} if replayed else None,
            "kind": about,
            "reason": None if replayed else "not-ours",
            "replayed_to": 77 if replayed else None,
            "generation": 0 if replayed else 1,
            "former": None if replayed else letter | {"offset": 6},
            "confided": digest,
            "resolved_at": NOW + 6_000,
        }
        key = f"resolved/{letter['topic']}/{letter['partition']}/{letter['offset']}"
        bare = record("LetterResolved", f"letter {about}", fields, topic=f"{NS}.{T}.audit", key=key)
        both = {"resolved": bare["body"], "confided": inner["body"]}
        told = record("LetterTold", f"letter {about}, told", both, topic=f"{NS}.resolutions", key=key)
        made += [inner, signed(bare, "operator"), signed(told, "operator")]
    return made


def _others() -> list[Json]:
    gone = {"audience": TAX, "epoch": 202603, "key_id": key_id(TAX), "destroyed_at": NOW, "waivers": []}
    waived = gone | {"waivers": sorted([seed("one leaf").hex(), seed("another leaf").hex()])}
    key = f"destroyed/{TAX}/202603/{key_id(TAX)}"
    entry = {"tenant": T, "event_id": event_id(1), "leaf": seed("a reported leaf").hex(), "state": "stored"}
    report = {"principal": REVIEW, "namespace": NS, "kind": "stored", "created_at": NOW, "part": 1, "parts": 1}
    standing = {"principal": "router", "instance": "vector-1", "namespace": NS, "taken_at": NOW}
    standing |= {"trust_serial": 7, "declaration_serial": 0}
    applied = {"namespace": NS, "serial": 3, "issued_at": NOW, "partitions": PARTITIONS, "declaration": "version: 1\n"}
    topic = f"{NS}.audiences"
    return [
        signed(record("KeyDestroyed", "key destroyed", gone, topic=topic, key=key), TAX),
        signed(record("KeyDestroyed", "key destroyed, leaves waived", waived, topic=topic, key=key), TAX, "admin"),
        signed(record("RoleReport", "report of a role", report | {"entries": [entry]}), REVIEW),
        signed(
            record(
                "StandingReport",
                "what a role holds to",
                standing,
                topic=f"{NS}.operations",
                key="standing/router/vector-1",
            ),
            "router",
        ),
        signed(record("AppliedDeclaration", "declaration", applied, topic=f"{NS}.control", key="declaration"), "admin"),
    ]


def delivery_receipt(known: dict[str, Json], sent: dict[str, Json]) -> Json:
    """The file that a filer gets, in its one form."""
    filing, said = sent["submission"], receipt(known["submissions"], sent)
    document = {
        "format": "eltax-hub-delivery-receipt/1",
        "receipt_number": RECEIPT,
        "procedure": PROCEDURE,
        "accepted_at": _iso(filing["header_fields"]["accepted_at"]),
        "tenant": T,
        "event_id": filing["key"],
        "leaf": filing["leaf"],
        "stored_at": _iso(said["fields"]["stored_at"]),
        "desk": REVIEW,
        "header": base64.b64encode(bytes.fromhex(filing["header"])).decode(),
        "sections": [{"audience": each["audience"], "digest": each["digest"]} for each in filing["sections"]],
        "record": base64.b64encode(bytes.fromhex(said["signed"])).decode(),
    }
    return {"members": document, "file": (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode().hex()}


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


__all__ = ["AUDIT", "BEGIN", "delivery_receipt", "events", "records", "sessions"]
