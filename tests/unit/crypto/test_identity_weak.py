"""Points of small order: under such a key one signature would fit every message."""

from __future__ import annotations

import pytest

from hub.crypto.identity import IdentityKey, is_weak, verify

PRIME = 2**255 - 19
NEUTRAL = b"\x01" + bytes(31)


@pytest.mark.parametrize("y", [0, 1, PRIME - 1, PRIME, PRIME + 1])
@pytest.mark.parametrize("sign", [0, 1])
def test_point_of_small_order_is_no_key_in_any_of_its_encodings(y: int, sign: int) -> None:
    public = (y | sign << 255).to_bytes(32, "little")
    assert is_weak(public) is True
    assert not verify(public, NEUTRAL + bytes(32), b"anything")


def test_points_of_order_8_are_the_known_ones() -> None:
    """On x = ±iy the double of a point has order 4; y as RFC 8032 writes it."""
    d = -121665 * pow(121666, PRIME - 2, PRIME) % PRIME
    for text in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ):
        public = bytes.fromhex(text)
        y = int.from_bytes(public, "little")
        x_squared = (y * y - 1) * pow(d * y * y + 1, PRIME - 2, PRIME) % PRIME
        assert x_squared == -y * y % PRIME
        assert is_weak(public) and is_weak(public[:31] + bytes((public[31] | 0x80,)))


def test_key_that_was_made_is_not_weak() -> None:
    key = IdentityKey.from_seed(bytes(32))
    assert is_weak(key.public) is False and verify(key.public, key.sign(b"x"), b"x")
