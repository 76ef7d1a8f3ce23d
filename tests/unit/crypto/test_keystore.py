"""Key files: nothing to read without the passphrase, nothing overwritten, nothing exchanged."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from hub.crypto import keyfile
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.errors import KeyExists, KeyFileDamaged, KeyFileExposed, KeyMissing, WeakKeyFile
from hub.crypto.identity import IdentityKey
from hub.crypto.keystore import FileKeyStore, KeyEntry
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker

PASSPHRASE = b"correct horse"


def opened(directory: Path, passphrase: bytes = PASSPHRASE) -> FileKeyStore:
    return FileKeyStore(directory, passphrase, cost=keyfile.FOR_TESTS, allow_weak=True)


@pytest.fixture
def store(tmp_path: Path) -> FileKeyStore:
    return opened(tmp_path / "keys")


def only_file(directory: Path) -> Path:
    (path,) = (directory / "keys").iterdir()
    return path


@pytest.mark.parametrize("suite", Suite)
def test_saved_keys_are_there_after_a_restart(store: FileKeyStore, tmp_path: Path, suite: Suite) -> None:
    identity, audience = IdentityKey.generate(), AudiencePrivateKey.generate(suite)
    store.save_identity(identity)
    store.save_audience("review-131041", 202604, audience)
    again = opened(tmp_path / "keys")
    assert [each.public for each in again.load_identities()] == [identity.public]
    found = again.load_audience("review-131041", 202604)
    assert (found.suite, found.public, found.key_id) == (suite, audience.public, audience.key_id)
    assert found.seeds() == audience.seeds()
    assert again.list() == (
        KeyEntry("review-131041", 202604, audience.key_id),
        KeyEntry(None, None, identity.key_id),
    )


def test_key_files_are_private_and_hold_no_seed(store: FileKeyStore, tmp_path: Path) -> None:
    identity = IdentityKey.generate()
    store.save_identity(identity)
    path = only_file(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert identity.seed() not in path.read_bytes()
    assert "correct" not in repr(store)


def test_wrong_passphrase_opens_nothing(store: FileKeyStore, tmp_path: Path) -> None:
    store.save_identity(IdentityKey.generate())
    with pytest.raises(KeyFileDamaged):
        opened(tmp_path / "keys", b"wrong").load_identities()


def test_every_flipped_byte_of_a_key_file_is_noticed(store: FileKeyStore, tmp_path: Path, attack: Attack) -> None:
    tried = attack(Attacker.BACKUP, "gives back a key file in which something was changed")
    store.save_audience("router", 202604, AudiencePrivateKey.generate())
    path = only_file(tmp_path)
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises((KeyFileDamaged, WeakKeyFile)):
            opened(tmp_path / "keys").load_audience("router", 202604)
    for end in (0, 8, 42, len(good) - 1):
        path.write_bytes(good[:end])
        with pytest.raises(KeyFileDamaged):
            opened(tmp_path / "keys").load_audience("router", 202604)
    tried.prevented(by="key file", how="`KeyFileDamaged`", within="the next start")


def test_key_file_under_another_name_is_refused(store: FileKeyStore, tmp_path: Path, attack: Attack) -> None:
    tried = attack(Attacker.BACKUP, "gives back a key file under another audience, month or id")
    store.save_audience("helpdesk-131041", 202604, AudiencePrivateKey.generate())
    path = only_file(tmp_path)
    for name in (
        path.name.replace("helpdesk", "review"),
        path.name.replace("202604", "202605"),
        path.name.replace(path.name.split(".")[3], "00" * 8),
    ):
        path.rename(path.with_name(name))
        audience, epoch = name.split(".")[1:3]
        with pytest.raises(KeyFileDamaged):
            store.load_audience(audience, int(epoch))
        path.with_name(name).rename(path)
    tried.prevented(by="key file", how="`KeyFileDamaged`: its name is authenticated", within="the next start")


def test_identity_is_not_taken_for_an_audience_key(store: FileKeyStore, tmp_path: Path) -> None:
    store.save_identity(IdentityKey.generate())
    path = only_file(tmp_path)
    path.rename(path.with_name("audience.router.202604." + path.name.split(".")[1] + ".key"))
    with pytest.raises(KeyFileDamaged):
        store.load_audience("router", 202604)


def test_nothing_is_overwritten(store: FileKeyStore, tmp_path: Path) -> None:
    key = IdentityKey.generate()
    store.save_identity(key)
    before = only_file(tmp_path).read_bytes()
    with pytest.raises(KeyExists):
        store.save_identity(key)
    assert only_file(tmp_path).read_bytes() == before


def test_destroyed_key_is_gone_and_its_bytes_too(store: FileKeyStore, tmp_path: Path, attack: Attack) -> None:
    tried = attack(Attacker.LAPTOP, "looks for a destroyed key in the key directory")
    key = AudiencePrivateKey.generate()
    store.save_audience("router", 202604, key)
    twin = tmp_path / "twin"
    os.link(only_file(tmp_path), twin)
    before = twin.read_bytes()
    store.destroy("router", 202604, key.key_id)
    assert store.list() == ()
    assert before[-112:] not in twin.read_bytes() and len(twin.read_bytes()) == len(before)
    with pytest.raises(KeyMissing):
        store.load_audience("router", 202604)
    with pytest.raises(KeyMissing):
        store.destroy("router", 202604, key.key_id)
    tried.prevented(by="key directory", how="its file and its bytes are gone", within="once it was destroyed")


def test_key_that_others_can_read_is_refused(store: FileKeyStore, tmp_path: Path) -> None:
    store.save_identity(IdentityKey.generate())
    only_file(tmp_path).chmod(0o640)
    with pytest.raises(KeyFileExposed):
        store.load_identities()


def test_weak_costs_are_refused_without_the_test_flag(tmp_path: Path) -> None:
    opened(tmp_path / "keys").save_identity(IdentityKey.generate())
    with pytest.raises(WeakKeyFile):
        FileKeyStore(tmp_path / "keys", PASSPHRASE).load_identities()
    for cost in (keyfile.FOR_TESTS, keyfile.ScryptCost(16), keyfile.ScryptCost(30), keyfile.ScryptCost(17, 1)):
        with pytest.raises(WeakKeyFile):
            FileKeyStore(tmp_path / "other", PASSPHRASE, cost=cost).save_identity(IdentityKey.generate())
    with pytest.raises(WeakKeyFile):
        FileKeyStore(tmp_path, b"")


def test_standard_cost_opens_a_store_with_one_derivation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileKeyStore(tmp_path, PASSPHRASE)
    store.save_identity(IdentityKey.generate())
    store.save_audience("router", 202604, AudiencePrivateKey.generate())
    derivations = []
    real = keyfile.hashlib.scrypt

    def counted(*args: object, **options: object) -> bytes:
        derivations.append(options["n"])
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(keyfile.hashlib, "scrypt", counted)
    again = FileKeyStore(tmp_path, PASSPHRASE)
    again.load_identities()
    again.load_audience("router", 202604)
    assert derivations == [1 << 17]


def test_two_keys_of_an_epoch_are_told_apart(store: FileKeyStore) -> None:
    one, other = AudiencePrivateKey.generate(), AudiencePrivateKey.generate()
    store.save_audience("router", 202604, one)
    store.save_audience("router", 202604, other)
    assert store.load_audience("router", 202604, other.key_id).public == other.public
    with pytest.raises(KeyMissing):
        store.load_audience("router", 202604)
    with pytest.raises(ValueError, match="audience"):
        store.save_audience("../router", 202604, one)


def test_store_does_not_travel(store: FileKeyStore) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(store)
