"""Writes the vectors (`python -m tests.vectors.make`): the same bytes on every run, from the reference alone.

Only for a new version of the format: the files are frozen (FROZEN). `envelope-v1.json` and `rfc6962.json` are not
made here: the first was made once with the hub's own HPKE, the second is somebody else's.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.vectors import reference
from tests.vectors.build_negative import negative
from tests.vectors.build_operations import operations
from tests.vectors.build_records import delivery_receipt, events, records, sessions
from tests.vectors.build_world import (
    AUDIENCES,
    CLOCK,
    EPOCH,
    NS,
    OWNER,
    PARTITIONS,
    PRINCIPALS,
    RECEIPT,
    Json,
    T,
    audience_public,
    audience_seeds,
    identity,
    key_id,
    seed,
    signed,
    suite_of,
    trust_fields,
)
from tests.vectors.build_world import record as record_of

PLACE = Path(__file__).parent


def world() -> Json:
    """What every judge of these vectors is given: trust, clock, private keys."""
    trust = signed(record_of("Trust", "trust list", trust_fields(), topic=f"{NS}.control", key="trust"), "admin")
    return {
        "namespace": NS,
        "tenant": T,
        "partitions": PARTITIONS,
        "epoch": EPOCH,
        "now": CLOCK,
        "administrator_public": identity("admin")["public"],
        "trust": trust["signed"],
        "identities": [identity(name) for name in sorted(PRINCIPALS)],
        "audiences": [
            {
                "audience": name,
                "owner": OWNER.get(name, name),
                "suite": suite_of(name),
                "seeds": audience_seeds(name).hex(),
                "public": audience_public(name).hex(),
                "key_id": key_id(name),
            }
            for name in sorted(AUDIENCES)
        ],
    }


def primitives() -> Json:
    longs = [0, -1, 1, -2, 63, 64, -64, -65, 8191, 8192, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]
    texts = ["", "a", "review-131041", "見本 太郎", "𠮷"]
    lengths = [0, 1, 1022, 1023, 1024, 2047, 2048, 4095, 8191, 16383, 32767, 32768, 34815, 34816, 65535, 65536]
    lengths += [100_000, 1_000_000, 4_194_304, 5_000_000, 8_000_000]
    receipts = ["1", "12", "123", "1234", "12345", RECEIPT, "R8-13104-000000018", "見本-1", "𠮷", "x" * 512]
    secret, header = seed("a secret"), b"a header's bytes"
    return {
        "longs": [{"value": str(each), "encoded": reference.zigzag(each).hex()} for each in longs],
        "strings": [{"value": each, "encoded": reference.avro_bytes(each.encode()).hex()} for each in texts],
        "frames": [
            {"schema_id": each, "framed": reference.framed(each, b"body").hex(), "body": b"body".hex()}
            for each in (1, 14, 256, 2**32 - 1)
        ],
        "labels": [
            {"purpose": each, "label": reference.purpose(each).hex()}
            for each in ("session", "commit", "mac", "section", "quarantine", "receipt", "confided", "Session", "Trust")
        ],
        "padding": [{"length": each, "padded": len(reference.padded(bytes(each)))} for each in lengths],
        "derivations": {
            "secret": secret.hex(),
            "commitment": reference.commitment(secret).hex(),
            "mac_key": reference.mac_key(secret).hex(),
            "header": header.hex(),
            "audience": "review-131041",
            "event_key": reference.event_key(secret, header, "review-131041").hex(),
        },
        "partitions": [
            {
                "receipt_number": each,
                "murmur2": reference.murmur2(each.encode()),
                "of": {str(n): (reference.murmur2(each.encode()) & 0x7FFFFFFF) % n for n in (1, 2, 3, 6, 12, 50)},
            }
            for each in receipts
        ],
    }


def hpke(known: dict[str, Json], listed: list[Json]) -> list[Json]:
    """Every sealed message of the vectors in the opening direction, and what it was sealed with."""
    found = []
    for session in known.values():
        for each in session["opened"]:
            name = f"{session['name']}: {each['audience']}"
            found.append(_opened(name, each["suite"], each["seeds"], each["info"], each["randomness"], each["secret"]))
    (shut,) = (each for each in listed if "content" in each)
    seeds = audience_seeds("quarantine").hex()
    found.append(_opened(shut["name"], "MLKEM768_X25519", seeds, shut["info"], shut["randomness"], shut["content"]))
    return found


def _opened(name: str, suite: str, seeds: str, info: str, drawn: str, plaintext: str) -> Json:
    raw = bytes.fromhex(seeds)
    public = reference.public_key(suite, raw)
    enc = reference.encapsulate(suite, public, bytes.fromhex(drawn))
    shared = reference.kem_shared(suite, raw, enc)
    key, nonce = reference.hpke_schedule(suite, shared, bytes.fromhex(info))
    sealed = reference.hpke_seal(suite, raw, bytes.fromhex(info), bytes.fromhex(plaintext), bytes.fromhex(drawn))
    return {
        "name": name,
        "suite": suite,
        "kem_id": reference.KEMS[suite][0],
        "kdf_id": 1,
        "aead_id": 2,
        "seeds": seeds,
        "public": public.hex(),
        "key_id": sha256(public).hexdigest()[:16],
        "info": info,
        "randomness": drawn,
        "enc": enc.hex(),
        "kem_shared_secret": shared.hex(),
        "key": key.hex(),
        "base_nonce": nonce.hex(),
        "ciphertext": sealed[len(enc) :].hex(),
        "sealed": sealed.hex(),
        "plaintext": plaintext,
    }


def merkle(sent: dict[str, Json]) -> Json:
    """The tree of an audit log whose leaf hashes are given. In a real log they are of its entries (docs/proofs.md)."""
    leaves = [bytes.fromhex(each["leaf"]) for each in sent.values()] + [seed(f"leaf {n}") for n in range(4)]
    sizes = range(len(leaves) + 1)
    return {
        "leaves": [each.hex() for each in leaves],
        "roots": [{"size": size, "root": reference.merkle_root(leaves[:size]).hex()} for size in sizes],
        "inclusion": [
            {"index": i, "size": size, "path": [each.hex() for each in reference.merkle_path(i, leaves[:size])]}
            for size in sizes
            for i in range(size)
        ],
        "consistency": [
            {
                "first": first,
                "second": size,
                "path": [each.hex() for each in reference.merkle_consistency(first, leaves[:size])],
            }
            for size in sizes
            for first in range(1, size + 1)
        ],
    }


def key_files() -> list[Json]:
    """One of each suite. scrypt's N of 2^4 is for tests: a hub refuses it unless told so; 2^17 is the standard."""
    made = []
    kinds = [(1, "Ed25519", "portal", 32, 4), (2, "MLKEM768_X25519", "review-131041/202604", 96, 4)]
    kinds += [
        (3, "X25519", "helpdesk-131041/202604", 32, 4),
        (4, "ML-DSA-44", "見本", 32, 4),
        (1, "Ed25519", "admin", 32, 17),
    ]
    for number, suite, name, count, log2_n in kinds:
        salt, nonce = seed(f"salt of {name}", 16), seed(f"nonce of {name}", 12)
        passphrase, seeds = "見本の合言葉", seed(f"seeds of {name}", count)
        key = reference.file_key(passphrase.encode(), salt, log2_n)
        data = reference.key_file(number, name, log2_n, salt, nonce, passphrase.encode(), seeds)
        made.append(
            {
                "suite": suite,
                "suite_number": number,
                "name": name,
                "passphrase": passphrase,
                "log2_n": log2_n,
                "r": 8,
                "p": 1,
                "salt": salt.hex(),
                "nonce": nonce.hex(),
                "file_key": key.hex(),
                "clear": data[: -count - 16].hex(),
                "seeds": seeds.hex(),
                "file": data.hex(),
            }
        )
    return made


