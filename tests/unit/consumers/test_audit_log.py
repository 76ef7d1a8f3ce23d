"""The audit log: its root, its signed heads, and what `verify` finds when somebody changes the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pymerkle
import pytest

from consumers.audit import codec
from consumers.audit.codec import EVENT, NOTICE, REFUSAL, STATEMENT
from consumers.audit.entries import EventEntry, NoticeEntry, Place, RefusalEntry
from consumers.audit.tree import Tree, read_head
from consumers.audit.verify import Verification, verify
from consumers.store.errors import StoreDamaged
from consumers.store.sql import SqlStore, open_sqlite
from hub.crypto.identity import IdentityKey
from hub.envelope.event_ids import is_event_id
from hub.envelope.header import Check, EventHeader
from hub.envelope.names import Kind
from hub.envelope.records import Checkpoint, CheckpointEntry, ClosedPartition, Session, SessionClose
from hub.envelope.signed import sign
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.unit.consumers.making import NOW, TENANT, batch, leaf

OWNER = "rehearsal/audit-999997"
DESK = IdentityKey.from_seed(bytes(31) + b"\x01")
PORTAL = IdentityKey.from_seed(bytes(31) + b"\x02")
MOMENT = datetime.fromtimestamp(NOW / 1_000, UTC)


def uuid7(number: int) -> str:
    text = f"0190f3d4-0000-7000-8000-{number:012x}"
    assert is_event_id(text)
    return text


def place(offset: int) -> Place:
    return Place("rehearsal.999997.audit", 0, offset, NOW)


def session() -> tuple[bytes, bytes]:
    body = Session(
        salt=bytes(16),
        producer="portal",
        instance="a",
        topic="rehearsal.submissions",
        tenant=TENANT,
        created_at=MOMENT,
        expires_at=datetime.fromtimestamp(NOW / 1_000 + 3_600, UTC),
        previous=None,
        audiences=(),
    ).encode()
    return Session.decode(body).id, sign("Session", body, PORTAL)


SESSION, SESSION_RECORD = session()


def header(number: int) -> EventHeader:
    return EventHeader(
        session=SESSION,
        kind=Kind.SUBMISSION,
        tenant=TENANT,
        producer="portal",
        partition=0,
        sequence=number,
        event_id=uuid7(number),
        receipt_number=f"R7-99999-{number:09d}",
        procedure="heir-representative-designation",
        procedure_version=1,
        tax_item=None,
        accepted_at_ms=NOW,
        produced_at_ms=NOW,
        calculation_check=Check.PASSED,
        signature_check=Check.NOT_PERFORMED,
        cause=None,
    )


def entries(count: int) -> list[tuple[str, bytes]]:
    """A whole session of `count` events."""
    made = [(STATEMENT, codec.encode_statement(place(0), "Session", SESSION_RECORD))]
    made += [(EVENT, codec.encode_event(place(n), header(n), leaf(n))) for n in range(count)]
    checkpoint = Checkpoint(SESSION, 0, 0, tuple(CheckpointEntry(leaf(n)) for n in range(count)), None, MOMENT).encode()
    made.append(
        (
            STATEMENT,
            codec.encode_statement(place(count), "Checkpoint", sign("Checkpoint", checkpoint, PORTAL)),
        )
    )
    close = SessionClose(SESSION, (ClosedPartition(0, count - 1, Checkpoint.decode(checkpoint).hash),), MOMENT).encode()
    made.append(
        (
            STATEMENT,
            codec.encode_statement(place(count + 1), "SessionClose", sign("SessionClose", close, PORTAL)),
        )
    )
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    opened = open_sqlite(path, OWNER)
    yield opened
    opened.close()


def fill(store: SqlStore, made: list[tuple[str, bytes]], each: int = 7) -> None:
    tree = Tree.load(TENANT, DESK, store)
    for start in range(0, len(made), each):
        step = tree.extend(made[start : start + each], NOW)
        store.commit(replace(batch(start or None, start + each), log=step))
        tree.kept()


def checked(store: SqlStore, now_ms: int = NOW) -> Verification:
    return verify(
        store,
        lambda statement, sessions: statement.signed.verify(PORTAL.key_id, PORTAL.public),
        lambda signed, at_ms: signed.verify(DESK.key_id, DESK.public),
        now_ms,
    )


def test_a_whole_log_verifies(store: SqlStore) -> None:
    fill(store, entries(40))
    found = checked(store, NOW * 2)
    assert (found.verified, found.troubles, found.damage) == (True, {}, ())
    assert (found.size, found.events, found.checkpoints, found.gaps, found.duplicates) == (43, 40, 1, 0, 0)
    assert set(found.as_json()) >= {
        "verified", "size", "root", "checkpoints", "gaps", "duplicates", "unconfirmed",
    }  # fmt: skip


def test_an_empty_log_verifies(store: SqlStore) -> None:
    found = checked(store)
    assert (found.verified, found.size) == (True, 0)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 21])
def test_root_is_the_one_that_pymerkle_computes(store: SqlStore, count: int) -> None:
    made = entries(count)
    fill(store, made)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for _, entry in made:
        tree.append_entry(entry)
    assert checked(store).root == tree.get_root()


def test_entries_come_back_as_they_were() -> None:
    event, _ = codec.decode(EVENT, codec.encode_event(place(3), header(3), leaf(3)))
    assert isinstance(event, EventEntry)
    assert (event.place, event.event_id, event.leaf, event.sequence) == (place(3), uuid7(3), leaf(3), 3)
    notice, _ = codec.decode(NOTICE, codec.encode_notice(place(4), header(4), leaf(4), "wrong-key"))
    assert notice == NoticeEntry(SESSION, 0, TENANT, 4, uuid7(4), leaf(4), "wrong-key")
    refusal, _ = codec.decode(REFUSAL, codec.encode_refusal(place(5), "bad-mac", bytes(32)))
    assert refusal == RefusalEntry(place(5), "bad-mac")
    _, statement = codec.decode(STATEMENT, codec.encode_statement(place(0), "Session", SESSION_RECORD))
    assert statement is not None
    assert statement.signed.encode() == SESSION_RECORD


def test_log_holds_no_receipt_number(store: SqlStore, path: Path) -> None:
    fill(store, entries(5))
    store.close()
    assert b"R7-99999" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def tamper(path: Path, *statements: str) -> None:
    """Do as an administrator of the database can: take the guards off first."""
    db = sqlite3.connect(path)
    for table in ("log", "tree_head"):
        for verb in ("update", "delete"):
            db.execute(f"DROP TRIGGER {table}_refuses_{verb}")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET entry = (SELECT entry FROM log WHERE number = 4) WHERE number = 3",
        "UPDATE log SET entry = entry || x'00' WHERE number = 5",
        "UPDATE log SET kind = 'notice' WHERE number = 5",
        "UPDATE log SET kind = 'bogus' WHERE number = 5",
        "DELETE FROM log WHERE number = 5",
        "DELETE FROM log WHERE number = (SELECT max(number) FROM log)",
        "DELETE FROM log",
        "UPDATE log SET number = 1000 WHERE number = 5",
        "INSERT INTO log SELECT max(number) + 1, kind, entry FROM log",
        "UPDATE tree_head SET root = zeroblob(32) WHERE size = 7",
        "UPDATE tree_head SET head = (SELECT head FROM tree_head WHERE size = 14) WHERE size = 7",
        "UPDATE frontier SET root = zeroblob(32)",
    ],
)
def test_a_changed_row_is_found(store: SqlStore, path: Path, statement: str) -> None:
    fill(store, entries(18))
    tamper(path, statement)
    found = checked(store)
    assert not found.verified
    assert found.damage


def test_changed_bytes_in_the_file_are_found(store: SqlStore, path: Path) -> None:
    fill(store, entries(18))
    store.close()
    content = path.read_bytes()
    at = content.index(uuid7(9).encode())
    path.write_bytes(content[:at] + b"1" + content[at + 1 :])
    again = open_sqlite(path, OWNER)
    found = checked(again)
    assert not found.verified
    assert any(what.startswith("root") for what in found.damage)
    with pytest.raises(StoreDamaged):
        Tree.load(TENANT, DESK, again)
    again.close()


def test_rows_rewritten_with_all_hashes_are_found_by_the_signatures(
    store: SqlStore, path: Path, attack: Attack
) -> None:
    """Somebody with the file but without the desk's identity key builds a consistent other log."""
    tried = attack(
        Attacker.BACKUP,
        "gives back an audit database that was built anew without an event, all hashes right",
        Verdict.DETECTED,
    )
    fill(store, entries(18))
    forged_path = path.with_name("forged.db")
    forged = open_sqlite(forged_path, OWNER)
    other = IdentityKey.from_seed(bytes(31) + b"\x09")
    tree = Tree.load(TENANT, other, forged)
    made = entries(18)
    del made[5]
    forged.commit(replace(batch(None, 1), log=tree.extend(made, NOW)))
    found = checked(forged)
    forged.close()
    assert not found.verified
    assert found.damage == ("head-signature 20",)
    assert found.gaps == 1
    tried.detected(by="`audit verify`", how="head-signature; and the gap", within="the next `audit verify`")


