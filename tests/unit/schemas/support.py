"""Documents of artificial people, and random values of any contract."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from schemas.generator import generate
from schemas.submission import Refused, Submission, parse

TENANTS = ("131041", "999997")
TEXTS = ("", "見本太郎", "髙﨑𠮷", "辻\U000e0100", "\ue000", "ﾐﾎﾝ", "a\tb\r\nc", "x" * 300)
NUMBERS = (0, 1, -1, 63, 64, -64, -65, 8_191, 2**31 - 1, -(2**31))


def named_types(schema: Any) -> dict[str, Any]:
    """Collect the named types that a schema defines anywhere."""
    if isinstance(schema, list):
        return {name: each for part in schema for name, each in named_types(part).items()}
    if not isinstance(schema, Mapping):
        return {}
    found = {schema["name"]: schema} if schema["type"] in ("record", "enum", "fixed") else {}
    inner = [field["type"] for field in schema.get("fields", ())] + [schema.get("items"), schema["type"]]
    return found | named_types(inner)


def random_value(schema: Any, rng: random.Random, names: dict[str, Any]) -> Any:
    """Return a value that a schema can hold."""
    if isinstance(schema, list):
        return random_value(rng.choice(schema), rng, names)
    kind = schema["type"] if isinstance(schema, Mapping) else schema
    match kind:
        case "record":
            return {field["name"]: random_value(field["type"], rng, names) for field in schema["fields"]}
        case "array":
            return [random_value(schema["items"], rng, names) for _ in range(rng.randrange(4))]
        case "fixed":
            return rng.randbytes(schema["size"])
        case "enum":
            return rng.choice(schema["symbols"])
        case "int" if isinstance(schema, Mapping) and schema.get("logicalType") == "date":
            return date(1868, 1, 25) + timedelta(days=rng.randrange(80_000))
        case "null":
            return None
        case "boolean":
            return rng.random() < 0.5
        case "int":
            return rng.choice(NUMBERS)
        case "long":
            return rng.choice((*NUMBERS, 2**63 - 1, -(2**63), 10**15 - 1))
        case "string":
            return rng.choice(TEXTS)
        case "bytes":
            return rng.randbytes(rng.choice((0, 1, 63, 64, 200)))
        case _:
            return random_value(names[kind], rng, names)


def documents(count: int, *, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Yield generated documents of both tenants."""
    return generate(seed, count, TENANTS)


def smallest(**change: Any) -> dict[str, Any]:
    """Return a good document with the fewest items in which no rule finds anything, changed at the top."""
    return {
        "procedure": "refund-interest-loss-of-economic-result",
        "receipt_number": "R7-13104-000000017",
        "tenant": "131041",
        "tax_item": None,
        "accepted_at": "2025-12-01T09:30:00+09:00",
        "checks": {"calculation": "passed", "signature": "not_performed"},
        "rehearsal": True,
        "items": {
            "submitted_on": "2025-12-01",
            "applicant_address": "テスト区見本町1-2-3",
            "applicant_name": "見本太郎",
            "loss_reason": "架空の契約が無効となったため",
        },
    } | change


def read(document: Any) -> Submission | Refused:
    """Parse a document, or bytes, for the rehearsal and both tenants."""
    data = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    return parse(data, rehearsal=True, tenants=TENANTS)


def good(document: Any) -> Submission:
    """Parse what has to be let through."""
    read_ = read(document)
    assert isinstance(read_, Submission), read_
    return read_


def refusal(document: Any) -> list[tuple[str, str]]:
    """Return (path, rule) of all problems; what is let through has none."""
    read_ = read(document)
    return [(each.path, each.rule) for each in read_.problems] if isinstance(read_, Refused) else []
