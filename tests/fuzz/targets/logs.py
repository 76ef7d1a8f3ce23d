"""What a log, a witness and a filer hand in: notes, keys, checkpoints, tiles, proofs, openings, delivery receipts."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from assurance.witness.memory import Memory
from assurance.witness.rules import BadRequest, read_request
from assurance.witness.witness import Witness
from consumers.audit import checking, codec, opening
from consumers.audit.checking import NotProved
from consumers.audit.codec import EVENT, STATEMENT
from consumers.audit.entries import EventEntry
from consumers.audit.entries import Place as LogPlace
from consumers.audit.opening import NotOpened
from consumers.audit.witnesses import WitnessesMalformed, read_witnesses
from hub.crypto.checkpoints import (
    CheckpointMalformed,
    LogProof,
    ProofMalformed,
    TreeCheckpoint,
    open_checkpoint,
    read_decimal,
    sign_checkpoint,
)
from hub.crypto.merkle import (
    HASH_BYTES,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from hub.crypto.notes import (
    Note,
    NoteMalformed,
    NoteNotSigned,
    NoteSignature,
    NoteSigner,
    VerifierKey,
    read_keys,
    read_lines,
    to_base64,
)
from hub.crypto.tiles import Tile, TiledTree, TileEdge, TileName, TilesDamaged, bundle, unbundle
from hub.envelope import delivery
from hub.envelope.delivery import NoDeliveryReceipt
from hub.envelope.reasons import EnvelopeError
from hub.envelope.records import StoredEvent, StoredReceipt
from hub.envelope.sealed import outputs, parse
from hub.envelope.signed import sign
from portal.delivery import ReceiptInvalid
from portal.delivery import check as check_receipt
from schemas.codec import CodecError
from tests.fuzz import mutate, world
from tests.fuzz.guard import ensure, refusal
from tests.fuzz.target import Target

ORIGIN = "audit.example/rehearsal/131041"
_LOG = NoteSigner(ORIGIN, world.identity(world.AUDIT))
_WITNESS = NoteSigner("witness.example", world.identity("operator"))
_NOTES = (NoteMalformed, NoteNotSigned, CheckpointMalformed)


@cache
def _witness() -> Witness:
    directory = Path(tempfile.mkdtemp(prefix="eltax-hub-fuzz-"))
    return Witness(_WITNESS, [_LOG.verifier()], Memory(directory), lambda: 1_775_012_400)


def run_notes(data: bytes) -> None:
    """First byte: what the rest is taken for; 1: a text that the log signs first."""
    if not data:
        return
    kind, payload = data[0], data[1:]
    if kind & 1:
        try:
            payload = _LOG.sign(payload.decode("utf-8", "replace")).encode()
        except NoteMalformed:
            return
    if kind & 2:
        payload = b"old 0\n\n" + payload
    note = refusal(_NOTES, payload, lambda: Note.parse(payload))
    if note is not None:
        ensure(note.encode() == payload, "an accepted note has one form")
        refusal(_NOTES, payload, lambda: open_checkpoint(note, [_LOG.verifier(), _WITNESS.cosigner()]))
        checkpoint = refusal(_NOTES, payload, lambda: TreeCheckpoint.parse(note.text))
        ensure(checkpoint is None or checkpoint.text() == note.text, "an accepted checkpoint has one form")
    keys = refusal((NoteMalformed,), payload, lambda: read_keys(payload))
    ensure(keys is None or b"".join(each.encode().encode() + b"\n" for each in keys) == payload, "a key has one form")
    lines = refusal((NoteMalformed,), payload, lambda: read_lines(payload))
    ensure(lines is None or "".join(each.line() for each in lines).encode() == payload, "a line has one form")
    text = payload.decode("utf-8", "replace")
    refusal((NoteMalformed,), payload, lambda: NoteSignature.parse(text))
    refusal((NoteMalformed,), payload, lambda: VerifierKey.parse(text))
    refusal((WitnessesMalformed,), payload, lambda: read_witnesses(text))
    refusal((BadRequest,), payload, lambda: read_request(payload))
    ensure(_witness().add_checkpoint(payload).status in (200, 400, 403, 404, 409, 422), "a witness answers")


def _checkpoint(size: int = 5) -> Note:
    return sign_checkpoint(TreeCheckpoint(ORIGIN, size, root(_leaves(size))), _LOG)


def _leaves(size: int) -> list[bytes]:
    return [leaf_hash(b"entry %d" % number) for number in range(size)]


def notes_seeds() -> Iterator[bytes]:
    note = _checkpoint()
    yield b"\x00" + note.encode()
    cosigned = note.with_signatures([_WITNESS.cosign(note.text, 1_775_012_400)])
    yield b"\x00" + cosigned.encode()
    yield b"\x01" + note.text.encode()
    yield b"\x01" + (note.text + "extension line\n").encode()
    yield b"\x03" + note.text.encode()
    proof = "".join(f"{to_base64(each)}\n" for each in consistency_proof(_leaves(8), 5))
    yield b"\x00" + b"old 5\n" + proof.encode() + b"\n" + _checkpoint(8).encode()
    yield b"\x00" + (_LOG.verifier().encode() + "\n" + _WITNESS.cosigner().encode() + "\n").encode()
    yield b"\x00" + f"http://127.0.0.1:1 {_WITNESS.cosigner().encode()}\n# remark\n".encode()
    yield b"\x00" + cosigned.signatures[1].line().encode()


NOTES = Target(
    "notes",
    "signed notes, verifier keys, signature lines, checkpoints, a witness's requests, the file of witnesses",
    run_notes,
    notes_seeds,
    change=mutate.lines(1),
    words=("\u2014 ".encode(), ORIGIN.encode(), b"old ", b"\n\n"),
)


@cache
def entries() -> tuple[bytes, bytes, bytes]:
    """An audited event, an audited receipt of it, and the receipt itself."""
    event = world.event()
    place = LogPlace(world.SUBMISSIONS, world.PARTITION, 9, 1_775_012_400_000)
    stored = StoredEvent(0, event.event_id, event.leaf)
    session = world.session().session
    body = StoredReceipt(session.id, world.PARTITION, world.T, world.REVIEW, (stored,), world.NOW).encode()
    record = sign("StoredReceipt", body, world.identity(world.REVIEW))
    return (
        codec.encode_event(place, world.header(), event.leaf),
        codec.encode_statement(place, "StoredReceipt", record),
        record,
    )


def _proof_of(entry: bytes, *, extra: bool) -> bytes:
    leaves = [*_leaves(3), leaf_hash(entry), leaf_hash(b"after")]
    note = sign_checkpoint(TreeCheckpoint(ORIGIN, 5, root(leaves)), _LOG)
    return LogProof(3, inclusion_proof(leaves, 3), note, entry if extra else None).encode()


def run_proofs(data: bytes) -> None:
    """First byte: which of the files is hostile. The others are sound."""
    if not data:
        return
    kind, payload = data[0] & 7, data[1:]
    event, statement, _ = entries()
    keys = (_LOG.verifier().encode() + "\n").encode()
    receipt = delivery.write(entries()[2], parse(outputs(parse(world.event().value), [None])[0]))
    opened = opening.write(world.event().value, _event_entry())
    if kind == 0:
        proof = refusal((ProofMalformed, NoteMalformed), payload, lambda: LogProof.parse(payload))
        ensure(proof is None or proof.encode() == payload, "an accepted proof has one form")
        for entry in (event, receipt):
            refusal((NotProved,), payload, lambda entry=entry: checking.check(keys, payload, entry))  # type: ignore[misc]
    elif kind == 1:  # an entry that the log really has
        sound = refusal((NotProved,), payload, lambda: checking.check(keys, _proof_of(payload, extra=False), payload))
        ensure(sound is None or sound.entry == payload, "what is proved is the entry")
        proof_file = _proof_of(payload, extra=True)
        refusal((NotProved,), payload, lambda: checking.check(keys, proof_file, receipt))
        refusal((NotProved,), payload, lambda: checking.check(keys, proof_file, payload, (), opened))
    elif kind == 2:
        proof_file = _proof_of(statement, extra=True)
        refusal((NotProved,), payload, lambda: checking.check(keys, proof_file, payload))
        said = refusal((NoDeliveryReceipt,), payload, lambda: delivery.read(payload))
        ensure(said is None or said.record in (entries()[2], said.record), "a receipt says what it says")
        refusal((ReceiptInvalid,), payload, lambda: check_receipt(payload, world.trust(), world.NOW))
    elif kind == 3:
        refusal((NotOpened,), payload, lambda: opening.read(payload, _event_entry()))
        refusal((NotProved,), payload, lambda: checking.check(keys, _proof_of(event, extra=False), event, (), payload))
    elif kind == 4:
        refusal(
            (NotProved,), payload, lambda: checking.check(payload, _proof_of(event, extra=False), event, (payload,))
        )
    else:
        name = (EVENT, STATEMENT, codec.NOTICE, codec.REFUSAL)[data[0] >> 3 & 3]
        refusal((CodecError, EnvelopeError), payload, lambda: codec.decode(name, payload))


def _event_entry() -> EventEntry:
    entry, _ = codec.decode(EVENT, entries()[0])
    assert isinstance(entry, EventEntry)
    return entry


def proofs_seeds() -> Iterator[bytes]:
    event, statement, record = entries()
    yield b"\x00" + _proof_of(event, extra=False)
    yield b"\x00" + _proof_of(statement, extra=True)
    yield b"\x01" + event
    yield b"\x01" + statement
    place = LogPlace(world.SUBMISSIONS, world.PARTITION, 9, 1_775_012_400_000)
    yield b"\x05" + event
    yield b"\x0d" + statement
    yield b"\x15" + codec.encode_notice(place, world.header(), bytes(32), "bad-mac")
    yield b"\x1d" + codec.encode_refusal(place, "bad-mac", bytes(32))
    yield b"\x02" + delivery.write(record, parse(outputs(parse(world.event().value), [None])[0]))
    yield b"\x03" + opening.write(world.event().value, _event_entry())
    yield b"\x04" + (_LOG.verifier().encode() + "\n").encode()


def _change(data: bytes, rng: random.Random) -> bytes:
    kind = data[0] & 7 if data else 0
    if kind in (2, 3):
        return mutate.as_json(1)(data, rng)
    return mutate.lines(1)(data, rng) if kind in (0, 4) else mutate.avro(1)(data, rng)


PROOFS = Target(
    "proofs",
    "log proofs, audit entries, delivery receipts, openings, and the check of all of them together",
    run_proofs,
    proofs_seeds,
    max_bytes=6_144,
    change=_change,
    words=(b"index ", b"extra ", b'"sections"'),
)


def run_merkle(data: bytes) -> None:
    """First bytes: sizes; the rest are hashes, a bundle, a name."""
    if len(data) < 6:
        return
    kind, size, other = data[0], int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:5], "big")
    size, other = (size << (kind & 48), other << (kind & 48)) if kind & 8 else (size, other)
    payload = data[5:]
    hashes = [payload[at : at + HASH_BYTES] for at in range(0, len(payload), HASH_BYTES)]
    first, *rest = hashes or [b""]
    verify_inclusion(first, other, size, rest, payload[-32:])
    verify_consistency(other, first, size, payload[-32:], rest)
    text = payload.decode("latin-1")
    name = TileName.parse(text)
    ensure(name is None or name.path == text, "an accepted address has one form")
    ensure(read_decimal(text) is None or str(read_decimal(text)) == text, "an accepted number has one form")
    # an error names the tile that was asked for, and nothing of what came
    for level in ("entries", "long-entries"):
        tile = Tile(TileName(level, 0, 1 + other % 256), payload)
        found = refusal((TilesDamaged,), b"", lambda tile=tile: unbundle(tile))  # type: ignore[misc]
        if found is not None and level == "long-entries" and any(len(each) > 65_535 for each in found):
            ensure(bundle(0, found).data == payload, "an accepted bundle has one form")
    try:
        frontier = Frontier.parse(payload)
        ensure(frontier.serialise() == payload, "an accepted frontier has one form")
        frontier.append(bytes(32))
        frontier.root()
    except ValueError:
        pass
    if not kind & 4:
        return
    tree = TiledTree(size, lambda asked: (payload * (1 + asked.width * 32 // max(1, len(payload))))[: asked.width * 32])
    if size:
        refusal((TilesDamaged,), b"", tree.root)
        path = refusal((TilesDamaged,), b"", lambda: tree.inclusion(other % size))
        leaf = refusal((TilesDamaged,), b"", lambda: tree.leaf(other % size))
        top = refusal((TilesDamaged,), b"", tree.root)
        if path is not None and leaf is not None and top is not None and size < 256:
            ensure(verify_inclusion(leaf, other % size, size, path, top), "a path out of tiles proves itself")
            short = TiledTree(size, lambda asked: payload if len(payload) == asked.width * 32 else None)
            refusal((TilesDamaged,), b"", short.root)
        refusal((TilesDamaged,), b"", lambda: tree.consistency(1 + other % size))
    edge = TileEdge()
    for each in hashes[:300]:
        edge.add(each)


def merkle_seeds() -> Iterator[bytes]:
    leaves = _leaves(7)
    yield b"\x00\x00\x07\x00\x03" + leaves[3] + b"".join(inclusion_proof(leaves, 3)) + root(leaves)
    yield b"\x00\x00\x07\x00\x05" + root(leaves[:5]) + b"".join(consistency_proof(leaves, 5)) + root(leaves)
    yield b"\x00\x00\x07\x00\x01" + bundle(0, [b"ab", b"c"]).data
    yield b"\x00\x00\x07\x00\x00" + b"\x00\x00\x00\x02ab"
    for path in (b"tile/0/x001/234.p/7", b"tile/entries/000", b"tile/63/x001/x234/067", b"tile/long-entries/999.p/255"):
        yield b"\x00\x00\x07\x00\x01" + path
    yield b"\x1c\x01\x07\x00\x05" + b"".join(leaves)
    yield b"\x04\x00\x07\x00\x05" + b"".join(leaves)
    frontier = Frontier(leaves)
    yield b"\x00\x00\x07\x00\x05" + frontier.serialise()
    yield b"\x00\x00\x01\x00\x00" + b"9223372036854775807"


MERKLE = Target(
    "merkle",
    "inclusion and consistency proofs, tiles, bundles, tile addresses, frontiers",
    run_merkle,
    merkle_seeds,
    max_bytes=1_024,
    words=(b"tile/", b".p/", b"/x000", b"entries/"),
)
