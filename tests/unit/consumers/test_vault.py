"""Encryption at rest: what destroying a key takes with it, and what moving a row does."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest

from consumers.store.errors import ContentDamaged, ContentErased
from consumers.store.model import Content, StoreKey
from consumers.store.vault import Vault
from hub.crypto.audience import AudiencePrivateKey, seal
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.consumers.making import event_id, leaf

EPOCH = 203001
TEXT = "見本太郎".encode()


@dataclass
class HeldKeys:
    """Audience keys in memory; `held` maps an epoch to its key."""

    held: dict[int, AudiencePrivateKey] = field(default_factory=dict)

    def seal(self, epoch: int, info: bytes, secret: bytes) -> tuple[bytes, bytes] | None:
        key = self.held.get(epoch)
        return None if key is None else (key.key_id, seal(key.suite, key.public, info, secret))

    def open(self, epoch: int, key_id: bytes, info: bytes, sealed: bytes) -> bytes | None:
        key = self.held.get(epoch)
        return None if key is None or key.key_id != key_id else key.open(sealed, info)

    def forget(self) -> None:
        """What is held is all there is."""


@pytest.fixture
def keys() -> HeldKeys:
    return HeldKeys({EPOCH: AudiencePrivateKey.generate()})


@pytest.fixture
def stored() -> dict[int, StoreKey]:
    return {}


@pytest.fixture
def vault(keys: HeldKeys, stored: dict[int, StoreKey]) -> Vault:
    return Vault("rehearsal/review-999997", keys, stored.get, os.urandom)


def _commit(vault: Vault, stored: dict[int, StoreKey]) -> None:
    new = vault.new_keys()
    stored.update({key.epoch: key for key in new})
    vault.committed(new)


def _seal(vault: Vault, number: int = 0) -> Content:
    return vault.seal(EPOCH, "999997", event_id(number), leaf(number), TEXT)


def test_content_opens_after_a_restart(vault: Vault, keys: HeldKeys, stored: dict[int, StoreKey]) -> None:
    content = _seal(vault)
    _commit(vault, stored)
    again = Vault("rehearsal/review-999997", keys, stored.get, os.urandom)
    assert again.open("999997", event_id(0), leaf(0), content) == TEXT
    assert again.new_keys() == ()


def test_nothing_readable_is_stored(vault: Vault) -> None:
    content = _seal(vault)
    assert TEXT not in content.ciphertext + content.wrapped_key
    assert len(content.wrapped_key) == 60


def test_each_submission_has_its_own_key(vault: Vault) -> None:
    first, second = _seal(vault, 0), _seal(vault, 1)
    with pytest.raises(ContentDamaged):
        mixed = Content(EPOCH, first.ciphertext, second.wrapped_key)
        vault.open("999997", event_id(0), leaf(0), mixed)


def test_destroying_the_epoch_key_makes_rows_unreadable(
    vault: Vault, keys: HeldKeys, stored: dict[int, StoreKey]
) -> None:
    content = _seal(vault)
    _commit(vault, stored)
    keys.held.clear()
    vault.forget()
    with pytest.raises(ContentErased):
        vault.open("999997", event_id(0), leaf(0), content)
    keys.held[EPOCH] = AudiencePrivateKey.generate()  # a new key of the same epoch does not bring them back
    with pytest.raises(ContentErased):
        vault.open("999997", event_id(0), leaf(0), content)


def test_a_row_moved_onto_another_does_not_open(vault: Vault, attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "moves one filing's content onto another in a desk's database")
    content = _seal(vault)
    for tenant, event, leaf_ in (
        ("131041", event_id(0), leaf(0)),
        ("999997", event_id(1), leaf(0)),
        ("999997", event_id(0), leaf(1)),
    ):
        with pytest.raises(ContentDamaged):
            vault.open(tenant, event, leaf_, content)
    tried.prevented(by="encryption at rest", how="`ContentDamaged`", within="the next reading")


def test_store_key_of_another_owner_does_not_open(vault: Vault, keys: HeldKeys, stored: dict[int, StoreKey]) -> None:
    content = _seal(vault)
    _commit(vault, stored)
    other = Vault("eltax/review-999997", keys, stored.get, os.urandom)
    with pytest.raises(ContentDamaged):
        other.open("999997", event_id(0), leaf(0), content)


@pytest.mark.parametrize("position", [0, 20, -1])
def test_changed_bytes_do_not_open(vault: Vault, position: int) -> None:
    content = _seal(vault)
    for name in ("ciphertext", "wrapped_key"):
        changed = bytearray(getattr(content, name))
        changed[position] ^= 1
        other = Content(
            EPOCH,
            bytes(changed) if name == "ciphertext" else content.ciphertext,
            bytes(changed) if name == "wrapped_key" else content.wrapped_key,
        )
        with pytest.raises(ContentDamaged):
            vault.open("999997", event_id(0), leaf(0), other)


def test_a_new_store_key_is_carried_until_a_batch_was_kept(vault: Vault, stored: dict[int, StoreKey]) -> None:
    _seal(vault)
    first = vault.new_keys()
    _seal(vault, 1)
    assert vault.new_keys() == first  # the batch failed: the next one carries the same key
    _commit(vault, stored)
    assert vault.new_keys() == ()


def test_without_a_key_of_the_epoch_nothing_is_sealed(vault: Vault) -> None:
    with pytest.raises(ContentErased):
        vault.seal(203002, "999997", event_id(0), leaf(0), TEXT)
