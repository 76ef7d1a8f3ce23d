"""What is particular to the SQLite store: the file, its modes, full and damaged disks, the guarded log."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.store.errors import StoreDamaged, StoreTooNew, StoreUnavailable
from consumers.store.model import LogAppend
from consumers.store.sql import SqlStore, open_sqlite
from tests.unit.consumers.making import KEY, TOPIC, batch, new_event, resolution, with_content

OWNER = "rehearsal/review-999997"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    opened = open_sqlite(path, OWNER)
    yield opened
    opened.close()


def test_forgotten_places_are_read_again_and_what_comes_again_is_known(store: SqlStore) -> None:
    store.commit(batch(None, 7, new_event(0)))
    assert store.forget_positions() == 1
    assert store.positions() == {}
    again = store.commit(batch(None, 2, new_event(0), new_event(1)))
    assert (again.replays, sum(sum(each.values()) for each in again.stored.values())) == (1, 1)
    assert list(store.positions().values()) == [2]


def test_files_are_for_their_owner_only(store: SqlStore, path: Path) -> None:
    store.commit(batch(None, 1, new_event(0)))
    files = [file for file in path.parent.iterdir() if file.name.startswith("store.db")]
    assert len(files) == 3  # database, -wal, -shm
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_commit_survives_a_power_cut_by_configuration(store: SqlStore) -> None:
    with store._engine.connect() as db:
        values = {
            name: db.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "page_size",
                "secure_delete",
                "temp_store",
            )
        }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "page_size": 16_384,
        "secure_delete": 1,
        "temp_store": 2,
    }


def test_log_rows_cannot_be_changed_or_deleted(store: SqlStore, path: Path) -> None:
    store.commit(batch(None, 1, log=LogAppend(0, (("event", b"a"),), bytes(32), b"", b"")))
    with sqlite3.connect(path) as other:
        for statement in (
            "UPDATE log SET entry = 'b'",
            "DELETE FROM log",
            "UPDATE tree_head SET head = ''",
            "DELETE FROM tree_head",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append only"):
                other.execute(statement)
    other.close()


def test_full_database_is_refused_whole_and_goes_on_when_there_is_room(store: SqlStore) -> None:
    with store._engine.connect() as db:
        raw = db.connection.driver_connection
        assert raw is not None
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count = {pages + 2}").close()
    rows = [with_content(new_event(n), os.urandom(4_000)) for n in range(100)]
    with pytest.raises(StoreUnavailable) as caught:
        store.commit(batch(None, 100, *rows, store_keys=(KEY,)))
    assert caught.value.retriable
    assert store.positions() == {}
    assert store.events() == []
    with store._engine.connect() as db:
        raw = db.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA max_page_count = 1000000").close()
    store.commit(batch(None, 100, *rows, store_keys=(KEY,)))
    assert len(store.events()) == 100


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MiB, where mounting is allowed."""
    point = tmp_path / "disk"
    point.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(point)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield point
    subprocess.run(["umount", str(point)], check=True)


def test_full_disk_leaves_no_half_state_and_heals(small_disk: Path) -> None:
    store = open_sqlite(small_disk / "store.db", OWNER)
    try:
        store.commit(batch(None, 1, with_content(new_event(0)), store_keys=(KEY,)))
        rows = [with_content(new_event(n), os.urandom(60_000)) for n in range(1, 60)]
        filler = small_disk / "filler"
        with pytest.raises(StoreUnavailable), filler.open("wb") as out:
            while True:
                try:
                    out.write(bytes(65_536))
                    out.flush()
                except OSError:
                    store.commit(batch(1, 60, *rows))
        with pytest.raises(StoreUnavailable):
            store.commit(batch(1, 2, with_content(new_event(1), os.urandom(60_000))))
        assert store.positions() == {(TOPIC, 0): 1}
        assert len(store.events()) == 1
        filler.unlink()
        store.commit(batch(1, 3, new_event(1), new_event(2)))
        assert len(store.events()) == 3
    finally:
        store.close()


def test_full_disk_at_the_first_start_is_named(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb") as out, pytest.raises(OSError, match="space"):
        while True:
            out.write(bytes(65_536))
            out.flush()
    with pytest.raises(StoreUnavailable):
        open_sqlite(small_disk / "store.db", OWNER)


def test_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        open_sqlite(tmp_path / "file" / "store.db", OWNER)


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 2_000)
    with pytest.raises(StoreDamaged):
        open_sqlite(path, OWNER)


def test_store_of_a_newer_hub_is_refused_untouched(store: SqlStore, path: Path) -> None:
    store.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE owner SET schema_version = 99")
    other.close()
    with pytest.raises(StoreTooNew):
        open_sqlite(path, OWNER)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_store_of_an_earlier_version_gets_the_tables_that_it_lacks(path: Path, version: int) -> None:
    opened = open_sqlite(path, OWNER)
    opened.commit(batch(None, 1, new_event(0)))
    opened.close()
    other = sqlite3.connect(path)
    with other:
        other.execute("DROP TABLE resolution")
        other.execute("UPDATE owner SET schema_version = ?", (version,))
    other.close()
    migrated = open_sqlite(path, OWNER)
    migrated.commit(batch(1, 2, resolutions=(resolution(0),)))
    assert migrated.resolutions() == [resolution(0)]
    assert migrated.counts()["events"] == 1
    migrated.close()


def test_errors_never_quote_values(store: SqlStore, path: Path) -> None:
    blocker = sqlite3.connect(path)
    blocker.execute("DROP TABLE outbox")
    blocker.commit()
    blocker.close()
    with pytest.raises(Exception, match=r"SQLITE") as caught:
        store.waiting_count()
    assert "SELECT" not in str(caught.value)


def test_deleted_content_is_overwritten_in_the_file(store: SqlStore, path: Path) -> None:
    mark = b"MIHON-TARO-" * 20
    store.commit(batch(None, 1, with_content(new_event(0), mark), store_keys=(KEY,)))
    with store._writing() as db:
        db.exec_driver_sql("DELETE FROM content")
        db.exec_driver_sql("DELETE FROM data_key")
    with store._engine.connect() as db:
        raw = db.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert mark not in left
