"""A tax team's own end: each hand-over one row, row and place together, nothing of a filer readable at rest."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import consumers.kit
from consumers.reporting import taken_over
from consumers.store.errors import StoreDamaged, StoreError, StoreMismatch, StorePositionLost, StoreUnavailable
from consumers.store.model import Content, StoreKey
from consumers.tax.consumer import TaxConsumer, shown
from consumers.tax.store import Handed, TaxStore
from hub import crashpoints
from hub.envelope.sealed import build, parse
from hub.facts import Alarm, HandedOver, Paused
from schemas.submission import as_sent
from schemas.submission_model import Attachment
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.returning import (
    ACCEPTED,
    EPOCH,
    NAMESPACE,
    NOW,
    RESIDENT,
    TOBACCO,
    Cluster,
    Desk,
    World,
    cluster,
    leaf,
    submission,
    uuid7,
)

__all__ = ["cluster"]
OWNER = f"{NAMESPACE}/{RESIDENT}"
FILED = [submission(number) for number in range(8)]
KEY = StoreKey(EPOCH, b"12345678", b"sealed store key")


@pytest.fixture
def world(cluster: Cluster) -> World:
    return World(cluster)


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world, ACCEPTED)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tax.db"


@pytest.fixture
def store(path: Path) -> Iterator[TaxStore]:
    opened = TaxStore(path, OWNER)
    yield opened
    opened.close()


def row(number: int, **changes: Any) -> Handed:
    made = Handed(
        uuid7(number),
        leaf(number),
        "999997",
        "resident-tax",
        f"R12-99999-{number:09d}",
        "procedure",
        "accept",
        1,
        1_893_000_000_000,
        uuid7(9_000 + number),
        Content(EPOCH, b"ciphertext %d" % number, b"wrapped %d" % number),
    )
    return replace(made, **changes)


async def take(world: World, store: TaxStore, **options: Any) -> int:
    stop = options.pop("stop", asyncio.Event())
    role = options.pop("role", world.role(RESIDENT))
    consumer = TaxConsumer(role, store, world.facts.append)
    return await asyncio.wait_for(consumer.run(stop, **{"follow": False, **options}), 30)


@pytest.fixture(autouse=True)
def wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kit's clock is that of the artificial world."""
    original = consumers.kit.accepted_submissions
    monkeypatch.setattr(
        "consumers.tax.consumer.accepted_submissions", lambda *a, **k: original(*a, **{**k, "wall": lambda: NOW})
    )


# --- the store


def test_row_and_place_are_kept_together(store: TaxStore) -> None:
    assert store.keep(row(1), 0, "first", (KEY,)) is True
    assert store.keep(row(2, content=None), 1, "second", ()) is True
    assert [kept for kept, _ in store.rows()] == [row(1), row(2, content=None)]
    assert store.places() == {0: "first", 1: "second"}
    assert store.store_key(EPOCH) == KEY
    assert store.store_key(EPOCH + 1) is None
    assert store.count() == 2
    assert [kept for kept, _ in store.rows(row(2).receipt_number)] == [row(2, content=None)]
    assert list(store.names()) == [("999997", uuid7(n), leaf(n)) for n in (1, 2)]


