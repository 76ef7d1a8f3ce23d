"""The key file's layout, bit by bit, and which costs are taken."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto import keyfile
from hub.crypto.errors import KeyFileDamaged, WeakKeyFile
from hub.crypto.keyfile import (
    FOR_TESTS,
    NOTHING_TO_STRETCH,
    STANDARD,
    Clear,
    PassphraseKeys,
    ScryptCost,
    fresh_passphrase,
    open_file,
    read_clear,
    seal_file,
)

SALT, NONCE = bytes(range(16)), bytes(range(16, 28))
SEED = bytes(range(32))
CLEAR = Clear(keyfile.ED25519, "identité", FOR_TESTS, SALT, NONCE)
HEAD = b"ELTAXKEY\x01\x01\x04\x08\x01" + SALT + NONCE + b"\x00\x09" + "identité".encode()


def weak() -> PassphraseKeys:
    return PassphraseKeys(b"passphrase", allow_weak=True)


def test_file_is_the_one_that_the_page_describes() -> None:
    data = seal_file(CLEAR, SEED, weak())
    key = hashlib.scrypt(b"passphrase", salt=SALT, n=16, r=8, p=1, dklen=32)
    assert data == HEAD + AESGCM(key).encrypt(NONCE, SEED, HEAD)
    assert open_file(data, weak()) == (CLEAR, SEED)
    assert read_clear(data) == (CLEAR, len(HEAD))


@pytest.mark.parametrize(("suite", "length"), [(1, 32), (2, 96), (3, 32), (4, 32)])
def test_each_suite_has_its_seeds(suite: int, length: int) -> None:
    clear = Clear(suite, "", FOR_TESTS, SALT, NONCE)
    head = clear.encode()
    assert len(head) == 43
    assert read_clear(head + bytes(length + 16)) == (clear, 43)
    for bad in (length + 15, length + 17, 16):
        with pytest.raises(KeyFileDamaged):
            read_clear(head + bytes(bad))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD[:42],
        b"eltaxkey" + HEAD[8:] + bytes(48),
        HEAD[:8] + b"\x02" + HEAD[9:] + bytes(48),
        HEAD[:9] + b"\x00" + HEAD[10:] + bytes(48),
        HEAD[:9] + b"\x05" + HEAD[10:] + bytes(48),
        HEAD[:41] + b"\x00\x0a" + HEAD[43:] + bytes(48),
        HEAD[:41] + b"\x01\x09" + HEAD[43:] + bytes(48),
        HEAD[:43] + b"\xff" * 9 + bytes(48),
    ],
    ids=["nothing", "short", "magic", "version", "suite 0", "suite 5", "name longer", "name of 265", "no UTF-8"],
)
def test_what_is_no_key_file_is_damaged(data: bytes) -> None:
    with pytest.raises(KeyFileDamaged):
        read_clear(data)


@pytest.mark.parametrize(
    ("cost", "good"),
    [
        (STANDARD, True),
        (ScryptCost(20), True),
        (ScryptCost(16), False),
        (ScryptCost(21), False),
        (ScryptCost(17, 7), False),
        (ScryptCost(17, 9), False),
        (ScryptCost(17, 8, 0), False),
        (ScryptCost(17, 8, 2), False),
        (FOR_TESTS, False),
    ],
)
def test_only_costs_that_hurt_and_that_a_machine_can_bear_are_taken(cost: ScryptCost, good: bool) -> None:
    assert cost.acceptable is good


def test_weak_file_needs_the_flag_and_is_only_the_one_for_tests() -> None:
    for keys, cost in (
        (PassphraseKeys(b"p"), FOR_TESTS),
        (weak(), ScryptCost(5)),
        (weak(), ScryptCost(16)),
        (weak(), ScryptCost(21)),
    ):
        with pytest.raises(WeakKeyFile) as refused:
            keys.derive(SALT, cost)
        assert refused.value.detail == f"scrypt 2^{cost.log2_n}"
    with pytest.raises(WeakKeyFile):
        PassphraseKeys(b"")


def test_derivation_gets_its_cost_and_enough_memory_and_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the memory that N and r need, OpenSSL refuses; a strong cost is taken with the test flag too."""
    asked: list[dict[str, Any]] = []

    def derived(passphrase: bytes, **options: Any) -> bytes:
        asked.append(options | {"passphrase": passphrase})
        return bytes(32)

    monkeypatch.setattr(keyfile.hashlib, "scrypt", derived)
    keys = PassphraseKeys(b"p", allow_weak=True)
    assert keys.derive(SALT, STANDARD) == keys.derive(SALT, STANDARD) == bytes(32)
    (options,) = asked
    assert options.pop("maxmem") == 128 * 2**17 * 8 + 2**20
    assert options == {"passphrase": b"p", "salt": SALT, "n": 2**17, "r": 8, "p": 1, "dklen": 32}
    keys.derive(NONCE, STANDARD)
    keys.derive(SALT, ScryptCost(18))
    assert len(asked) == 3


