"""An audit log with artificial entries, published: shared by the tests of publishing, proofs and witnesses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from consumers.audit import codec
from consumers.audit.codec import EVENT, STATEMENT
from consumers.audit.log_directory import LogDirectory
from consumers.audit.publishing import NOBODY, Cosigners, LogIdentity, Publisher
from consumers.audit.tree import Tree
from consumers.store.sql import SqlStore, open_sqlite
from hub.crypto.identity import IdentityKey
from hub.crypto.notes import NoteSigner
from hub.envelope import header as headers
from hub.envelope.records import StoredEvent, StoredReceipt
from hub.envelope.sealed import build, parse
from hub.envelope.signed import Signed, sign
from tests.unit.consumers.making import NOW, TENANT, batch, leaf, new_event
from tests.unit.consumers.test_audit_log import MOMENT, OWNER, SESSION, header, place, uuid7

ORIGIN = "audit.example/rehearsal/999997"
DESK = IdentityKey.from_seed(bytes(31) + b"\x01")
REVIEW = IdentityKey.from_seed(bytes(31) + b"\x07")
SIGNER = NoteSigner(ORIGIN, DESK)
IDENTITY = LogIdentity(SIGNER, (SIGNER.verifier(),))


def head_holds(signed: Signed, at_ms: int) -> bool:
    return signed.verify(DESK.key_id, DESK.public)


def open_store(directory: Path) -> SqlStore:
    return open_sqlite(directory / "audit.db", OWNER)


def sealed_record(number: int) -> bytes:
    """An event as the audit topic holds it: without ciphertexts."""
    sections = [(audience, leaf(number, audience), None) for audience in (f"audit-{TENANT}", f"review-{TENANT}")]
    return build(headers.encode(header(number)), sections, bytes(32))


def event_leaf(number: int) -> bytes:
    return parse(sealed_record(number)).leaf()


def event_entry(number: int) -> tuple[str, bytes]:
    return EVENT, codec.encode_event(place(number), header(number), event_leaf(number))


def long_entry(number: int) -> tuple[str, bytes]:
    """A receipt for 2,000 events: more than 65,535 bytes."""
    return receipt_entry(range(number, number + 2_000))


def receipt_record(numbers: range) -> bytes:
    entries = tuple(StoredEvent(n, uuid7(n), event_leaf(n)) for n in numbers)
    body = StoredReceipt(SESSION, 0, TENANT, f"review-{TENANT}", entries, MOMENT).encode()
    return sign("StoredReceipt", body, REVIEW)


def receipt_entry(numbers: range) -> tuple[str, bytes]:
    return STATEMENT, codec.encode_statement(place(numbers.start), "StoredReceipt", receipt_record(numbers))


def grow(store: SqlStore, entries: list[tuple[str, bytes]], each: int = 50) -> None:
    """Append entries to the log in batches of some size."""
    tree = Tree.load(TENANT, DESK, store)
    for start in range(0, len(entries), each):
        expected = next(iter(store.positions().values()), None)
        step = tree.extend(entries[start : start + each], NOW + tree.size)
        store.commit(replace(batch(expected, (expected or 0) + 1), log=step))
        tree.kept()


def events(store: SqlStore, numbers: range) -> None:
    """Store the rows of events, as the desk does beside its log."""
    rows = [replace(new_event(n), event_id=uuid7(n), leaf=event_leaf(n)) for n in numbers]
    expected = next(iter(store.positions().values()), None)
    store.commit(batch(expected, (expected or 0) + 1, *rows))


def publisher(store: SqlStore, directory: Path, cosigners: Cosigners = NOBODY) -> Publisher:
    return Publisher(store, LogDirectory(directory), IDENTITY, head_holds, cosigners)


def files(directory: Path) -> dict[str, bytes]:
    """Everything below a directory except its lock."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