@pytest.mark.parametrize("table", ["handed", "place", "store_key"])
def test_what_fails_half_way_leaves_nothing(store: TaxStore, path: Path, table: str) -> None:
    store.keep(row(1), 0, "first", ())
    with sqlite3.connect(path) as db:
        db.execute(f"CREATE TRIGGER t BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
    db.close()
    with pytest.raises(StoreError):
        store.keep(row(2), 0, "second", (KEY,))
    assert [kept for kept, _ in store.rows()] == [row(1)]
    assert store.places() == {0: "first"}
    assert store.store_key(EPOCH) is None


def test_the_same_leaf_again_is_not_new_but_moves_the_place(store: TaxStore) -> None:
    assert store.keep(row(1), 0, "first", ())
    assert not store.keep(row(1), 0, "second", ())
    assert store.count() == 1
    assert store.places() == {0: "second"}
    assert not store.keep(row(1, leaf=leaf(2)), 0, "third", ()), "the same id with another leaf is the same hand-over"
    assert not store.keep(row(2, leaf=leaf(1)), 0, "fourth", ())
    assert store.count() == 1


def test_a_store_of_before_finds_hand_overs_by_their_id(store: TaxStore, path: Path) -> None:
    store.keep(row(1), 0, "first", (KEY,))
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP INDEX handed_event_id")
    db.close()
    again = TaxStore(path, OWNER)
    assert not again.keep(row(1), 0, "second", ())
    again.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'handed_event_id'").fetchone() == (1,)
    db.close()


async def test_a_section_that_somebody_adds_makes_no_second_hand_over(
    world: World, desk: Desk, store: TaxStore, attack: Attack
) -> None:
    """What a desk produces has no mac: other readers' sections can be added, and the leaf is another then."""
    tried = attack(Attacker.BROKER, "adds another team's section to a hand-over, so that a team takes it twice")
    record = desk.hand_over(FILED[0])
    event = parse(record.value or b"")
    garbage = b"garbage" * 40
    sections = [(each.audience, each.digest, each.ciphertext) for each in event.sections]
    altered = build(event.header, [*sections, (TOBACCO, sha256(garbage).digest(), garbage)], event.mac)
    assert parse(altered).leaf() != event.leaf()
    world.cluster.append(record.topic, record.partition, record.key, altered)
    assert await take(world, store) == 1
    ((kept, current),) = store.rows()
    assert (kept.leaf, current) == (event.leaf(), True)
    tried.prevented(by="tax team", how="one event id is one hand-over, whatever its leaf", within="at once")


def test_everything_is_there_after_opening_it_again(store: TaxStore, path: Path) -> None:
    store.keep(row(1), 0, "first", (KEY,))
    store.passed(0, "passed")
    store.close()
    again = TaxStore(path, OWNER)
    assert (again.count(), again.places(), again.store_key(EPOCH)) == (1, {0: "passed"}, KEY)
    again.close()


@pytest.mark.parametrize("name", [f"{NAMESPACE}/{TOBACCO}", f"eltax/{RESIDENT}", ""])
def test_another_owners_store_is_not_opened(store: TaxStore, path: Path, name: str) -> None:
    store.keep(row(1), 0, "first", ())
    with pytest.raises(StoreMismatch):
        TaxStore(path, name)
    assert store.count() == 1


def test_what_is_no_store_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "garbage.db").write_bytes(b"no database at all" * 1_000)
    with pytest.raises(StoreDamaged):
        TaxStore(tmp_path / "garbage.db", OWNER)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        TaxStore(tmp_path / "file" / "tax.db", OWNER)


def test_reading_fails_as_writing_does(store: TaxStore, path: Path) -> None:
    store.keep(row(1), 0, "first", (KEY,))
    with sqlite3.connect(path) as db:
        for table in ("handed", "place", "store_key"):
            db.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
    db.close()
    for read in (store.places, store.count, lambda: list(store.rows()), lambda: list(store.names())):
        with pytest.raises(StoreError) as problem:
            read()
        assert "handed" not in str(problem.value)
    with pytest.raises(StoreError):
        store.store_key(EPOCH)