def test_a_statement_with_another_signature_is_found(store: SqlStore, attack: Attack) -> None:
    tried = attack(Attacker.AUDIT, "enters a producer's list that it signed itself", Verdict.DETECTED)
    made = entries(3)
    body = Checkpoint(SESSION, 0, 3, (CheckpointEntry(leaf(3)),), None, MOMENT).encode()
    made.append((STATEMENT, codec.encode_statement(place(9), "Checkpoint", sign("Checkpoint", body, DESK))))
    fill(store, made)
    found = checked(store)
    assert found.damage == ("signature 6",)
    assert not found.verified
    tried.detected(by="`audit verify`", how=f"damage `{found.damage[0]}`", within="the next `audit verify`")


def test_checkpoint_whose_session_was_never_entered_is_found(store: SqlStore) -> None:
    fill(store, entries(3)[1:])
    found = checked(store)
    assert found.damage == ("session-missing 3", "session-missing 4")
    assert not found.verified


def test_heads_are_signed_and_grow(store: SqlStore) -> None:
    fill(store, entries(18), each=5)
    heads = [read_head(record) for _, _, record in store.tree_heads()]
    assert [head.size for head, _ in heads] == [5, 10, 15, 20, 21]
    assert all(signed.verify(DESK.key_id, DESK.public) for _, signed in heads)


def test_an_extension_that_was_not_kept_does_not_count(store: SqlStore) -> None:
    tree = Tree.load(TENANT, DESK, store)
    first = tree.extend(entries(2), NOW)
    assert tree.extend(entries(2), NOW) == first
    store.commit(replace(batch(None, 1), log=first))
    tree.kept()
    assert tree.size == 5
    assert Tree.load(TENANT, DESK, store).size == 5
