"""Ciphertexts that decrypt under two keys: AES-GCM does not commit to its key.

Source of the construction: Grubbs, Lu, Ristenpart, "Message Franking via Committing Authenticated Encryption" (2017),
and Dodis, Grubbs, Ristenpart, Woodage, "Fast Message Franking: From Invisible Salamanders to Encryptment" (2018).
With H = E_K(0) and J = nonce || 1, the tag of m blocks C is  C1 H^(m+1) + ... + Cm H^2 + len H + E_K(J)  in
GF(2^128). It is linear in each block, so one free block makes the tags under two keys equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

BLOCK = 16
_POLYNOMIAL = 0xE1 << 120
_ONE = 1 << 127


def multiply(a: int, b: int) -> int:
    """Multiply in GF(2^128) as GCM writes it: the most significant bit is the coefficient of x^0."""
    product = 0
    for place in range(127, -1, -1):
        if a >> place & 1:
            product ^= b
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def power(a: int, exponent: int) -> int:
    """Raise to a power."""
    result = _ONE
    while exponent:
        if exponent & 1:
            result = multiply(result, a)
        a = multiply(a, a)
        exponent >>= 1
    return result


def inverse(a: int) -> int:
    """Return 1/a, which is a^(2^128 - 2)."""
    assert a
    return power(a, (1 << 128) - 2)


@dataclass(frozen=True)
class Key:
    """An AES-256-GCM key and the 12-byte nonce that is used with it."""

    key: bytes
    nonce: bytes

    def encrypted(self, block: bytes) -> bytes:
        encryptor = Cipher(AES(self.key), ECB()).encryptor()
        return encryptor.update(block) + encryptor.finalize()

    def stream(self, number: int) -> bytes:
        """Return the key stream of block 0, 1, ...; -1 is what masks the tag."""
        return self.encrypted(self.nonce + (number + 2).to_bytes(4, "big"))

    @property
    def h(self) -> int:
        return int.from_bytes(self.encrypted(bytes(BLOCK)), "big")


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def ghash(h: int, blocks: Sequence[int]) -> int:
    total = 0
    for block in blocks:
        total = multiply(total ^ block, h)
    return total


def salamander(first: Key, second: Key, plaintexts: Sequence[bytes | None], of: Sequence[int], free: int) -> bytes:
    """Return one ciphertext with one tag that both keys accept.

    Block i decrypts under the first key (`of[i]` 0) or the second (1) to `plaintexts[i]`; block `free` is solved for.
    """
    keys = (first, second)
    blocks = [
        0 if text is None else int.from_bytes(xor(text, keys[whose].stream(place)), "big")
        for place, (text, whose) in enumerate(zip(plaintexts, of, strict=True))
    ]
    blocks[free] = 0
    count = len(blocks)
    length = count * BLOCK * 8
    tags = [ghash(key.h, [*blocks, length]) ^ int.from_bytes(key.stream(-1), "big") for key in keys]
    exponent = count + 1 - free
    blocks[free] = multiply(tags[0] ^ tags[1], inverse(power(first.h, exponent) ^ power(second.h, exponent)))
    tag = ghash(first.h, [*blocks, length]) ^ int.from_bytes(first.stream(-1), "big")
    return b"".join(block.to_bytes(BLOCK, "big") for block in (*blocks, tag))
