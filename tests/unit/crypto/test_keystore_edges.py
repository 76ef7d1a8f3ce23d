"""The store of key files: what is on disk when, and files that someone put there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hub.crypto import keyfile, keystore
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.errors import KeyExists, KeyFileDamaged, KeyFileExposed, KeyMissing
from hub.crypto.identity import IdentityKey
from hub.crypto.keyfile import (
    FOR_TESTS,
    NOTHING_TO_STRETCH,
    STANDARD,
    Clear,
    PassphraseKeys,
    ScryptCost,
    fresh_passphrase,
    read_clear,
    seal_file,
)
from hub.crypto.keystore import FileKeyStore, KeyEntry

PASSPHRASE = b"correct horse"
KEY = AudiencePrivateKey.from_seeds(Suite.X25519, bytes(range(32)))
IDENTITY = IdentityKey.from_seed(bytes(32))
NAME = f"audience.router.202604.{KEY.key_id.hex()}.key"


def at(directory: Path, cost: ScryptCost = FOR_TESTS) -> FileKeyStore:
    return FileKeyStore(directory, PASSPHRASE, cost=cost, allow_weak=True)


def put(directory: Path, name: str, suite: int, seeds: bytes) -> None:
    """Place a file as only someone with the passphrase can make it."""
    clear = Clear(suite, name, FOR_TESTS, bytes(16), bytes(12))
    (directory / name).write_bytes(seal_file(clear, seeds, PassphraseKeys(PASSPHRASE, allow_weak=True)))
    (directory / name).chmod(0o600)


def test_store_that_does_not_exist_is_empty_and_is_made_with_its_parents(tmp_path: Path) -> None:
    store = at(tmp_path / "a" / "b")
    assert store.list() == () and store.load_identities() == ()
    with pytest.raises(KeyMissing) as missing:
        store.load_audience("router", 202604)
    assert missing.value.detail == "router/202604"
    with pytest.raises(KeyMissing) as missing:
        store.destroy("router", 202604, bytes(8))
    assert missing.value.detail == "router/202604"
    store.save_audience("router", 202604, KEY)
    store.save_identity(IDENTITY)
    assert store.list() == (KeyEntry("router", 202604, KEY.key_id), KeyEntry(None, None, IDENTITY.key_id))


def test_other_files_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    for name in ("README", NAME + ".77.new", NAME.upper(), "identity.00.key"):
        (tmp_path / name).write_text("no key")
    at(tmp_path).save_audience("router", 202604, KEY)
    assert at(tmp_path).list() == (KeyEntry("router", 202604, KEY.key_id),)


@pytest.mark.parametrize("mode", [0o601, 0o602, 0o604, 0o610, 0o620, 0o640])
def test_file_that_anybody_else_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    at(tmp_path).save_audience("router", 202604, KEY)
    (tmp_path / NAME).chmod(mode)
    with pytest.raises(KeyFileExposed):
        at(tmp_path).load_audience("router", 202604)


def test_file_that_holds_another_kind_of_key_than_its_name_says_is_damaged(tmp_path: Path) -> None:
    identity = f"identity.{IDENTITY.key_id.hex()}.key"
    put(tmp_path, identity, keyfile.X25519, bytes(32))
    with pytest.raises(KeyFileDamaged) as damaged:
        at(tmp_path).load_identities()
    assert damaged.value.detail == identity
    put(tmp_path, NAME, keyfile.ED25519, bytes(range(32)))
    with pytest.raises(KeyFileDamaged):
        at(tmp_path).load_audience("router", 202604)
    put(tmp_path, NAME, keyfile.ML_DSA_44, bytes(range(32)))
    with pytest.raises(KeyFileDamaged) as damaged:
        at(tmp_path).load_audience("router", 202604)
    assert damaged.value.detail == "router/202604", "a witness's key"
    put(tmp_path, NAME, keyfile.X25519, bytes(32))
    with pytest.raises(KeyFileDamaged) as damaged:
        at(tmp_path).load_audience("router", 202604)
    assert damaged.value.detail == "router/202604", "another key than its id says"
    put(tmp_path, NAME, keyfile.X25519, bytes(range(32)))
    assert at(tmp_path).load_audience("router", 202604).public == KEY.public


def test_file_that_goes_while_it_is_looked_for_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileKeyStore, "list", lambda self: (KeyEntry("router", 202604, KEY.key_id),))
    with pytest.raises(KeyMissing) as missing:
        at(tmp_path).load_audience("router", 202604)
    assert missing.value.detail == NAME


def test_files_of_one_cost_share_a_salt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One derivation opens them all; files of another cost cannot share it."""
    monkeypatch.setattr(keyfile.hashlib, "scrypt", lambda *_, **options: bytes(options["dklen"]))

    def salt(number: int, cost: ScryptCost) -> bytes:
        key = IdentityKey.from_seed(bytes([number]) * 32)
        at(tmp_path, cost).save_identity(key)
        return read_clear((tmp_path / f"identity.{key.key_id.hex()}.key").read_bytes())[0].salt

    weak, strong = salt(1, FOR_TESTS), salt(2, STANDARD)
    assert weak != strong
    assert [salt(number, FOR_TESTS) for number in (3, 4, 5)] == [weak] * 3
    assert [salt(number, STANDARD) for number in (6, 7, 8)] == [strong] * 3


