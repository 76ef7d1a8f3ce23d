"""Checkpoints of a transparency log and proofs of its entries as text (C2SP tlog-checkpoint, tlog-proof).

    checkpoint = signed note with the text  origin ‖ LF ‖ tree size ‖ LF ‖ base64(root) ‖ LF ‖ {extension ‖ LF}
                 (tlog-checkpoint, "Note text")

    proof = `c2sp.org/tlog-proof@v1` LF
            [`extra ` ‖ base64 ‖ LF]
            `index ` ‖ index ‖ LF
            {base64(hash) ‖ LF}          from the leaf's sibling upwards (RFC 6962, 2.1.1)
            LF
            checkpoint, verbatim         (tlog-proof, "Format")

Nothing here is believed by reading it: a checkpoint counts by its signatures, a proof by `proves`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Final, NoReturn

from hub.crypto.errors import CryptoError
from hub.crypto.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from hub.crypto.notes import (
    Note,
    NoteMalformed,
    NoteNotSigned,
    NoteSigner,
    SignatureType,
    VerifierKey,
    from_base64,
    to_base64,
)

MAX_SIZE: Final = 2**63 - 1
MAX_PROOF_HASHES: Final = 63
MAX_PROOF_BYTES: Final = 16 * 1024 * 1024
"""the extra line may hold an entry, and an entry a signed record of 4 MiB"""
_HEADER: Final = "c2sp.org/tlog-proof@v1"
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class CheckpointMalformed(CryptoError):
    """The text of a signed note is not a log's checkpoint."""

    code: ClassVar[str] = "checkpoint.malformed"


class ProofMalformed(CryptoError):
    """This is not a proof of a log's entry."""

    code: ClassVar[str] = "proof.malformed"


def read_decimal(text: str) -> int | None:
    """Read a number in decimal without leading zeroes, below 2^63; None if it is none."""
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        return None
    return int(text)


@dataclass(frozen=True, slots=True)
class TreeCheckpoint:
    """What a log says of its tree: its own name, how many leaves, and their tree hash."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Write the note's text."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> TreeCheckpoint:
        """Read a note's text. Raises CheckpointMalformed."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not all(lines):
            raise CheckpointMalformed("(lines)")
        size = read_decimal(lines[1])
        try:
            root = from_base64(lines[2])
        except NoteMalformed:
            raise CheckpointMalformed("(root)") from None
        if size is None or len(root) != HASH_BYTES:
            raise CheckpointMalformed("(size or root)")
        return cls(lines[0], size, root, tuple(lines[3:]))


def sign_checkpoint(checkpoint: TreeCheckpoint, signer: NoteSigner) -> Note:
    """Return the checkpoint as the log signs it; the key's name is the origin (tlog-checkpoint, "Signatures")."""
    if signer.name != checkpoint.origin:
        raise NoteMalformed("(key name and origin differ)")
    return signer.sign(checkpoint.text())


def open_checkpoint(note: Note, keys: Collection[VerifierKey]) -> TreeCheckpoint:
    """Return the checkpoint of a note that one of a log's keys signed, under the origin of that key's name.

    Raises CheckpointMalformed or NoteNotSigned; a bad signature of any of the keys refuses the whole note.
    """
    checkpoint = TreeCheckpoint.parse(note.text)
    signed = note.signed_by(keys)
    if not any(key.kind is SignatureType.ED25519 and key.name == checkpoint.origin for key, _ in signed):
        raise NoteNotSigned("(none of the log's keys)")
    return checkpoint


@dataclass(frozen=True, slots=True)
class LogProof:
    """That an entry is in a log: where, the hashes from leaf to root, and the checkpoint with its signatures."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes | None = None
    """not authenticated by itself (tlog-proof, "Format")"""

    def encode(self) -> bytes:
        """Write the proof."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(f"extra {to_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [to_base64(each) for each in self.hashes]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint.encode()

    @classmethod
    def parse(cls, data: bytes) -> LogProof:
        """Read a proof. Raises ProofMalformed or NoteMalformed."""
        if len(data) > MAX_PROOF_BYTES:
            _no_proof("too large")
        head, blank, checkpoint = data.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            _no_proof("characters")
        if not blank or lines.pop(0) != _HEADER or not lines:
            _no_proof("first line")
        extra = None
        if lines[0].startswith("extra "):
            extra = from_base64(lines.pop(0).removeprefix("extra "))
        if not lines or not lines[0].startswith("index "):
            _no_proof("index")
        index = read_decimal(lines.pop(0).removeprefix("index "))
        if index is None or len(lines) > MAX_PROOF_HASHES:
            _no_proof("index or hashes")
        hashes = tuple(from_base64(line) for line in lines)
        if any(len(each) != HASH_BYTES for each in hashes):
            _no_proof("hash")
        return cls(index, hashes, Note.parse(checkpoint), extra)

    def proves(self, entry: bytes, checkpoint: TreeCheckpoint) -> bool:
        """Say whether the entry is at `index` of the tree; the caller has the checkpoint's signatures verified."""
        return verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.hashes, checkpoint.root)


def _no_proof(what: str) -> NoReturn:
    raise ProofMalformed(f"({what})") from None
