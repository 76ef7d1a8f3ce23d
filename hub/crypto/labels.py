"""Domain separation: no digest, derivation or signature of one purpose can serve another."""

from __future__ import annotations

from typing import Final

_PREFIX: Final = b"eltax-hub/v1/"


def label(purpose: str) -> bytes:
    """Return L(purpose) = ASCII `eltax-hub/v1/` ‖ purpose ‖ 0x00 (docs/envelope.md, "Words")."""
    return _PREFIX + purpose.encode("ascii") + b"\x00"
