"""A log of operations as two processes keep it: lines in a chain, each signed. Imports nothing of the hub."""

from __future__ import annotations

from hashlib import sha256

from tests.vectors import reference
from tests.vectors.build_world import HELPDESK, NOW, NS, RECEIPT, REVIEW, Json, T, record, seed, signed

TOPIC = f"{NS}.operations"
NOTHING = {
    "outcome": "ok",
    "actor": "",
    "address": "",
    "tenant": "",
    "receipt": "",
    "about": "",
    "code": "",
    "count": 1,
}
PERSON = {"actor": "sato.h@ward", "address": "desk-12.ward.example", "tenant": T}


def fingerprint(receipt: str) -> str:
    """Under what a receipt number stands in a line."""
    return sha256(reference.purpose("receipt") + receipt.encode()).hexdigest()[:32]


def operations() -> list[Json]:
    """The log of a review desk, and the first line of a helpdesk's."""
    filing = {"receipt": fingerprint(RECEIPT)}
    review: list[Json] = [
        {"kind": "started", "about": "consume"},
        {"kind": "configured", "about": "trust 7, declaration 3", "code": "0123456789abcdef"},
        PERSON | filing | {"kind": "viewed", "about": "review show"},
        PERSON | {"kind": "viewed", "outcome": "store.not-found", "about": "review show", "count": 0},
        PERSON | filing | {"kind": "decided", "about": "accept"},
        PERSON | {"kind": "exported", "about": "tax-ledger", "code": "000001", "count": 9_000_000_000},
        {"kind": "alarm", "about": "withheld", "code": "audience.unavailable", "count": 3},
        {"kind": "failed", "outcome": "role.withdrawn", "about": "consume"},
    ]
    asked = {
        "kind": "looked-up",
        "actor": "account-7f7e1c1f2b0a4d5e",
        "address": "192.0.2.17",
        "about": "helpdesk lookup",
    }
    return [*_log("review desk", REVIEW, review), *_log("helpdesk", HELPDESK, [asked | filing | {"tenant": T}])]


def _log(about: str, principal: str, lines: list[Json]) -> list[Json]:
    name, previous, made = seed(f"log of {principal}", 16).hex(), bytes(32).hex(), []
    for sequence, line in enumerate(lines):
        place = {"principal": principal, "instance": "vector-1", "namespace": NS, "log": name, "sequence": sequence}
        fields = place | {"previous": previous, "occurred_at": NOW + 1_000 * sequence} | NOTHING | line
        one = record(
            "OperationEvent", f"{about}, line {sequence}: {line['kind']}", fields, topic=TOPIC, key=f"operation/{name}"
        )
        made.append(signed(one, principal))
        previous = one["hash"]
    return made
