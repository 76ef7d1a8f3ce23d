"""A stolen laptop, a stolen backup: what lies in a copy of a desk's or portal's directory, and what opens it.

Real key files, a real store with its write-ahead log, a real journal; the people are artificial and marked.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from consumers.own_keys import OwnKeys
from consumers.store.errors import ContentDamaged, ContentErased
from consumers.store.sql import SqlStore, open_sqlite
from consumers.store.vault import Vault
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.errors import KeyFileDamaged, KeyMissing
from hub.crypto.keyfile import FOR_TESTS
from hub.crypto.keystore import FileKeyStore
from hub.crypto.random import system_random
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.unit.consumers.test_desks import TOPIC, run, seal
from tests.unit.consumers.test_parts_at_desk import Hub, document
from tests.unit.consumers.world import EPOCH, NAMESPACE, REVIEW, Portal, World

PASSPHRASE = b"an artificial passphrase of this test"
MARKS = ("見本標識太郎", "テスト区標識町九丁目", "標識の理由により延滞したため")
"""stand in the filing, and nowhere else"""
OWNER = f"{NAMESPACE}/{REVIEW}"


def spellings(text: str) -> Iterator[bytes]:
    """The ways in which programs write a text, and pieces that survive being moved within base64."""
    yield text.encode()
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    yield text.encode("cp932")
    yield text.encode("euc-jp")
    yield json.dumps(text)[1:-1].encode()
    yield text.encode().hex().encode()
    for lead in range(3):
        yield base64.b64encode(bytes(lead) + text.encode())[4:-4]


def found_in(directory: Path) -> set[str]:
    """The marked values that stand in any file below a directory, in any spelling, unpacked or not."""
    everything = []
    for path in directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            everything.append(data)
            if data[:2] == b"\x1f\x8b":
                everything.append(gzip.decompress(data))
    return {mark for mark in MARKS for data in everything if any(each in data for each in spellings(mark))}


def keystore(directory: Path, passphrase: bytes = PASSPHRASE) -> FileKeyStore:
    return FileKeyStore(directory, passphrase, cost=FOR_TESTS, allow_weak=True)


@dataclass
class Laptop:
    """A review desk at work: `state` with store and write-ahead log, `keys` with key files."""

    state: Path
    keys: Path
    world: World
    store: SqlStore

    def stolen(self, to: Path, *parts: str) -> Path:
        """A copy of some of it, taken while the desk is running."""
        for part in parts:
            shutil.copytree(getattr(self, part), to / part)
        return to

    def opens(self, stolen: Path, keys: FileKeyStore) -> int:
        """How many filings of a copied store are readable with some keys."""
        store = open_sqlite(stolen / "state" / f"{REVIEW}.db", OWNER)
        try:
            vault, readable = Vault(OWNER, OwnKeys(REVIEW, keys), store.store_key, system_random), 0
            for row in store.events():
                content, event = store.content(row.number), row.event
                if content is not None:
                    try:
                        text = vault.open(event.tenant, event.event_id, event.leaf, content)
                    except (ContentErased, ContentDamaged):
                        continue
                    readable += all(mark.encode() in text for mark in MARKS)
            return readable
        finally:
            store.close()


@pytest.fixture
async def laptop(tmp_path: Path) -> Laptop:
    state = tmp_path / "state"
    state.mkdir()
    world = World(state)
    held = keystore(tmp_path / "keys")
    held.save_audience(REVIEW, EPOCH, world.private[REVIEW])
    world.keys = lambda audience: OwnKeys(audience, held)  # type: ignore[method-assign]
    store = world.store(REVIEW)
    portal = Portal(world)
    events = [seal(portal, n, json.loads(document(**filed(n)))) for n in range(3)]
    world.route(TOPIC[REVIEW], REVIEW, *events)
    await run(world, store, REVIEW)
    return Laptop(state, tmp_path / "keys", world, store)


def filed(number: int) -> dict[str, object]:
    """What a marked applicant fills in."""
    items = {
        "submitted_on": "令和12年1月15日",
        "applicant_name": MARKS[0],
        "applicant_address": MARKS[1],
        "loss_reason": MARKS[2],
    }
    return {"receipt_number": f"R12-99999-{number:09d}", "items": items}


def test_a_mark_is_found_in_every_spelling(tmp_path: Path) -> None:
    """The search itself: what it does not find must not be there."""
    for number, spelled in enumerate(each for mark in MARKS for each in spellings(mark)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_bytes(b"before" + spelled + b"after")
        assert found_in(tmp_path / str(number)), number


async def test_a_stolen_store_says_nothing_without_the_keys(laptop: Laptop, tmp_path: Path, attack: Attack) -> None:
    reads = attack(Attacker.LAPTOP, "reads a desk's database with its write-ahead log, without the key directory")
    other = attack(Attacker.LAPTOP, "opens a desk's database with a key of its own under the same name and month")
    files = attack(Attacker.LAPTOP, "has database and key files, and not the passphrase")
    stolen = laptop.stolen(tmp_path / "stolen", "state", "keys")
    names = {path.name for path in (stolen / "state").iterdir()}
    assert {f"{REVIEW}.db", f"{REVIEW}.db-wal"} <= names
    assert laptop.opens(stolen, keystore(laptop.keys)) == 3, "it is all there, for its owner"
    assert found_in(stolen) == set()
    reads.prevented(by="encryption at rest", how="no marked value in any spelling", within="always")
    mine = keystore(tmp_path / "mine")
    mine.save_audience(REVIEW, EPOCH, AudiencePrivateKey.generate(Suite.X25519))
    assert laptop.opens(stolen, mine) == 0
    other.prevented(by="encryption at rest", how="the store key does not open", within="the attempt")
    with pytest.raises(KeyFileDamaged):
        laptop.opens(stolen, keystore(stolen / "keys", b"another passphrase"))
    seeds = laptop.world.private[REVIEW].seeds()
    assert all(seeds not in path.read_bytes() for path in (stolen / "keys").iterdir())
    files.prevented(by="key file", how="scrypt and AES-256-GCM: it does not open", within="each guess at 128 MiB")


async def test_who_has_the_passphrase_too_has_the_months_that_were_not_destroyed(
    laptop: Laptop, tmp_path: Path, attack: Attack
) -> None:
    row = attack(Attacker.LAPTOP, "has database, key files and passphrase", Verdict.CONTAINED)
    stolen = laptop.stolen(tmp_path / "stolen", "state", "keys")
    assert laptop.opens(stolen, keystore(stolen / "keys")) == 3
    held = keystore(stolen / "keys")
    assert {(each.audience, each.epoch) for each in held.list()} == {(REVIEW, EPOCH)}
    with pytest.raises(KeyMissing):
        held.load_audience("helpdesk-999997", EPOCH)
    row.contained(
        by="key directory",
        how="reads what this one desk could read, in the months whose keys it had; nothing of other desks or cities",
        within="until the role is shut out and its months are over",
    )


async def test_a_backup_opens_nothing_once_its_month_is_destroyed(
    laptop: Laptop, tmp_path: Path, attack: Attack
) -> None:
    after = attack(Attacker.BACKUP, "keeps a backup of the database from before a month's key was destroyed")
    single = attack(
        Attacker.BACKUP, "keeps a backup from before one receipt was erased, and the month's key", Verdict.CONTAINED
    )
    old = laptop.stolen(tmp_path / "old", "state")
    with laptop.store._writing() as db:  # as erasure of one receipt will
        from sqlalchemy import delete

        from consumers.store import tables

        db.execute(delete(tables.data_key).where(tables.data_key.c.event == 1))
    new = laptop.stolen(tmp_path / "new", "state")
    assert (laptop.opens(old, keystore(laptop.keys)), laptop.opens(new, keystore(laptop.keys))) == (3, 2)
    single.contained(
        by="key of the month",
        how="that receipt opens with the old backup and the role's keys together, until its month is destroyed",
        within="the month's retention",
    )
    keys = keystore(laptop.keys)
    keys.destroy(REVIEW, EPOCH, laptop.world.private[REVIEW].key_id)
    assert laptop.opens(old, keystore(laptop.keys)) == laptop.opens(new, keystore(laptop.keys)) == 0
    after.prevented(by="encryption at rest", how="`ContentErased`: nothing else opens the store key", within="always")


async def test_a_stolen_journal_of_the_portal_holds_sealed_bytes_only(tmp_path: Path, attack: Attack) -> None:
    row = attack(Attacker.LAPTOP, "reads the portal's journal: filings before, while and after they are sent")
    hub = Hub(tmp_path)
    async with hub.portal() as (submitter, journal):
        result = await submitter.submit(document(**filed(1)))
        assert result.status.value == "accepted"
        assert journal.depth()[0] == 1, "sealed, and kept until the desk has confirmed it"
        assert found_in(tmp_path) == set()
    assert found_in(tmp_path) == set()
    row.prevented(by="envelope", how="no marked value in any spelling", within="always")
