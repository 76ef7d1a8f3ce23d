"""Checks a delivery receipt as somebody does who has docs/envelope.md and the contracts, and no code of the hub."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SCHEMAS = Path(__file__).parents[3] / "schemas"


class NotProven(Exception):
    """The receipt does not prove what it should."""


class Reader:
    """Reads one Avro value by its contract."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.named = data, 0, {}  # type: ignore[var-annotated]

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise NotProven("truncated")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)

    def value(self, kind: Any) -> Any:
        if isinstance(kind, list):
            return self.value(kind[self.number()])
        if isinstance(kind, str):
            if kind in self.named:
                return self.value(self.named[kind])
            match kind:
                case "null":
                    return None
                case "int" | "long":
                    return self.number()
                case "bytes":
                    return self.take(self.number())
                case "string":
                    return self.take(self.number()).decode()
            raise NotProven(kind)
        if "name" in kind:
            self.named[kind["name"]] = kind
        match kind["type"]:
            case "fixed":
                return self.take(kind["size"])
            case "enum":
                return kind["symbols"][self.number()]
            case "array":
                found = []
                while count := self.number():
                    found += [self.value(kind["items"]) for _ in range(count)]
                return found
            case "record":
                return {each["name"]: self.value(each["type"]) for each in kind["fields"]}
        raise NotProven(str(kind["type"]))


def framed(name: str, data: bytes) -> dict[str, Any]:
    """A framed record: 0x00, the schema's id, the body."""
    locked = json.loads((SCHEMAS / "ids.json").read_text())["contracts"]
    ids = [int(each["id"]) for each in locked if each["name"] == name]
    if len(data) < 5 or data[0] or struct.unpack(">I", data[1:5])[0] not in ids:
        raise NotProven("frame")
    reader = Reader(data[5:])
    found = reader.value(json.loads((SCHEMAS / "contracts" / "envelope" / f"{name}.1.avsc").read_text()))
    if reader.at != len(reader.data):
        raise NotProven("trailing bytes")
    return dict(found)


def spoken(data: bytes, name: str, keys: list[bytes]) -> dict[str, Any]:
    """The body of a signed record that one of these public keys has signed."""
    signed = framed("SignedRecord", data)
    for each in signed["signatures"]:
        for key in keys:
            if hashlib.sha256(key).digest()[:8] == each["key_id"]:
                try:
                    Ed25519PublicKey.from_public_bytes(key).verify(
                        each["signature"], b"eltax-hub/v1/" + name.encode() + b"\0" + signed["body"]
                    )
                except InvalidSignature:
                    raise NotProven("signature") from None
                return framed(name, signed["body"])
    raise NotProven("signer")


def u32(count: int) -> bytes:
    return struct.pack(">I", count)


def proven(document: bytes, trust_file: bytes, admin: bytes) -> dict[str, Any]:
    """What the receipt proves: the header's fields, and when which desk has stored it."""
    said = json.loads(document)
    trust = spoken(trust_file, "Trust", [admin])
    record = base64.b64decode(said["record"])
    claimed = framed("StoredReceipt", framed("SignedRecord", record)["body"])
    desk = "review-" + claimed["tenant"]
    keys = [
        identity["public_key"]
        for principal in trust["principals"]
        if principal["name"] == desk == claimed["desk"]
        for identity in principal["identities"]
        if identity["revoked_at"] is None and identity["not_before"] <= claimed["stored_at"] < identity["not_after"]
    ]
    receipt = spoken(record, "StoredReceipt", keys)
    raw = base64.b64decode(said["header"])
    header = framed("EventHeader", raw)
    leaf = b"\0" + u32(len(raw)) + raw
    for each in said["sections"]:
        leaf += u32(len(each["audience"])) + each["audience"].encode() + bytes.fromhex(each["digest"])
    entry = {"sequence": header["sequence"], "event_id": header["event_id"], "leaf": hashlib.sha256(leaf).digest()}
    same = all(receipt[name] == header[name] for name in ("session", "partition", "tenant"))
    if not same or entry not in receipt["entries"]:
        raise NotProven("other events")
    return {**header, "desk": desk, "stored_at": receipt["stored_at"], "leaf": entry["leaf"].hex()}