def test_key_is_durable_before_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole on the disk, then linked, then the directory: a crash leaves it whole or not at all."""
    steps: list[tuple[str, Any]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        steps.append(("file", os.fstat(descriptor).st_size))
        real(descriptor)

    monkeypatch.setattr(keystore.os, "fsync", fsync)
    monkeypatch.setattr(
        keystore, "sync_directory", lambda path: steps.append(("directory", [each.name for each in path.iterdir()]))
    )
    at(tmp_path).save_audience("router", 202604, KEY)
    size = (tmp_path / NAME).stat().st_size
    assert steps == [("file", size), ("directory", [NAME])]
    steps.clear()
    before = (tmp_path / NAME).read_bytes()
    seen: list[bytes] = []

    def overwritten(descriptor: int) -> None:
        seen.append((tmp_path / NAME).read_bytes())

    monkeypatch.setattr(keystore.os, "fsync", overwritten)
    at(tmp_path).destroy("router", 202604, KEY.key_id)
    assert len(seen) == 1 and len(seen[0]) == size and seen[0] != before
    assert steps == [("directory", [])]


def test_key_that_does_not_go_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(tmp_path).save_audience("router", 202604, KEY)
    monkeypatch.setattr(Path, "unlink", lambda self: None)
    with pytest.raises(KeyExists) as still:
        at(tmp_path).destroy("router", 202604, KEY.key_id)
    assert still.value.detail == "router/202604"


def test_new_files_cost_what_their_passphrase_needs(tmp_path: Path) -> None:
    made = FileKeyStore(tmp_path / "key", fresh_passphrase())
    made.save_audience("router", 202604, KEY)
    made.save_identity(IDENTITY)
    said = [read_clear(path.read_bytes())[0] for path in sorted((tmp_path / "key").iterdir())]
    assert [each.cost for each in said] == [NOTHING_TO_STRETCH] * 2
    assert len({each.salt for each in said}) == 1
    FileKeyStore(tmp_path / "words", PASSPHRASE).save_identity(IDENTITY)
    (path,) = (tmp_path / "words").iterdir()
    assert read_clear(path.read_bytes())[0].cost == STANDARD


def test_a_store_of_version_1_goes_on_under_its_passphrase(tmp_path: Path) -> None:
    secret = fresh_passphrase()
    FileKeyStore(tmp_path, secret, cost=STANDARD).save_identity(IDENTITY)
    store = FileKeyStore(tmp_path, secret)
    store.save_audience("router", 202604, KEY)
    assert store.load_identities()[0].public == IDENTITY.public
    assert store.load_audience("router", 202604).key_id == KEY.key_id
