"""Checks a proof from files alone: the log's public key, the proof, and the entry or the filer's receipt.

Needs no hub, no trust file and no clock. What is handed in is hostile until the signature of the log holds:
every file has a limit and one form, and a file that says anything else than what was signed is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final, NoReturn

from consumers.audit import codec
from consumers.audit.codec import STATEMENT, kind_of
from consumers.audit.entries import Entry, EventEntry
from consumers.audit.opening import NotOpened
from consumers.audit.opening import read as read_opening
from hub.crypto.checkpoints import CheckpointMalformed, LogProof, ProofMalformed, open_checkpoint
from hub.crypto.notes import NoteMalformed, NoteNotSigned, SignatureType, VerifierKey, cosigned_at, read_keys
from hub.envelope import delivery
from hub.envelope.delivery import DeliveryReceipt, NoDeliveryReceipt
from hub.envelope.header import EventHeader
from hub.envelope.reasons import EnvelopeError
from hub.envelope.records import StoredReceipt
from hub.envelope.signed import Signed
from schemas.codec import CodecError
from schemas.errors import HubError

MAX_ENTRY_BYTES: Final = 8 * 1024 * 1024
MAX_KEY_BYTES: Final = 64 * 1024


class NotProved(HubError):
    """These files prove nothing."""

    code: ClassVar[str] = "audit.not-proved"
    hint: ClassVar[str] = "Ask for the files again; if they come the same, somebody altered them or the log."


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness's word: by whom, and when as it says."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proved:
    """What the three files prove."""

    origin: str
    key_id: bytes
    size: int
    root: bytes
    index: int
    entry: bytes
    kind: str
    meaning: Entry | None
    cosigned: tuple[Cosigned, ...]
    receipt: DeliveryReceipt | None = None
    header: EventHeader | None = None
    """the event's header, if its opening was given: it names the receipt number"""


def check(
    keys: bytes, proof: bytes, entry: bytes, witnesses: Sequence[bytes] = (), opening: bytes | None = None
) -> Proved:
    """Verify a proof; `entry` is the entry's bytes or a delivery receipt, each witness file demands a cosignature.

    With an `opening` the entry must be an event's, and its header is shown too.

    Raises NotProved, whatever is wrong.
    """
    for data, limit in (
        (keys, MAX_KEY_BYTES),
        (entry, MAX_ENTRY_BYTES),
        *((each, MAX_KEY_BYTES) for each in witnesses),
    ):
        if len(data) > limit:
            _refuse("a file is too large")
    try:
        log = [key for key in read_keys(keys) if key.kind is SignatureType.ED25519]
        said = LogProof.parse(proof)
        asked = [read_keys(each) for each in witnesses]
        known = [key for each in asked for key in each]
        if not all(key.kind.cosigns for key in known):
            _refuse("a witness key is no witness's")
        checkpoint = open_checkpoint(said.checkpoint, [*log, *known])
        signed = said.checkpoint.signed_by([*log, *known])
    except (NoteMalformed, ProofMalformed, CheckpointMalformed, NoteNotSigned) as problem:
        raise NotProved(str(problem)) from problem
    names = [(key, each) for key, each in signed]
    for group in asked:
        if not any(key in group for key, _ in names):
            _refuse("a witness did not cosign")
    framed, receipt = _entry_of(entry, said)
    if not said.proves(framed, checkpoint):
        _refuse("the entry is not at that place of the tree")
    kind, meaning = _meaning(framed)
    header = None
    if opening is not None:
        if not isinstance(meaning, EventEntry):
            _refuse("an opening was given, and the entry is no event's")
        try:
            header = read_opening(opening, meaning)
        except NotOpened as problem:
            raise NotProved(str(problem)) from problem
    return Proved(
        checkpoint.origin,
        next(key.id for key, _ in names if key in log and key.name == checkpoint.origin),
        checkpoint.size,
        checkpoint.root,
        said.index,
        framed,
        kind,
        meaning,
        tuple(_cosigned(key, each.signature) for key, each in names if key in known),
        receipt,
        header,
    )


def _refuse(why: str) -> NoReturn:
    raise NotProved(f"({why})")


def _cosigned(key: VerifierKey, signature: bytes) -> Cosigned:
    seconds = cosigned_at(signature) or 0
    try:
        return Cosigned(key.name, datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        _refuse("a witness's time")


def _meaning(framed: bytes) -> tuple[str, Entry | None]:
    """Read what an entry says; it is in the log, so this hub wrote it, or a version that we do not know."""
    try:
        kind = kind_of(framed)
        return kind, codec.decode(kind, framed)[0]
    except (CodecError, EnvelopeError) as problem:
        raise NotProved("(the entry is of no known kind)") from problem


def _entry_of(entry: bytes, said: LogProof) -> tuple[bytes, DeliveryReceipt | None]:
    """Return the entry's bytes: as given, or out of the proof if a delivery receipt was given."""
    if not entry.startswith(b"{"):
        if said.extra is not None and said.extra != entry:
            _refuse("the entry is not the one that the proof speaks of")
        return entry, None
    if said.extra is None:
        _refuse("the proof holds no entry, and a receipt was given")
    return said.extra, _receipt(entry, said.extra)


def _same(one: Signed, other: Signed) -> bool:
    """Say whether these are one record: the same body, with a signature in common.

    Who carries a record to one of its readers can add a signature that counts for nobody; bytes prove nothing then.
    """
    return one.body == other.body and bool(set(one.signatures) & set(other.signatures))


def _receipt(document: bytes, framed: bytes) -> DeliveryReceipt:
    """Compare a delivery receipt with the signed record that the log holds."""
    try:
        receipt = delivery.read(document)
        statement = codec.decode(STATEMENT, framed)[1] if kind_of(framed) == STATEMENT else None
    except NoDeliveryReceipt as problem:
        raise NotProved(f"(the receipt: {problem.detail})") from problem
    except (CodecError, EnvelopeError) as problem:
        raise NotProved("(the entry in the proof cannot be read)") from problem
    if statement is None or statement.name != StoredReceipt.RECORD:
        _refuse("the proof is not of a desk's receipt; ask for one made with --stored")
    if not _same(statement.signed, Signed.parse(receipt.record)):
        _refuse("the receipt's record is not the one in the log")
    if not receipt.agrees:
        _refuse("the receipt speaks of another event")
    return receipt