def test_file_with_another_passphrase_or_head_does_not_open() -> None:
    data = seal_file(CLEAR, SEED, weak())
    with pytest.raises(KeyFileDamaged):
        open_file(data, PassphraseKeys(b"other", allow_weak=True))
    renamed = Clear(CLEAR.suite, "identity", CLEAR.cost, SALT, NONCE).encode() + data[len(HEAD) :]
    with pytest.raises(KeyFileDamaged):
        open_file(renamed, weak())


def test_passphrase_does_not_travel() -> None:
    assert repr(weak()) == "<PassphraseKeys>"
    with pytest.raises(TypeError):
        pickle.dumps(weak())


def test_no_more_than_1024_bytes_are_read() -> None:
    assert keyfile.MAX_FILE_BYTES == 1_024


KEYED = Clear(keyfile.ED25519, "portal", NOTHING_TO_STRETCH, SALT, NONCE)
KEYED_HEAD = b"ELTAXKEY\x02\x01\x00\x00\x00" + SALT + NONCE + b"\x00\x06portal"


def test_file_of_version_2_is_the_one_that_the_page_describes() -> None:
    keys = PassphraseKeys(b"key-1:" + SEED.hex().encode())
    data = seal_file(KEYED, SEED, keys)
    key = hmac.digest(SEED, b"eltax-hub/v1/key file\0" + SALT + b"\1", "sha256")
    assert data == KEYED_HEAD + AESGCM(key).encrypt(NONCE, SEED, KEYED_HEAD)
    assert open_file(data, keys) == (KEYED, SEED)
    assert read_clear(data) == (KEYED, len(KEYED_HEAD))


@pytest.mark.parametrize(
    ("version", "cost"),
    [(1, b"\0\0\0"), (2, b"\0\0\1"), (2, b"\0\1\0"), (2, b"\1\0\0"), (2, b"\x11\x08\x01"), (3, b"\0\0\0")],
)
def test_version_and_cost_belong_together(version: int, cost: bytes) -> None:
    with pytest.raises(KeyFileDamaged):
        read_clear(KEYED_HEAD[:8] + bytes((version, 1)) + cost + KEYED_HEAD[13:] + bytes(48))


@pytest.mark.parametrize(
    "passphrase",
    [
        b"correct horse",
        SEED.hex().encode(),
        b"key-1:" + SEED.hex().encode()[:-1],
        b"key-1:" + SEED.hex().encode() + b"0",
        b"key-1:" + SEED.hex().upper().encode(),
        b"key-2:" + SEED.hex().encode(),
        b"key-1:" + SEED.hex().encode() + b"\n",
    ],
)
def test_words_that_can_be_tried_out_open_no_file_of_version_2(passphrase: bytes) -> None:
    data = seal_file(KEYED, SEED, PassphraseKeys(b"key-1:" + SEED.hex().encode()))
    for keys in (PassphraseKeys(passphrase), PassphraseKeys(passphrase, allow_weak=True)):
        assert keys.cost == STANDARD
        with pytest.raises(WeakKeyFile) as refused:
            open_file(data, keys)
        assert refused.value.detail == "scrypt 2^0"


def test_a_random_key_makes_files_of_version_2_and_opens_those_of_version_1_that_it_sealed() -> None:
    fresh = [fresh_passphrase() for _ in range(100)]
    assert len({*fresh}) == 100 and {len(each) for each in fresh} == {70}
    assert fresh_passphrase(lambda count: bytes(range(count))) == b"key-1:" + SEED.hex().encode()
    keys = PassphraseKeys(fresh[0], allow_weak=True)
    assert keys.cost == NOTHING_TO_STRETCH
    assert open_file(seal_file(CLEAR, SEED, keys), keys) == (CLEAR, SEED)
    with pytest.raises(WeakKeyFile):
        open_file(seal_file(CLEAR, SEED, keys), PassphraseKeys(fresh[0]))
    with pytest.raises(KeyFileDamaged):
        open_file(seal_file(KEYED, SEED, keys), PassphraseKeys(fresh[1]))
