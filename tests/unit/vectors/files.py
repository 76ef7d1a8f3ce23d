"""The vector files, and the world that they are judged in."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.envelope.times import from_ms
from hub.envelope.trust import Trust

PLACE = Path(__file__).parents[2] / "vectors"
b = bytes.fromhex


@cache
def load(name: str) -> Any:
    return json.loads((PLACE / f"{name}.json").read_text(encoding="utf-8"))


WORLD: dict[str, Any] = load("world")
NOW: datetime = from_ms(WORLD["now"])


@cache
def trust() -> Trust:
    return Trust.load(b(WORLD["trust"]), b(WORLD["administrator_public"]))


@cache
def private_key(audience: str) -> AudiencePrivateKey:
    (one,) = (each for each in WORLD["audiences"] if each["audience"] == audience)
    return AudiencePrivateKey.from_seeds(Suite(one["suite"]), b(one["seeds"]))


def names(vectors: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in vectors]


def as_json(value: Any) -> Any:
    """A decoded record in the JSON form of the vectors: bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, list | tuple) else value


def from_json(value: Any, like: Any) -> Any:
    """The JSON form back, with bytes where `like` has them."""
    if isinstance(like, bytes):
        return b(value)
    if isinstance(like, dict):
        return {name: from_json(value[name], like[name]) for name in like}
    if isinstance(like, list):
        return [from_json(one, other) for one, other in zip(value, like, strict=True)]
    return value