def key_files_2() -> list[Json]:
    """One of each suite under a passphrase of 32 random bytes."""
    made = []
    for number, suite, name, count in (
        (1, "Ed25519", "portal", 32),
        (2, "MLKEM768_X25519", "review-131041/202604", 96),
        (3, "X25519", "helpdesk-131041/202604", 32),
        (4, "ML-DSA-44", "見本", 32),
    ):
        salt, nonce, key = seed(f"salt 2 of {name}", 16), seed(f"nonce 2 of {name}", 12), seed(f"key of {name}")
        seeds = seed(f"seeds of {name}", count)
        data, file_key = reference.key_file_2(number, name, salt, nonce, key, seeds)
        made.append(
            {
                "suite": suite,
                "suite_number": number,
                "name": name,
                "passphrase": f"key-1:{key.hex()}",
                "log2_n": 0,
                "r": 0,
                "p": 0,
                "salt": salt.hex(),
                "nonce": nonce.hex(),
                "file_key": file_key.hex(),
                "clear": data[: -count - 16].hex(),
                "seeds": seeds.hex(),
                "file": data.hex(),
            }
        )
    return made


def documents() -> dict[str, Any]:
    """Every file's content by its name."""
    known = sessions()
    sent = events(known)
    listed = records(known, sent)
    return {
        "world.json": world(),
        "primitives.json": primitives(),
        "hpke.json": hpke(known, listed),
        "sessions.json": list(known.values()),
        "events.json": list(sent.values()),
        "records.json": [each for each in listed if each["record"] != "Session"],
        "operations.json": operations(),
        "merkle.json": merkle(sent),
        "key-files.json": key_files(),
        "key-files-2.json": key_files_2(),
        "delivery-receipt.json": delivery_receipt(known, sent),
        "negative.json": negative(known, sent, listed),
    }


def text(content: Any) -> str:
    """A document's text."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files."""
    for name, content in documents().items():
        (PLACE / name).write_text(text(content), encoding="utf-8")


if __name__ == "__main__":
    main()
