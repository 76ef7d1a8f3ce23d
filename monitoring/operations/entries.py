"""What the tree over all logs holds of a line: its place, its hash, its class and when it came. Never its body.

    entry = log(16) ‖ u64 sequence ‖ SHA-256(body)(32) ‖ u8 class ‖ u64 collected at, milliseconds since 1970

65 bytes for every line, kept for ever. So a body can be deleted when its time has come, and the tree still proves
which lines there were, and that none was deleted before its class allowed it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from hub.crypto.merkle import leaf_hash
from hub.envelope.operations import HASH_BYTES, LOG_BYTES, Class

_FORM: Final = struct.Struct(f">{LOG_BYTES}sQ{HASH_BYTES}sBQ")
ENTRY_BYTES: Final = _FORM.size
CODES: Final[dict[Class, int]] = {Class.SYSTEM: 1, Class.NETWORK: 2, Class.ACCESS: 3, Class.ADMINISTRATION: 4}
"""never given another meaning: they stand in leaves"""
_CLASSES: Final = {code: each for each, code in CODES.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf's data."""

    log: bytes
    sequence: int
    hash: bytes
    kind: Class
    collected_at_ms: int

    def encode(self) -> bytes:
        """Return the 65 bytes."""
        return _FORM.pack(self.log, self.sequence, self.hash, CODES[self.kind], self.collected_at_ms)

    @property
    def leaf(self) -> bytes:
        """The leaf hash, 32 bytes (RFC 6962)."""
        return leaf_hash(self.encode())

    @classmethod
    def decode(cls, data: bytes) -> Entry:
        """Read an entry. Raises ValueError unless it is one in its one form."""
        if len(data) != ENTRY_BYTES:
            raise ValueError("length")
        log, sequence, digest, code, collected = _FORM.unpack(data)
        if code not in _CLASSES:
            raise ValueError("class")
        return cls(log, sequence, digest, _CLASSES[code], collected)