def test_only_its_owner_can_read_the_file(store: TaxStore, path: Path) -> None:
    store.keep(row(1), 0, "first", ())
    files = sorted(path.parent.iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_second_process_cannot_keep_rows_under_a_key_that_nobody_has(store: TaxStore) -> None:
    store.keep(row(1), 0, "first", (KEY,))
    store.keep(row(2), 0, "second", (KEY,))  # an answer that was lost: the same key again
    with pytest.raises(StorePositionLost):
        store.keep(row(3), 0, "third", (replace(KEY, sealed=b"another store key"),))
    assert store.count() == 2


@pytest.mark.parametrize(
    ("came", "current"),
    [
        pytest.param([(1, 5), (2, 6), (3, 7)], [False, False, True], id="in order"),
        pytest.param([(3, 7), (1, 5), (2, 6)], [True, False, False], id="older ones replayed later"),
        pytest.param([(2, 5), (2, 9), (1, 7)], [False, True, False], id="a revision twice: the later decision"),
        pytest.param([(2, 9), (2, 5)], [True, False], id="a revision twice, the later decision first"),
        pytest.param([(2, 5), (2, 5)], [False, True], id="twice the same: the later row"),
    ],
)
def test_an_older_revision_is_never_the_current_one(
    store: TaxStore, came: list[tuple[int, int]], current: list[bool]
) -> None:
    for number, (revision, at) in enumerate(came):
        store.keep(
            row(number, revision=revision, decided_at_ms=at, submission_event_id=uuid7(5), receipt_number="one"),
            0,
            "",
            (),
        )
    store.keep(row(100, receipt_number="other"), 0, "", ())
    assert [newest for _, newest in store.rows()] == [*current, True]
    assert [newest for _, newest in store.rows("one")] == current


# --- the consumer


async def test_what_was_accepted_is_kept_and_shown_as_it_was_filed(world: World, desk: Desk, store: TaxStore) -> None:
    desk.hand_over(FILED[0], cause=3)
    desk.hand_over(FILED[1], TOBACCO)
    desk.hand_over(FILED[0], decision="revoke", reason="decided-in-error", revision=2, cause=3)
    assert await take(world, store) == 2
    first, second = shown(world.role(RESIDENT), store)
    assert first["submission"] == json.loads(json.dumps(as_sent(FILED[0])))
    assert (first["current"], second["current"], second["submission"]) == (False, True, None)
    assert (second["decision"], second["erased"]) == ("revoke", False)
    assert [row["receipt_number"] for row in shown(world.role(RESIDENT), store, FILED[1].receipt_number)] == []
    assert [fact.decision for fact in world.told(HandedOver)] == ["accept", "revoke"]
    assert [(e.event_id, e.state) for e in taken_over(store)] == [
        (first["event_id"], "held"),
        (second["event_id"], "held"),
    ]


async def test_a_large_attachment_is_kept_whole(
    world: World, desk: Desk, store: TaxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemas.parts.PART_BYTES", 1_000)
    filed = submission(20, Attachment("架空.bin", "application/octet-stream", bytes(range(250)) * 15))
    about, large, _ = desk.parts(filed)
    desk.hand_over(about, large=[large])
    assert await take(world, store) == 1
    (only,) = shown(world.role(RESIDENT), store)
    assert only["submission"] == json.loads(json.dumps(as_sent(filed)))


async def test_a_team_that_was_away_comes_back_and_has_each_row_once(world: World, desk: Desk, store: TaxStore) -> None:
    for each in FILED[:3]:
        desk.hand_over(each)
    assert await take(world, store) == 3
    for each in FILED[3:]:
        desk.hand_over(each)
        desk.hand_over(each, TOBACCO)
    again = [desk.again(record) for record in world.on(ACCEPTED)[:4]]  # and a desk that sent some twice
    assert len(again) == 4
    assert await take(world, store) == 5
    assert await take(world, store) == 0
    assert store.count() == len(FILED)
    assert {row["receipt_number"] for row in shown(world.role(RESIDENT), store)} == {e.receipt_number for e in FILED}


@pytest.mark.parametrize("nth", [1, 3, 5])
def test_killed_after_the_commit_each_row_is_there_once_after_a_restart(
    world: World, desk: Desk, path: Path, nth: int, tmp_path: Path
) -> None:
    for each in FILED[:5]:
        desk.hand_over(each)
    mark = tmp_path / "mark"
    child = os.fork()
    if child == 0:  # the same world in another process, which dies as in a power cut
        os.environ["HUB_CRASH_MARK"] = str(mark)
        crashpoints._target = ("tax.after-commit", nth)
        asyncio.run(take(world, TaxStore(path, OWNER)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert mark.read_text() == "tax.after-commit"
    store = TaxStore(path, OWNER)
    assert store.count() == nth
    for each in FILED[5:]:
        desk.hand_over(each)
    assert asyncio.run(take(world, store)) == len(FILED) - nth
    receipts = [row["receipt_number"] for row in shown(world.role(RESIDENT), store)]
    assert sorted(receipts) == sorted(each.receipt_number for each in FILED)
    store.close()


async def test_a_store_that_is_away_is_waited_for(
    world: World, desk: Desk, store: TaxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hand_over(FILED[0])
    keep, places, left = store.keep, store.places, 2

    def sometimes(work: Any, *arguments: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise StoreUnavailable("SQLITE_FULL")
        return work(*arguments)

    monkeypatch.setattr(store, "keep", lambda *a: sometimes(keep, *a))
    assert await take(world, store) == 1
    left = 1
    monkeypatch.setattr(store, "places", lambda: sometimes(places))
    assert await take(world, store) == 0
    assert [fact.paused for fact in world.told(Paused)] == [True, False, True, False]
    assert store.count() == 1


async def test_a_store_that_stays_away_does_not_keep_it_from_stopping(
    world: World, desk: Desk, store: TaxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hand_over(FILED[0])
    stop = asyncio.Event()

    def away(*_: Any) -> bool:
        raise StoreUnavailable

    monkeypatch.setattr(store, "keep", away)
    asyncio.get_running_loop().call_later(0.1, stop.set)
    assert await take(world, store, follow=True, stop=stop) == 0
    assert world.cluster.open_now == 0  # no connection is left to the end of the loop


async def test_a_place_that_cannot_be_kept_between_hand_overs_is_an_alarm_and_not_the_end(
    world: World, desk: Desk, store: TaxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hand_over(FILED[1], TOBACCO)
    desk.hand_over(FILED[0])

    def away(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(store, "passed", away)
    monkeypatch.setattr("consumers.kit._PROGRESS_SECONDS", 0.0)
    assert await take(world, store) == 1
    assert Alarm("store-unavailable", RESIDENT) in world.facts

    def broken(*_: Any) -> None:
        raise StoreDamaged

    monkeypatch.setattr(store, "passed", broken)
    with pytest.raises(StoreDamaged):
        desk.hand_over(FILED[1], TOBACCO)
        await take(world, store)


async def test_a_decision_of_a_month_whose_key_the_team_never_had_is_kept(
    world: World, desk: Desk, store: TaxStore
) -> None:
    """The row is sealed under the month of the key that opened it: decided before the team had keys, told after."""
    desk.hand_over(FILED[0], decided_at=1_700_000_000_000)
    assert await take(world, store) == 1
    (only,) = store.rows()
    assert only[0].content is not None and only[0].content.epoch == EPOCH
    (row,) = shown(world.role(RESIDENT), store)
    assert row["submission"]["receipt_number"] == FILED[0].receipt_number


async def test_without_the_months_key_nothing_opens_and_the_rest_is_still_shown(
    world: World, desk: Desk, store: TaxStore
) -> None:
    desk.hand_over(FILED[0])
    desk.hand_over(FILED[0], decision="revoke", reason="decided-in-error", revision=2)
    await take(world, store)
    role = world.role(RESIDENT)
    role.keystore.held.clear()
    first, second = shown(role, store)
    assert (first["submission"], first["erased"]) == (None, True)
    assert (second["submission"], second["erased"]) == (None, False)


SECRET = "見本秘匿太郎テスト区秘匿町"


async def test_nothing_a_filer_wrote_is_readable_at_rest(world: World, desk: Desk, path: Path, attack: Attack) -> None:
    tried = attack(Attacker.LAPTOP, "reads a tax team's database")
    content = b"...".join(SECRET.encode(each) for each in ("utf-8", "utf-16-le", "utf-16-be", "cp932", "euc-jp"))
    filed = submission(3, Attachment(SECRET, "text/plain", content))
    desk.hand_over(filed)
    store = TaxStore(path, OWNER)
    await take(world, store)
    forms = [SECRET.encode(each) for each in ("utf-8", "utf-16-le", "utf-16-be", "cp932", "euc-jp")]
    forms.append(json.dumps(SECRET).encode()[1:-1])
    texts = [value for value in _texts(as_sent(filed)["items"]) if len(value.encode()) >= 8]
    assert len(texts) >= 3
    forms += [text.encode(each, "ignore") for text in texts for each in ("utf-8", "utf-16-le", "cp932", "euc-jp")]

    def found() -> list[bytes]:
        data = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert uuid7(1).encode()[:13] in data  # ids are there: the search looks where rows lie
        return [form for form in forms if len(form) >= 8 and form in data]

    assert any(file.name.endswith("-wal") and file.stat().st_size for file in path.parent.iterdir())
    assert found() == []
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert found() == []
    (only,) = shown(world.role(RESIDENT), store)
    assert only["submission"]["attachments"][0]["file_name"] == SECRET
    with sqlite3.connect(path) as db:  # and a planted leak is found
        db.execute("UPDATE handed SET tax_item = ?", (SECRET,))
    db.close()
    assert found()
    store.close()
    tried.prevented(by="encryption at rest", how="nothing that a filer wrote, in any spelling", within="always")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


async def test_a_row_that_was_exchanged_does_not_open(
    world: World, desk: Desk, store: TaxStore, path: Path, attack: Attack
) -> None:
    tried = attack(Attacker.CONTRACTOR, "exchanges two filings' contents in a tax team's database")
    for each in FILED[:2]:
        desk.hand_over(each)
    await take(world, store)
    with sqlite3.connect(path) as db:
        db.execute(
            "UPDATE handed SET ciphertext = (SELECT ciphertext FROM handed WHERE number = 2),"
            " wrapped = (SELECT wrapped FROM handed WHERE number = 2) WHERE number = 1"
        )
    db.close()
    with pytest.raises(StoreError) as problem:
        list(shown(world.role(RESIDENT), store))
    assert problem.value.code == "content-damaged"
    tried.prevented(by="encryption at rest", how="it does not open under another name", within="the next reading")
