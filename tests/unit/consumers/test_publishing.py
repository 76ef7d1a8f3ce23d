"""The published log: what is on the disk, that it is derived and crash-safe, and that it is never overwritten."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymerkle
import pytest

from consumers.audit.log_directory import LogContradicted, LogDirectory, PublishingBusy, PublishingUnavailable
from consumers.audit.publishing import LogIdentity, Publisher
from consumers.store.errors import StoreDamaged
from consumers.store.sql import SqlStore
from hub import crashpoints
from hub.crypto.checkpoints import open_checkpoint
from hub.crypto.identity import IdentityKey
from hub.crypto.notes import Note, NoteSigner
from hub.crypto.tiles import TiledTree, tiles_of
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.unit import forked
from tests.unit.consumers.published import (
    IDENTITY,
    ORIGIN,
    SIGNER,
    event_entry,
    files,
    grow,
    head_holds,
    long_entry,
    open_store,
    publisher,
)
from tests.vectors import tlog_reference


@contextmanager
def opened(directory: Path) -> Iterator[SqlStore]:
    store = open_store(directory)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with opened(tmp_path) as made:
        yield made


def checkpoint_lines(directory: Path) -> list[str]:
    return (directory / "checkpoint").read_text().split("\n")


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_published_files_are_the_tiles_of_the_tree(store: SqlStore, tmp_path: Path, size: int) -> None:
    entries = [event_entry(n) for n in range(size)]
    grow(store, entries)
    out = tmp_path / "tlog"
    done = publisher(store, out).publish()
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for _, entry in entries:
        tree.append_entry(entry)
    assert done.root == tree.get_root()
    expected = {"checkpoint"}
    full, partial = divmod(size, 256)
    for kind in ("0", "entries"):
        expected |= {f"tile/{kind}/{n:03}" for n in range(full)}
        expected |= {f"tile/{kind}/{full:03}.p/{partial}"} if partial else set()
    expected |= {f"tile/1/000.p/{full}"} if full else set()
    assert set(files(out)) == expected
    for n in range(full):
        assert (out / f"tile/0/{n:03}").stat().st_size == 8_192
    assert checkpoint_lines(out)[:2] == [ORIGIN, str(size)]
    first = (out / ("tile/entries/000" if full else f"tile/entries/000.p/{partial}")).read_bytes()
    assert first[: 2 + len(entries[0][1])] == len(entries[0][1]).to_bytes(2, "big") + entries[0][1]


def test_an_empty_log_has_a_checkpoint_and_no_tile(store: SqlStore, tmp_path: Path) -> None:
    publisher(store, tmp_path / "tlog").publish()
    assert set(files(tmp_path / "tlog")) == {"checkpoint"}
    assert checkpoint_lines(tmp_path / "tlog")[1:3] == ["0", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]


def test_growing_in_steps_gives_what_publishing_at_once_gives(store: SqlStore, tmp_path: Path) -> None:
    steps, at_once = tmp_path / "steps", tmp_path / "at-once"
    kept = publisher(store, steps)
    for start in range(0, 700, 70):
        grow(store, [event_entry(n) for n in range(start, start + 70)], each=35)
        kept.publish()
    publisher(store, at_once).publish()
    done, whole = files(steps), files(at_once)
    assert {name: done[name] for name in whole} == whole
    # What is more is partial tiles of earlier checkpoints, of tiles that are not full yet.
    assert all(
        name.startswith(("tile/0/002.p/", "tile/entries/002.p/", "tile/1/000.p/")) for name in done.keys() - whole
    )


def test_nothing_is_written_when_nothing_was_added(store: SqlStore, tmp_path: Path) -> None:
    grow(store, [event_entry(n) for n in range(300)])
    out = tmp_path / "tlog"
    kept = publisher(store, out)
    assert kept.publish().tiles > 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != ".lock"}
    assert kept.publish().tiles == 0
    assert publisher(store, out).publish().tiles == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_entries_too_long_for_a_bundle_are_published_with_wide_lengths(store: SqlStore, tmp_path: Path) -> None:
    out = tmp_path / "tlog"
    grow(store, [event_entry(n) for n in range(10)])
    kept = publisher(store, out)
    kept.publish()
    kind, entry = long_entry(10)
    assert len(entry) > 65_535
    grow(store, [(kind, entry)])
    kept.publish()
    publisher(store, out).publish()
    assert {"tile/entries/000.p/10", "tile/long-entries/000.p/11"} <= set(files(out))
    assert "tile/entries/000.p/11" not in files(out)
    assert files(out)["tile/long-entries/000.p/11"].endswith(len(entry).to_bytes(4, "big") + entry)
    grow(store, [event_entry(n) for n in range(3_000, 3_250)])
    kept.publish()
    assert {name for name in files(out) if "entries/000" in name} == {"tile/long-entries/000"}
    publisher(store, out).publish()


def test_a_reader_that_shares_no_code_with_the_hub_reads_the_log(store: SqlStore, tmp_path: Path) -> None:
    entries = [*(event_entry(n) for n in range(290)), long_entry(290), *(event_entry(n) for n in range(3_000, 3_300))]
    grow(store, entries)
    publisher(store, tmp_path / "tlog").publish()
    read = tlog_reference.load_log(tmp_path / "tlog", SIGNER.verifier().encode())
    assert read == [entry for _, entry in entries]


CRASHES = [
    ("audit.in-tile", 1),
    ("audit.in-tile", 4),
    ("audit.in-tile", 9),
    ("audit.between-tiles", 1),
    ("audit.between-tiles", 3),
    ("audit.between-tiles", 7),
    ("audit.before-checkpoint", 1),
    ("audit.before-checkpoint", 2),
    ("audit.after-checkpoint", 1),
    ("audit.after-checkpoint", 2),
]
PUBLISH = """
import sys
import threading
import time
from pathlib import Path
from tests.unit.consumers.published import event_entry, grow, open_store, publisher
store = open_store(Path(sys.argv[1]))
kept = publisher(store, Path(sys.argv[1]) / "tlog")
kept.publish()
grow(store, [event_entry(n) for n in range(store.log_head().size, 600)])
kept.publish()
"""


def test_every_crash_point_of_publishing_is_tried() -> None:
    assert {name for name, _ in CRASHES} == {name for name in crashpoints.POINTS if name.startswith("audit.")}


@pytest.mark.parametrize(("point", "nth"), CRASHES)
def test_killed_while_publishing_the_next_one_gives_the_identical_tree(tmp_path: Path, point: str, nth: int) -> None:
    with opened(tmp_path) as store:
        grow(store, [event_entry(n) for n in range(300)])
    mark = tmp_path / "mark"
    process = forked.run(PUBLISH, tmp_path, {"HUB_CRASH_POINT": f"{point}:{nth}", "HUB_CRASH_MARK": str(mark)})
    assert process.returncode == -signal.SIGKILL
    assert mark.read_text() == point
    out = tmp_path / "tlog"
    if (out / "checkpoint").exists():
        assert_complete(out)  # what was said holds, also now
    with opened(tmp_path) as store:
        head = store.log_head()
        assert head is not None
        grow(store, [event_entry(n) for n in range(head.size, 600)])
        publisher(store, out).publish()
        publisher(store, tmp_path / "untouched").publish()
    done, whole = files(out), files(tmp_path / "untouched")
    assert {name: done[name] for name in whole} == whole
    assert not [name for name in done if name.endswith(".new")]
    assert_complete(out)


def assert_complete(out: Path) -> None:
    """Every tile of the checkpoint is there, and gives its root."""
    found = open_checkpoint(Note.parse((out / "checkpoint").read_bytes()), IDENTITY.keys)
    directory = LogDirectory(out)
    assert TiledTree(found.size, directory.read).root() == found.root
    for name in tiles_of(found.size):
        assert (out / name.path).exists() or (out / name.full.path).exists()


@pytest.fixture
def out(store: SqlStore, tmp_path: Path) -> Path:
    """A log of 600 entries, published in two steps."""
    kept = publisher(store, tmp_path / "tlog")
    for low, high in ((0, 300), (300, 520), (520, 600)):
        grow(store, [event_entry(n) for n in range(low, high)])
        kept.publish()
    return tmp_path / "tlog"


def refused(store: SqlStore, out: Path) -> LogContradicted:
    """Publishing is refused and changes nothing."""
    before = files(out)
    with pytest.raises(LogContradicted) as caught:
        publisher(store, out).publish()
    assert files(out) == before
    return caught.value


def test_every_altered_file_is_found_and_left_alone(store: SqlStore, out: Path, attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "alters any file of the published log on the web server", Verdict.DETECTED)
    names = sorted(files(out))
    assert len(names) > 8
    for name in names:
        for at in (0, -1):
            data = files(out)[name]
            changed = bytearray(data)
            changed[at] ^= 1
            (out / name).write_bytes(changed)
            refused(store, out)
            (out / name).write_bytes(data)
    publisher(store, out).publish()
    tried.detected(
        by="audit desk", how="`publishing.contradicted`: nothing is signed over it", within="the next publication"
    )


def test_every_shortened_or_lengthened_file_is_found(store: SqlStore, out: Path) -> None:
    for name, data in files(out).items():
        for changed in (data[:-1], data + b"\x00", b""):
            (out / name).write_bytes(changed)
            refused(store, out)
        (out / name).write_bytes(data)


@pytest.mark.parametrize(
    "name",
    ["tile/0/003", "tile/0/002.p/200", "tile/1/000", "tile/2/000.p/1", "tile/entries/002.p/89", "tile/0/garbage",
     "tile/0/0001", "tile/entries/009", "tile/long-entries/000"],
)  # fmt: skip
def test_a_file_that_the_rows_do_not_give_is_found(store: SqlStore, out: Path, name: str) -> None:
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(bytes(32))
    refused(store, out)


@pytest.mark.parametrize("name", ["tile/0/009", "tile/1/001", "tile/entries/009", "tile/entries/002.p/200"])
def test_a_well_formed_file_beyond_the_rows_is_found(store: SqlStore, out: Path, name: str) -> None:
    source = "tile/entries/000" if "entries" in name else "tile/0/000"
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(out / source, out / name)
    refused(store, out)


def test_a_lost_tile_is_derived_again(store: SqlStore, out: Path) -> None:
    before = files(out)
    shutil.rmtree(out / "tile")
    publisher(store, out).publish()
    after = files(out)
    assert all(before[name] == data for name, data in after.items())
    assert_complete(out)


def test_a_database_that_was_rolled_back_is_never_published_over(
    out: Path, tmp_path: Path, store: SqlStore, attack: Attack
) -> None:
    tried = attack(
        Attacker.BACKUP,
        "gives the audit desk an older copy of its database, grown again with other entries",
        Verdict.DETECTED,
    )
    older = tmp_path / "older"
    older.mkdir()
    with opened(older) as rolled_back:
        grow(rolled_back, [event_entry(n) for n in range(550)])
        assert "600" in str(refused(rolled_back, out))
        # Growing again with other entries to the same size and beyond does not help.
        grow(rolled_back, [event_entry(n) for n in range(1_000, 1_050)])
        refused(rolled_back, out)
        grow(rolled_back, [event_entry(n) for n in range(2_000, 2_100)])
        refused(rolled_back, out)
    tried.detected(by="audit desk", how="`publishing.contradicted`", within="the next publication")


def test_another_past_is_found_even_where_every_tile_is_gone(out: Path, tmp_path: Path, attack: Attack) -> None:
    tried = attack(Attacker.BACKUP, "gives back another past, and deletes every published tile", Verdict.DETECTED)
    other = tmp_path / "other"
    other.mkdir()
    shutil.rmtree(out / "tile")
    with opened(other) as changed:
        grow(changed, [event_entry(n) for n in (*range(599), 7_000, 7_001)])
        with pytest.raises(LogContradicted, match="another root at size 600"):
            publisher(changed, out).publish()
    tried.detected(by="audit desk", how="`publishing.contradicted`: another root", within="the next publication")


def test_a_changed_row_is_found_before_anything_is_signed(store: SqlStore, tmp_path: Path, attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "changes a row of the audit desk's database", Verdict.DETECTED)
    grow(store, [event_entry(n) for n in range(20)])
    store.close()
    with sqlite3.connect(tmp_path / "audit.db") as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE log SET entry = x'00' WHERE number = 7")
    with opened(tmp_path) as changed, pytest.raises(StoreDamaged):
        publisher(changed, tmp_path / "tlog").publish()
    assert not (tmp_path / "tlog" / "checkpoint").exists()
    tried.detected(by="audit desk", how="`StoreDamaged`: no head is signed", within="the next publication")


def test_a_head_that_the_desk_did_not_sign_is_not_published(store: SqlStore, tmp_path: Path) -> None:
    grow(store, [event_entry(0)])
    with pytest.raises(StoreDamaged):
        Publisher(store, LogDirectory(tmp_path / "tlog"), IDENTITY, lambda signed, at_ms: False).publish()
    assert not (tmp_path / "tlog" / "checkpoint").exists()


def test_a_checkpoint_of_another_log_or_key_is_found(store: SqlStore, out: Path) -> None:
    text = (out / "checkpoint").read_text()
    (out / "checkpoint").write_text(text.replace(ORIGIN, ORIGIN + "9"))
    refused(store, out)


def test_after_a_change_of_keys_the_checkpoint_is_signed_with_the_new_one(store: SqlStore, out: Path) -> None:
    signer = NoteSigner(ORIGIN, IdentityKey.from_seed(bytes(31) + b"\x77"))
    identity = LogIdentity(signer, (*IDENTITY.keys, signer.verifier()))
    before = files(out)
    renewed = Publisher(store, LogDirectory(out), identity, head_holds)
    renewed.publish()
    note = Note.parse((out / "checkpoint").read_bytes())
    assert open_checkpoint(note, [signer.verifier()]).size == 600
    assert {name for name, data in files(out).items() if before[name] != data} == {"checkpoint"}
    assert note.signed_by(IDENTITY.keys) == ()
    stranger = LogIdentity(signer, (signer.verifier(),))
    (out / "checkpoint").write_bytes(before["checkpoint"])
    with pytest.raises(LogContradicted):
        Publisher(store, LogDirectory(out), stranger, head_holds).publish()


def test_one_publisher_at_a_time(store: SqlStore, out: Path) -> None:
    with LogDirectory(out).locked(), pytest.raises(PublishingBusy):
        publisher(store, out).publish()
    publisher(store, out).publish()


def test_a_person_waits_for_the_desk_that_publishes(store: SqlStore, out: Path) -> None:
    held, asked = threading.Event(), threading.Event()

    def publishing() -> None:
        with LogDirectory(out).locked():
            held.set()
            asked.wait(60)
            time.sleep(0.2)

    desk = threading.Thread(target=publishing)
    desk.start()
    try:
        assert held.wait(60)
        with pytest.raises(PublishingBusy):
            publisher(store, out).publish(patience_seconds=0.01)
        asked.set()
        assert publisher(store, out).publish(patience_seconds=60).size > 0
    finally:
        asked.set()
        desk.join()


def test_a_directory_that_cannot_be_written_heals(store: SqlStore, tmp_path: Path) -> None:
    grow(store, [event_entry(0)])
    out = tmp_path / "tlog"
    out.write_text("in the way")
    kept = publisher(store, out)
    with pytest.raises(PublishingUnavailable) as caught:
        kept.publish()
    assert caught.value.retriable
    out.unlink()
    assert kept.publish().size == 1
