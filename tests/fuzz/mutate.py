"""Mutations that know a structure, so that what they make is not refused at the first byte."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from typing import Any

import fastavro

from schemas import registry
from tests.fuzz.target import Change

_INTS = (
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    4095,
    4096,
    4097,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**53,
    2**63 - 1,
    -(2**63),
    253_402_300_799_999,
    253_402_300_800_000,
    253_402_268_400_000,
    202604,
    199913,
    999912,
    1_775_012_400_000,
)
_TEXTS = (
    "",
    "a",
    "portal",
    "admin",
    "router",
    "review-131041",
    "131041",
    "rehearsal.submissions",
    "\x00",
    "é",
    "𠮷",
    "\u202e",
    "葛󠄀",
    "x" * 63,
    "x" * 64,
    "x" * 129,
    "x" * 513,
    "9999-12-31T23:59:59.999+00:00",
    "2026-02-30",
    "令和99年13月40日",
    "-1",
    "99999999999999999999",
    "１２３",
    "heir-representative-designation",
    "attachment-part",
    "accept",
    "revoke",
)


def _leaf(value: Any, rng: random.Random) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((rng.choice(_INTS), value + 1, value - 1, -value, rng.getrandbits(63)))
    if isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        return rng.choice((rng.choice(_TEXTS), value[:at], value[at:], value[:at] + rng.choice(_TEXTS) + value[at:]))
    if isinstance(value, bytes):
        at = rng.randrange(len(value) + 1)
        bent = bytearray(value)
        if bent:
            bent[rng.randrange(len(bent))] ^= 1 << rng.randrange(8)
        return rng.choice((bytes(bent), value[:at], value + rng.randbytes(4), rng.randbytes(len(value)), b""))
    if value is None:
        return rng.choice((rng.choice(_TEXTS), rng.choice(_INTS), rng.randbytes(32)))
    return value


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, each in value.items():
            found += _places(each, (*path, key))
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value[:64]):
            found += _places(each, (*path, number))
    return found


def bend(value: Any, rng: random.Random) -> Any:
    """Change a tree of dicts, lists and leaves at one to three places (in a copy made by the caller)."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _places(value)[1:]
        if not places:
            return value
        *way, last = rng.choice(places)
        holder = value
        for step in way:
            holder = holder[step]
        each = holder[last]
        action = rng.randrange(8)
        if action == 0:
            holder[last] = None
        elif action == 1 and isinstance(holder, list):
            del holder[last]
        elif action == 2 and isinstance(holder, list):
            holder.insert(last, each)
        elif action == 3 and isinstance(holder, dict) and len(holder) > 1:
            holder[last] = holder[rng.choice(list(holder))]
        elif action == 4 and isinstance(each, list):
            holder[last] = each * 2 if len(each) < 200 else each[:1]
        elif isinstance(each, (dict, list)):
            holder[last] = rng.choice(({}, [], each, None, _leaf("", rng)))
        else:
            holder[last] = _leaf(each, rng)
    return value


def avro(skip: int = 0) -> Change:
    """Mutate the framed record that follows the first `skip` bytes, by its contract."""

    def change(data: bytes, rng: random.Random) -> bytes:
        head, body = data[:skip], data[skip:]
        contract = registry.by_id(int.from_bytes(body[1:5], "big")) if len(body) > 5 else None
        if contract is None:
            return data
        try:
            value = fastavro.schemaless_reader(io.BytesIO(body[5:]), contract.parsed, None)
            out = io.BytesIO()
            fastavro.schemaless_writer(out, contract.parsed, bend(value, rng))
        except Exception:
            return data
        return head + body[:5] + out.getvalue()

    return change


def as_json(skip: int = 0, dump: Callable[[Any], bytes] | None = None) -> Change:
    """Mutate the JSON document that follows the first `skip` bytes."""

    def change(data: bytes, rng: random.Random) -> bytes:
        try:
            value = bend(json.loads(data[skip:]), rng)
            text = (dump or (lambda each: json.dumps(each, ensure_ascii=bool(rng.randrange(2))).encode()))(value)
        except Exception:
            return data
        return data[:skip] + text

    return change


def lines(skip: int = 0) -> Change:
    """Drop, double, swap or bend a line."""

    def change(data: bytes, rng: random.Random) -> bytes:
        parts = data[skip:].split(b"\n")
        at = rng.randrange(len(parts))
        action = rng.randrange(5)
        if action == 0:
            del parts[at]
        elif action == 1:
            parts.insert(at, parts[at])
        elif action == 2:
            other = rng.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        elif action == 3:
            parts[at] = parts[at][: rng.randrange(len(parts[at]) + 1)]
        else:
            parts[at] = rng.choice(
                (b"", b"0", b"-1", b"9223372036854775807", b"A" * 44, b"\xe2\x80\x94 x AAAAAAA=", b" ")
            )
        return data[:skip] + b"\n".join(parts)

    return change
