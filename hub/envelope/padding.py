"""Padding: the length of a section says little (an exact one would reveal how many heirs there are).

padded = framed record ‖ 0x80 ‖ zeros, up to the smallest of 1, 2, 4, 8, 16, 32 KiB that holds length + 1;
         above 32 KiB up to Padmé(length + 1), which adds at most a sixteenth
"""

from __future__ import annotations

from typing import Final

from hub.envelope.reasons import EnvelopeError, Reason

_STEPS: Final = tuple(1024 << power for power in range(6))


def padme(length: int) -> int:
    """Return `length` (1 or more) rounded up to Padmé's next size: a float with log log n bits of mantissa.

    Source: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication
    with PURBs" (2019).
    """
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def padded_bytes(length: int) -> int:
    """Return the padded size of a plaintext of `length` bytes."""
    for step in _STEPS:
        if length < step:
            return step
    return padme(length + 1)


def pad(plaintext: bytes) -> bytes:
    """Pad a framed record."""
    return (plaintext + b"\x80").ljust(padded_bytes(len(plaintext)), b"\x00")


def unpad(padded: bytes) -> bytes:
    """Return what was padded. Raises PADDING unless `padded` is exactly what `pad` makes of it."""
    body = padded.rstrip(b"\x00")
    if not body or body[-1] != 0x80 or len(padded) != padded_bytes(len(body) - 1):
        raise EnvelopeError(Reason.PADDING)
    return body[:-1]
