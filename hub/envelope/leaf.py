"""The leaf: the 32-byte digest that stands for one sealed event."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def leaf(header: bytes, digests: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the leaf of a framed header and the (audience, SHA-256 of ciphertext) of each section, in order.

    SHA-256(0x00 ‖ u32(len header) header ‖ for each section: u32(len audience) audience ‖ digest)

    It is an RFC 6962 leaf hash already. It does not change when a hop removes a ciphertext.
    """
    state = [b"\x00", len(header).to_bytes(4, "big"), header]
    for audience, digest in digests:
        name = audience.encode()
        state += (len(name).to_bytes(4, "big"), name, digest)
    return hashlib.sha256(b"".join(state)).digest()
