"""Encryption at rest: opens with its key at its place, and is the construction that the page says."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.wrapping import WrappingError, decrypt_content, encrypt_content, unwrap, wrap

KEY, DATA_KEY, NONCE = bytes(range(32)), bytes(range(32, 64)), bytes(range(12))


def test_data_key_is_wrapped_as_the_page_says_and_comes_back() -> None:
    wrapped = wrap(KEY, DATA_KEY, b"row 1", NONCE)
    assert wrapped == NONCE + AESGCM(KEY).encrypt(NONCE, DATA_KEY, b"eltax-hub/v1/wrap\x00row 1")
    assert len(wrapped) == 60 and unwrap(KEY, wrapped, b"row 1") == DATA_KEY


def test_content_is_encrypted_as_the_page_says_and_comes_back() -> None:
    for plaintext in (b"", b"text"):
        content = encrypt_content(DATA_KEY, plaintext, b"row 1")
        assert content == AESGCM(DATA_KEY).encrypt(bytes(12), plaintext, b"eltax-hub/v1/at-rest\x00row 1")
        assert decrypt_content(DATA_KEY, content, b"row 1") == plaintext


def test_nothing_opens_elsewhere_with_another_key_or_changed() -> None:
    wrapped, content = wrap(KEY, DATA_KEY, b"row 1", NONCE), encrypt_content(DATA_KEY, b"text", b"row 1")
    changed = bytes((wrapped[20] ^ 1,))
    for key, value, place in (
        (DATA_KEY, wrapped, b"row 1"),
        (KEY, wrapped, b"row 2"),
        (KEY, wrapped[:20] + changed + wrapped[21:], b"row 1"),
    ):
        with pytest.raises(WrappingError) as refused:
            unwrap(key, value, place)
        assert refused.value.detail == "key" and refused.value.code == "at-rest-damaged"
    for key, value, place in (
        (KEY, content, b"row 1"),
        (DATA_KEY, content, b"row 2"),
        (DATA_KEY, content[:-1], b"row 1"),
        (DATA_KEY, b"", b"row 1"),
    ):
        with pytest.raises(WrappingError) as refused:
            decrypt_content(key, value, place)
        assert refused.value.detail == "content"


def test_lengths_are_those_of_the_construction() -> None:
    for data_key, nonce in (
        (DATA_KEY[1:], NONCE),
        (DATA_KEY + b"x", NONCE),
        (DATA_KEY, NONCE[1:]),
        (DATA_KEY, NONCE + b"x"),
    ):
        with pytest.raises(WrappingError) as refused:
            wrap(KEY, data_key, b"", nonce)
        assert refused.value.detail == "lengths"
    wrapped = wrap(KEY, DATA_KEY, b"", NONCE)
    for bad in (b"", wrapped[:-1], wrapped + b"x"):
        with pytest.raises(WrappingError) as refused:
            unwrap(KEY, bad, b"")
        assert refused.value.detail == "lengths"
