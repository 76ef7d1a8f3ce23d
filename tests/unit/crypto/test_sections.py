"""What is derived from a session secret, as the module's page says."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from hub.crypto import sections
from hub.crypto.errors import NotAuthentic
from hub.crypto.secret import Secret

SECRET = Secret(bytes(range(32)))


def expanded(info: bytes) -> bytes:
    """HKDF-Expand, one block (RFC 5869)."""
    return hmac.digest(SECRET.reveal(), info + b"\x01", "sha256")


def test_keys_and_commitment_are_one_block_of_hkdf_each() -> None:
    assert sections.commitment(SECRET) == expanded(b"eltax-hub/v1/commit\x00")
    assert sections.mac_key(SECRET) == expanded(b"eltax-hub/v1/mac\x00")
    info = b"eltax-hub/v1/section\x00" + sha256(b"header").digest() + b"audience"
    assert sections.event_key(SECRET, b"header", "audience") == expanded(info)


def test_section_is_16_bytes_longer_and_no_part_of_it_opens() -> None:
    sealed = sections.seal_section(SECRET, b"header", "audience", b"text")
    assert len(sealed) == 4 + sections.TAG_BYTES == 20
    assert sections.open_section(SECRET, b"header", "audience", sealed) == b"text"
    for bad in (b"", sealed[:15], sealed[:-1], sealed + b"x"):
        with pytest.raises(NotAuthentic):
            sections.open_section(SECRET, b"header", "audience", bad)
