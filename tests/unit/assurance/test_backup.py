"""A home goes into sealed archives and comes out of them, whole or not at all; what must be erasable goes apart."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from assurance.backup.contents import items
from assurance.backup.errors import BackupExists, HomeTaken, NoEscrow, NotTheseArchives, RestoreBroken, StoreUnreadable
from assurance.backup.escrow import new_escrow, registered
from assurance.backup.making import Made, make_backup
from assurance.backup.restoring import Restored, restore
from hub.crypto.archive import ArchiveDamaged
from hub.crypto.errors import KeyExists, KeyFileDamaged
from tests.unit.standing.world import CHEAP, FIRST, NOW, Office

REVIEW, PORTAL = f"review-{FIRST}", "portal"
PASSPHRASE = b"a passphrase for the escrow"
EPOCHS = {202604, 202605}


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    office = Office(tmp_path_factory.mktemp("office") / "home")
    office.enrol()
    (office.home / "layout").write_text("1\n")
    for name in ("broker", "brokers", "logs", "run"):
        (office.home / name).mkdir()
        (office.home / name / "left-out").write_text("of this machine")
    return office.home


@pytest.fixture
def home(enrolled: Path, tmp_path: Path) -> Path:
    """With a store of two epochs, which has a writer that has not checkpointed, and the portal's journal."""
    home = tmp_path / "home"
    shutil.copytree(enrolled, home)
    with closing(_database(home / "roles" / REVIEW / "state" / "store.db")) as db:
        db.execute("CREATE TABLE content (event INTEGER PRIMARY KEY, epoch INTEGER, ciphertext BLOB)")
        db.execute("CREATE TABLE data_key (event INTEGER PRIMARY KEY, wrapped BLOB)")
        for event, epoch in ((1, 202604), (2, 202604), (3, 202605)):
            db.execute("INSERT INTO content VALUES (?, ?, ?)", (event, epoch, b"sealed"))
            db.execute("INSERT INTO data_key VALUES (?, ?)", (event, _wrapped(event)))
    with closing(_database(home / "roles" / PORTAL / "state" / "journal.db")) as db:
        db.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY)")
        db.execute("INSERT INTO entry VALUES (7)")
    (home / "roles" / PORTAL / "state" / "operations.db").write_bytes(b"SQLite format 3\x00 of the log")
    new_escrow(home, tmp_path / "escrow", PASSPHRASE, now=NOW, cost=CHEAP)
    return home


@pytest.fixture
def made(home: Path, tmp_path: Path) -> Made:
    return make_backup(home, tmp_path / "out", now=NOW, final=True)


def _wrapped(event: int) -> bytes:
    return f"wrapped key of event {event}".encode()


def _database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    return db


def _keys(home: Path) -> dict[int, bytes]:
    with closing(sqlite3.connect(home / "roles" / REVIEW / "state" / "store.db")) as db:
        return dict(db.execute("SELECT event, wrapped FROM data_key"))


def _back(made: Made, tmp_path: Path, *, without: int | None = None, to: str = "again", keep: bool = True) -> Restored:
    escrows = [path for epoch, path in made.escrows.items() if epoch != without]
    archives = [made.backup, *escrows]
    return restore(tmp_path / to, archives, tmp_path / "escrow", PASSPHRASE, keep=keep, allow_weak=True)


def _files(home: Path) -> Iterator[tuple[str, bytes]]:
    for each in items(home):
        if not each.database:
            yield each.name, each.path.read_bytes()


def test_what_comes_back_is_what_went_in(home: Path, made: Made, tmp_path: Path) -> None:
    done = _back(made, tmp_path)
    again = tmp_path / "again"
    there, here = dict(_files(again)), dict(_files(home))
    assert {name: there[name] for name in here} == here
    assert {Path(name).name for name in there.keys() - here.keys()} == {"seen.json"}  # of the check: roles were loaded
    assert (set(done.epochs), done.missing, done.aside) == (EPOCHS, (), ())
    assert _keys(again) == _keys(home) == {event: _wrapped(event) for event in (1, 2, 3)}
    assert (again / "roles" / PORTAL / "state" / "journal.db").exists()
    assert {REVIEW, PORTAL, "admin"} <= set(done.roles)
    assert (again.stat().st_mode & 0o777, (again / "roles" / REVIEW / "tls.key").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )
    for name in ("broker", "brokers", "logs", "run", f"roles/{PORTAL}/state/operations.db"):
        assert not (again / name).exists()


def test_nothing_readable_stands_in_an_archive(home: Path, made: Made) -> None:
    for archive in (made.backup, *made.escrows.values()):
        data = archive.read_bytes()
        for name in (b"passphrase", b"BEGIN", b"SQLite", b"wrapped key", b"trust.bin", b"review"):
            assert name not in data
        assert archive.stat().st_mode & 0o777 == 0o600
    assert not list(home.glob(".backup-*"))


def test_without_an_escrow_its_epoch_stays_unreadable_and_the_rest_works(made: Made, tmp_path: Path) -> None:
    done = _back(made, tmp_path, without=202604)
    assert (done.epochs, done.missing) == ((202605,), (202604,))
    assert _keys(tmp_path / "again") == {3: _wrapped(3)}
    names = {each.name for each in (tmp_path / "again" / "roles" / REVIEW / "keys").iterdir()}
    assert not [each for each in names if ".202604." in each]
    assert [each for each in names if ".202605." in each]
    assert _wrapped(1) not in (tmp_path / "again" / "roles" / REVIEW / "state" / "store.db").read_bytes()


