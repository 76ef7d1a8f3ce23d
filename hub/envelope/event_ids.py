"""Event ids: UUIDv7 (RFC 9562) in lower-case text. Unique, roughly ordered by time, not monotonic."""

from __future__ import annotations

import re
from typing import Final

from hub.crypto.random import Randomness, system_random

PATTERN: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


def is_event_id(text: str) -> bool:
    """Say whether `text` is a UUIDv7 in its one allowed spelling."""
    return PATTERN.fullmatch(text) is not None


def new_event_id(now_ms: int, random: Randomness = system_random) -> str:
    """Return u48 milliseconds ‖ version 7 ‖ 12 random bits ‖ variant 10 ‖ 62 random bits, as text."""
    tail = int.from_bytes(random(10), "big")
    value = (now_ms & (1 << 48) - 1) << 80 | 7 << 76 | (tail >> 62 & 0xFFF) << 64 | 2 << 62 | tail & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def id_of_time(at_ms: int) -> str:
    """Return text that is above every id of before `at_ms`, and below every other; itself none."""
    text = f"{at_ms & (1 << 48) - 1:012x}"
    return f"{text[:8]}-{text[8:]}"
