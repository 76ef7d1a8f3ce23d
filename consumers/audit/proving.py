"""Finds an entry of the log and proves that it is in the published tree.

A proof is a C2SP tlog-proof: index, hashes, checkpoint with all its signatures. Its `extra` line holds the
entry itself, so that a filer needs only the proof, the log's key, and the receipt that he has anyway.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from consumers.audit import codec
from consumers.audit.codec import EVENT, STATEMENT
from consumers.audit.entries import EventEntry, ReceiptEntry
from consumers.audit.log_directory import LogContradicted, LogDirectory, NotPublished, PublishingError
from consumers.store.errors import StoreDamaged
from consumers.store.port import Store
from hub.crypto.checkpoints import CheckpointMalformed, LogProof, open_checkpoint
from hub.crypto.notes import Note, NoteMalformed, NoteNotSigned, VerifierKey
from hub.crypto.tiles import TiledTree, TilesDamaged
from hub.envelope.event_ids import is_event_id
from hub.envelope.names import Kind


class NotInLog(PublishingError):
    """The audit log has no such entry."""

    code = "audit.not-in-log"
    hint = "Give a receipt number, an event id or --index; --stored asks for the desk's receipt, which comes later."


class Ambiguous(PublishingError):
    """More than one event is logged under this number."""

    code = "audit.ambiguous"
    hint = "Give one of the event ids, or --index."


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of the log: its index, and the bytes that are hashed."""

    index: int
    entry: bytes


def find_event(store: Store, wanted: str) -> Found:
    """Return the entry of a submission by receipt number, or of any event by its id.

    Reads the log from its beginning. Raises NotInLog, Ambiguous or StoreDamaged.
    """
    if is_event_id(wanted):
        rows = store.events(event_id=wanted)
    else:
        rows = [row for row in store.events(receipt_number=wanted) if row.event.kind == Kind.SUBMISSION.value]
    leaves = {row.event.leaf: row.event.event_id for row in rows}
    if not leaves:
        raise NotInLog(wanted if is_event_id(wanted) else "")
    if len(leaves) > 1:
        raise Ambiguous(", ".join(sorted(leaves.values())))
    leaf = next(iter(leaves))
    for index, kind, framed in store.log_entries(kinds=(EVENT,)):
        if leaf in framed:
            entry, _ = codec.decode(kind, framed)
            if isinstance(entry, EventEntry) and entry.leaf == leaf:
                return Found(index, framed)
    raise StoreDamaged("the audit log lacks a stored event")


def find_stored(store: Store, wanted: str) -> Found:
    """Return the entry of the review desk's signed receipt for a submission. Raises as `find_event`."""
    event = event_of(find_event(store, wanted).entry)
    for index, kind, framed in store.log_entries(kinds=(STATEMENT,)):
        if event.leaf in framed:
            entry, _ = codec.decode(kind, framed)
            if isinstance(entry, ReceiptEntry) and any(leaf == event.leaf for _, _, leaf in entry.entries):
                return Found(index, framed)
    raise NotInLog(event.event_id)


def find_index(store: Store, index: int) -> Found:
    """Return the entry at an index. Raises NotInLog."""
    found = next(store.log_entries(index), None) if index >= 0 else None
    if found is None or found[0] != index:
        raise NotInLog(str(index))
    return Found(index, found[2])


def event_of(framed: bytes) -> EventEntry:
    """Read an entry that is known to be an event's."""
    entry, _ = codec.decode(EVENT, framed)
    if not isinstance(entry, EventEntry):
        raise StoreDamaged("the audit log")
    return entry


def prove(directory: LogDirectory, keys: Collection[VerifierKey], found: Found) -> LogProof:
    """Make the proof from the published tiles and checkpoint.

    Raises NotPublished if the entry came after the checkpoint, LogContradicted if the published files do not
    hold together or have another entry there, PublishingUnavailable.
    """
    data = directory.read_checkpoint()
    if data is None:
        raise NotPublished
    try:
        note = Note.parse(data)
        checkpoint = open_checkpoint(note, keys)
        if found.index >= checkpoint.size:
            raise NotPublished(f"(entry {found.index}, published {checkpoint.size})")
        path = TiledTree(checkpoint.size, directory.read).inclusion(found.index)
        proof = LogProof(found.index, path, note, found.entry)
    except (NoteMalformed, NoteNotSigned, CheckpointMalformed, TilesDamaged) as problem:
        raise LogContradicted(problem.detail or problem.code) from problem
    if not proof.proves(found.entry, checkpoint):
        raise LogContradicted(f"(entry {found.index})")
    return proof
