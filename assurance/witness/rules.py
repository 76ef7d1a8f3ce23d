"""What a witness answers to `add-checkpoint`: pure, in the order of the specification (C2SP tlog-witness).

request = `old ` ‖ size ‖ LF ‖ {base64(hash) ‖ LF} ‖ LF ‖ checkpoint        at most 63 hashes
answer  = 200 and a cosignature line
        | 404 unknown origin | 403 not signed by the log | 400 malformed, or old size above the checkpoint's
        | 409 and the size last cosigned ‖ LF, text/x.tlog.size | 422 not consistent
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from hub.crypto.checkpoints import MAX_PROOF_HASHES, CheckpointMalformed, TreeCheckpoint, open_checkpoint, read_decimal
from hub.crypto.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from hub.crypto.notes import MAX_NOTE_BYTES, Note, NoteMalformed, NoteNotSigned, VerifierKey, from_base64
from schemas.errors import HubError

MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 4_096
SIZE_TYPE: Final = "text/x.tlog.size"


class BadRequest(HubError):
    """This is not an add-checkpoint request."""

    code: ClassVar[str] = "witness.bad-request"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request as it was read; nothing in it is believed yet."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: TreeCheckpoint


@dataclass(frozen=True, slots=True)
class Accepted:
    """The checkpoint may be remembered and cosigned; `note` has only the log's own good signatures."""

    checkpoint: TreeCheckpoint
    note: Note


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why it may not: the HTTP status.

    `evidence` is what the log signed and was not shown to be consistent, with the log's signatures only, so
    that nobody else can make two of one.
    """

    status: int
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    evidence: Note | None = None


def read_request(body: bytes) -> AddCheckpoint:
    """Read a request body. Raises BadRequest."""
    if len(body) > MAX_REQUEST_BYTES:
        raise BadRequest("(too large)")
    head, blank, rest = body.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
        if not blank or not lines[0].startswith("old ") or len(lines) > 1 + MAX_PROOF_HASHES:
            raise BadRequest("(lines)")
        old_size = read_decimal(lines[0].removeprefix("old "))
        proof = tuple(from_base64(line) for line in lines[1:])
        note = Note.parse(rest)
        checkpoint = TreeCheckpoint.parse(note.text)
    except UnicodeDecodeError:
        raise BadRequest("(characters)") from None
    except (NoteMalformed, CheckpointMalformed) as problem:
        raise BadRequest(problem.code) from problem
    if old_size is None or any(len(each) != HASH_BYTES for each in proof):
        raise BadRequest("(old size or hashes)")
    return AddCheckpoint(old_size, proof, note, checkpoint)


def judge(
    request: AddCheckpoint, latest: TreeCheckpoint | None, logs: Mapping[str, Sequence[VerifierKey]]
) -> Accepted | Rejected:
    """Decide on a request; `latest` is what was cosigned last for its origin, `logs` the trusted keys by origin."""
    now, old = request.checkpoint, request.old_size
    keys = logs.get(now.origin)
    if keys is None:
        return Rejected(404)
    try:
        open_checkpoint(request.note, keys)
        own = Note(request.note.text, tuple(mark for _, mark in request.note.signed_by(keys)))
    except NoteNotSigned:
        return Rejected(403)
    if old > now.size:
        return Rejected(400)
    known_size, known_root = (0, EMPTY_ROOT) if latest is None else (latest.size, latest.root)
    if old != known_size:
        return Rejected(409, f"{known_size}\n", SIZE_TYPE)
    if now.size == 0 and now.root != EMPTY_ROOT:
        return Rejected(422, evidence=own)
    # Of two trees of one size this is also the comparison of their roots.
    if not verify_consistency(old, known_root, now.size, now.root, request.proof):
        # A wrong proof may be its sender's fault; with another checkpoint of the log it may be shown which.
        return Rejected(422, evidence=own)
    return Accepted(now, own)
