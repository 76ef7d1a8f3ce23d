"""Writes envelope-v1.json (`python -m tests.vectors.make`); only for a new version of the format.

Inputs are artificial and fixed; the HPKE messages are fresh on every run (an encapsulation cannot be steered),
so running this again changes the session's id and everything below it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from hub.crypto.audience import AudiencePrivateKey, Suite, seal
from schemas import codec, registry
from tests.vectors import reference

PATH = Path(__file__).with_name("envelope-v1.json")


def _bytes(name: str, count: int = 32) -> bytes:
    out = b""
    while len(out) < count:
        out += sha256(f"vector {name} {len(out)}".encode()).digest()
    return out[:count]


def _hex(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: _hex(each) for name, each in value.items()}
    return [_hex(each) for each in value] if isinstance(value, list | tuple) else value


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def _session(topic: str, audiences: dict[str, Suite]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    session: dict[str, Any] = {
        "salt": _bytes("salt " + topic, 16),
        "producer": "portal" if topic.endswith("submissions") else "review-131041",
        "instance": "vector-1",
        "topic": topic,
        "tenant": "131041",
        "created_at": _ms("2026-04-01T00:00:00"),
        "expires_at": _ms("2026-04-01T12:00:00"),
        "previous": None if topic.endswith("submissions") else _bytes("previous"),
        "audiences": [],
    }
    keys = []
    for name in sorted(audiences):
        suite = audiences[name]
        seeds = _bytes(f"seeds {name} {topic}", 96 if suite is Suite.HYBRID else 32)
        private = AudiencePrivateKey.from_seeds(suite, seeds)
        secret = _bytes(f"secret {name} {topic}")
        info = reference.session_info(session, name, 202604)
        sealed = seal(suite, private.public, info, secret)
        keys.append(
            {
                "audience": name,
                "suite": suite.value,
                "seeds": seeds,
                "public_sha256": sha256(private.public).digest(),
                "info": info,
                "secret": secret,
                "mac_key": reference.mac_key(secret) if name == "router" else None,
            }
        )
        session["audiences"].append(
            {
                "audience": name,
                "epoch": 202604,
                "commitment": reference.commitment(secret),
                "sealed": sealed,
            }
        )
    return session, keys


def _event(
    topic: str, audiences: dict[str, Suite], plaintexts: dict[str, bytes], extra: dict[str, Any]
) -> dict[str, Any]:
    ids = {name: registry.contract(name).schema_id for name in ("EventHeader", "SealedEvent", "SignedRecord")}
    session, keys = _session(topic, audiences)
    seed = _bytes("identity " + session["producer"])
    body = codec.encode("Session", session)
    fields: dict[str, Any] = {
        "session": sha256(body).digest(),
        "kind": "submission",
        "tenant": "131041",
        "producer": session["producer"],
        "partition": 3,
        "sequence": 4711,
        "event_id": "019d4643-3c00-7abc-8def-0123456789ab",
        "receipt_number": "R8-13104-000000017",
        "procedure": "heir-representative-designation",
        "procedure_version": 1,
        "tax_item": None,
        "accepted_at": _ms("2026-04-01T00:30:00"),
        "produced_at": _ms("2026-04-01T00:30:01"),
        "calculation_check": "passed",
        "signature_check": "not_performed",
        "cause": None,
    } | extra
    header = reference.header(ids["EventHeader"], fields)
    secrets = {key["audience"]: key["secret"] for key in keys}
    sections = []
    for name in sorted(plaintexts):
        content = reference.ciphertext(secrets[name], header, name, plaintexts[name])
        sections.append(
            {
                "audience": name,
                "plaintext": plaintexts[name],
                "padded_bytes": len(reference.padded(plaintexts[name])),
                "event_key": reference.event_key(secrets[name], header, name),
                "ciphertext": content,
                "digest": sha256(content).digest(),
            }
        )
    leaf = reference.leaf(header, [(each["audience"], each["digest"]) for each in sections])
    mac = reference.mac(reference.mac_key(secrets["router"]), leaf) if "router" in secrets else None
    triples = [(each["audience"], each["digest"], each["ciphertext"]) for each in sections]

    def copy(keep: str | None) -> bytes:
        kept = [(name, digest, content if name == keep else None) for name, digest, content in triples]
        return sha256(reference.sealed(ids["SealedEvent"], header, kept, mac)).digest()

    return {
        "schema_ids": ids,
        "session": session,
        "session_body": body,
        "session_id": sha256(body).digest(),
        "identity_seed": seed,
        "signed_session": reference.signed(ids["SignedRecord"], "Session", body, [seed]),
        "keys": keys,
        "header_fields": fields,
        "header": header,
        "sections": sections,
        "leaf": leaf,
        "mac": mac,
        "value": reference.sealed(ids["SealedEvent"], header, triples, mac),
        "output_sha256": {name: copy(name) for name in plaintexts} | {"none": copy(None)},
    }


def main() -> None:
    """Write the file."""
    hybrid = Suite.HYBRID
    submission = _event(
        "rehearsal.submissions",
        {"router": hybrid, "review-131041": hybrid, "helpdesk-131041": Suite.X25519},
        {"review-131041": _bytes("review", 1_500), "helpdesk-131041": _bytes("helpdesk", 300)},
        {},
    )
    accepted = _event(
        "rehearsal.131041.accepted",
        {"tax-resident-tax-131041": hybrid},
        {"tax-resident-tax-131041": _bytes("tax", 2_500)},
        {
            "kind": "accepted",
            "sequence": 0,
            "partition": 0,
            "event_id": "019d4643-4000-7abc-8def-0123456789ab",
            "tax_item": "resident-tax",
            "signature_check": "failed",
            "cause": {"event_id": "019d4643-3c00-7abc-8def-0123456789ab", "leaf": submission["leaf"]},
        },
    )
    lengths = [0, 1, 1023, 1024, 2047, 2048, 4095, 4096, 8191, 16383, 32767, 32768, 34815, 34816, 65535]
    lengths += [65536, 100_000, 1_000_000, 5_000_000, 8_000_000]
    padding = [[length, len(reference.padded(bytes(length)))] for length in lengths]
    document = {"events": [submission, accepted], "padding": padding}
    PATH.write_text(json.dumps(_hex(document), indent=1) + "\n")


if __name__ == "__main__":
    main()