def test_every_escrow_is_registered_before_it_has_its_name(home: Path, made: Made, tmp_path: Path) -> None:
    assert {(each.epoch, each.file) for each in registered(home)} == {
        (epoch, path.name) for epoch, path in made.escrows.items()
    }
    later = make_backup(home, tmp_path / "out", now=NOW + timedelta(days=1), final=True)
    assert len(registered(home)) == 4
    assert _back(later, tmp_path).missing == ()
    assert len(registered(tmp_path / "again")) == 4


def test_what_runs_goes_on_while_it_is_copied(home: Path, tmp_path: Path) -> None:
    with closing(_database(home / "roles" / REVIEW / "state" / "store.db")) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO content VALUES (4, 202605, x'00')")
        made = make_backup(home, tmp_path / "out", now=NOW, final=False)
        db.execute("COMMIT")
    _back(made, tmp_path)
    assert set(_keys(tmp_path / "again")) == {1, 2, 3}


def test_journals_of_a_hub_that_ran_are_set_aside(home: Path, tmp_path: Path) -> None:
    done = _back(make_backup(home, tmp_path / "out", now=NOW, final=False), tmp_path)
    assert done.aside == (f"roles/{PORTAL}/state/journal.db",)
    state = tmp_path / "again" / "roles" / PORTAL / "state"
    assert not (state / "journal.db").exists()
    assert (state / "journal.db.set-aside").exists()


def test_a_restore_writes_over_nothing(home: Path, made: Made, tmp_path: Path) -> None:
    before = dict(_files(home))
    for there in ("home", "out"):
        with pytest.raises(HomeTaken):
            _back(made, tmp_path, to=there)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(HomeTaken):
        _back(made, tmp_path, to="link")
    assert dict(_files(home)) == before
    (tmp_path / "empty").mkdir()
    assert _back(made, tmp_path, to="empty").roles


def test_a_check_leaves_nothing_behind(made: Made, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    assert _back(made, tmp_path, keep=False).roles
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("place", [12, 60, 700, -40, -1])
def test_a_changed_or_cut_archive_restores_nothing(made: Made, tmp_path: Path, place: int) -> None:
    whole = made.backup.read_bytes()
    changed = bytearray(whole)
    changed[place] ^= 1
    for data in (bytes(changed), whole[:place]):
        made.backup.write_bytes(data)
        with pytest.raises((ArchiveDamaged, NotTheseArchives, NoEscrow)):
            _back(made, tmp_path)
        assert not (tmp_path / "again").exists()
        assert not list(tmp_path.glob(".again*"))


def test_archives_that_do_not_belong_together_are_refused(home: Path, made: Made, tmp_path: Path) -> None:
    later = make_backup(home, tmp_path / "out", now=NOW + timedelta(days=1), final=True)
    for archives in (
        [made.backup, later.backup],
        [made.backup, later.escrows[202604]],
        [made.escrows[202604]],
        [made.backup, made.escrows[202604], later.escrows[202604]],
    ):
        with pytest.raises(NotTheseArchives):
            restore(tmp_path / "again", archives, tmp_path / "escrow", PASSPHRASE, allow_weak=True)


def test_another_passphrase_or_another_key_opens_nothing(made: Made, tmp_path: Path) -> None:
    with pytest.raises(KeyFileDamaged):
        restore(tmp_path / "again", [made.backup], tmp_path / "escrow", b"another passphrase", allow_weak=True)
    with pytest.raises(NoEscrow):
        restore(tmp_path / "again", [made.backup], tmp_path / "nothing", PASSPHRASE, allow_weak=True)


def test_a_damaged_store_makes_no_backup(home: Path, tmp_path: Path) -> None:
    store = home / "roles" / REVIEW / "state" / "store.db"
    for rest in ("-wal", "-shm"):
        store.with_name(store.name + rest).unlink(missing_ok=True)
    store.write_bytes(store.read_bytes()[:4_096] + b"\xff" * 8_192)
    with pytest.raises(StoreUnreadable):
        make_backup(home, tmp_path / "out", now=NOW, final=True)
    assert not list((tmp_path / "out").iterdir())


def test_a_home_that_would_not_work_is_not_put_in_place(home: Path, tmp_path: Path) -> None:
    (home / "roles" / REVIEW / "trust.bin").write_bytes(b"no trust list")
    made = make_backup(home, tmp_path / "out", now=NOW, final=True)
    with pytest.raises(RestoreBroken, match=REVIEW):
        _back(made, tmp_path)
    assert not (tmp_path / "again").exists()


def test_nothing_is_written_over_and_nothing_half_made_stays(home: Path, made: Made, tmp_path: Path) -> None:
    before = {each.name: each.read_bytes() for each in (tmp_path / "out").iterdir()}
    with pytest.raises(BackupExists):
        make_backup(home, tmp_path / "out", now=NOW, final=True)
    assert {each.name: each.read_bytes() for each in (tmp_path / "out").iterdir()} == before


def test_an_escrow_key_is_not_replaced_and_none_means_no_backup(home: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyExists):
        new_escrow(home, tmp_path / "other", PASSPHRASE, now=NOW, cost=CHEAP)
    said = json.loads((home / "escrow.pub").read_text())
    (home / "escrow.pub").write_text(json.dumps({**said, "key_id": "00" * 8}))
    with pytest.raises(NoEscrow):
        make_backup(home, tmp_path / "out", now=NOW, final=True)
    (home / "escrow.pub").unlink()
    with pytest.raises(NoEscrow):
        make_backup(home, tmp_path / "out", now=NOW, final=True)
