"""Submissions that do not fit into one event: attachments travel as parts, each a sealed event of its own.

    event 1..n  procedure `attachment-part`, same receipt number, so the same partition and in order
                section = AttachmentPart {position, part of parts, up to 4 MiB}
    event n+1   the submission; its ReviewSection names, for each attachment in parts, size, SHA-256
                and (event id, leaf) of every part

Every part has its own id, leaf, sequence and checkpoint, so nothing about loss, order or replay is new
(docs/decisions/0100-attachments-in-parts.md). Pure; the portal sends, the desks put together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from schemas import codec
from schemas.catalogue import procedures
from schemas.checks import MAX_ATTACHMENT_BYTES
from schemas.codec import CodecError
from schemas.errors import HubError
from schemas.judging import PortalFindings
from schemas.sections import helpdesk_section, read_review_section, review_section
from schemas.submission_model import Submission

ATTACHMENT_PART: Final = "attachment-part"
"""the `procedure` of a part's header; no filing has it"""
PART_VERSION: Final = 1
PART_BYTES: Final = 4 * 2**20 - 4_096
"""a part with its frame stays within 4 MiB, where padding adds least"""
MAX_WHOLE_BYTES: Final = 7 * 2**20
"""sections up to this size together travel in one event of at most 8 MiB, padding included"""
MAX_PARTS: Final = 256
"""of one submission; its attachments together are at most MAX_ATTACHMENT_BYTES (schemas.checks)"""
_SMALL_BYTES: Final = 4 * 2**10
"""attachments below this size stay with their submission"""
SECTION: Final = "ReviewSection"
PART: Final = "AttachmentPart"


class AttachmentIncomplete(HubError):
    """A part of an attachment has not arrived."""

    code = "attachment.incomplete"
    hint = "Look for its dead letter (`dead-letters list`), replay it, and ask again."


class AttachmentDamaged(HubError):
    """The parts do not give the attachment that the submission names."""

    code = "attachment.damaged"
    hint = "Keep everything as evidence and ask the filer to file again."


@dataclass(frozen=True, slots=True)
class PartName:
    """The event that holds one part."""

    event_id: str
    leaf: bytes


@dataclass(frozen=True, slots=True)
class LargeAttachment:
    """An attachment in parts: its place from 0, its size in bytes, SHA-256, and its parts in order."""

    position: int
    size: int
    sha256: bytes
    parts: tuple[PartName, ...]

    def as_value(self) -> dict[str, Any]:
        """Return the Avro value."""
        return {
            "position": self.position,
            "size": self.size,
            "sha256": self.sha256,
            "parts": [{"event_id": each.event_id, "leaf": each.leaf} for each in self.parts],
        }


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the attachment at `position`: number `part` (from 0) of `parts`."""

    receipt_number: str
    tenant: str
    position: int
    part: int
    parts: int
    content: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the framed AttachmentPart."""
        return codec.encode(
            PART,
            {
                "receipt_number": self.receipt_number,
                "tenant": self.tenant,
                "position": self.position,
                "part": self.part,
                "parts": self.parts,
                "content": self.content,
            },
        )


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review section, read. `section` is the framed record of the procedure, as it would stand alone."""

    submission: Submission
    section: bytes = field(repr=False)
    portal: PortalFindings | None
    large: tuple[LargeAttachment, ...]

    @property
    def unseen(self) -> frozenset[int]:
        """The places of attachments whose bytes are not here."""
        return frozenset(each.position for each in self.large)


def split(submission: Submission) -> tuple[Submission, tuple[int, ...]]:
    """Decide which attachments travel in parts: the largest first, until the rest fits into one event.

    Both sections count, for they share the event. Returns the submission without the contents that travel in
    parts, and their places in ascending order.
    """
    whole = len(review_section(submission)) + len(helpdesk_section(submission))
    chosen: list[int] = []
    sizes = sorted(((len(each.content), -place) for place, each in enumerate(submission.attachments)), reverse=True)
    for size, place in sizes:
        if whole <= MAX_WHOLE_BYTES or size <= _SMALL_BYTES:
            break
        chosen.append(-place)
        whole -= size
    places = tuple(sorted(chosen))
    attachments = tuple(
        replace(each, content=b"") if place in places else each for place, each in enumerate(submission.attachments)
    )
    return replace(submission, attachments=attachments) if places else submission, places


def parts_of(submission: Submission, position: int) -> Iterator[Part]:
    """Cut one attachment."""
    content = submission.attachments[position].content
    count = -(-len(content) // PART_BYTES)
    for number in range(count):
        piece = content[number * PART_BYTES : (number + 1) * PART_BYTES]
        yield Part(submission.receipt_number, submission.tenant, position, number, count, piece)


def name_large(submission: Submission, position: int, parts: Sequence[PartName]) -> LargeAttachment:
    """Say what the attachment at `position` is and where its parts are."""
    content = submission.attachments[position].content
    return LargeAttachment(position, len(content), sha256(content).digest(), tuple(parts))


def name_beforehand(submission: Submission, position: int) -> LargeAttachment:
    """Return a name as long as the one that `name_large` will give, before any part is sent."""
    count = -(-len(submission.attachments[position].content) // PART_BYTES)
    return name_large(submission, position, [PartName("0" * 36, number.to_bytes(32, "big")) for number in range(count)])


def encode_section(submission: Submission, portal: PortalFindings, large: Sequence[LargeAttachment] = ()) -> bytes:
    """Return the framed ReviewSection. Contents of attachments in parts must be empty already."""
    return codec.encode(
        SECTION,
        {
            "submission": review_section(submission),
            "rules": portal.rules,
            "findings": [{"path": path, "rule": rule} for path, rule in portal.found],
            "large": [each.as_value() for each in large],
        },
    )


def read_section(framed: bytes) -> Reviewed:
    """Read a review section; a bare record of a procedure (as first written) is one, too. Raises CodecError."""
    decoded = codec.decode(framed, _accepted())
    if decoded.name != SECTION:
        return Reviewed(read_review_section(framed), framed, None, ())
    value = decoded.value
    section: bytes = value["submission"]
    submission = read_review_section(section)
    return Reviewed(
        submission,
        section,
        PortalFindings(value["rules"], tuple((each["path"], each["rule"]) for each in value["findings"])),
        read_large(value["large"], submission),
    )


def read_large(values: Sequence[Mapping[str, Any]], submission: Submission) -> tuple[LargeAttachment, ...]:
    """Read the names of parts.

    Raises CodecError if they do not belong to the submission's attachments, or if putting them together would
    take more than any portal lets through: nobody fetches a part before that is known.
    """
    large = tuple(
        LargeAttachment(
            each["position"],
            each["size"],
            each["sha256"],
            tuple(PartName(part["event_id"], part["leaf"]) for part in each["parts"]),
        )
        for each in values
    )
    places = [each.position for each in large]
    count = len(submission.attachments)
    if places != sorted(set(places)) or any(not 0 <= place < count for place in places):
        raise CodecError(SECTION)
    for each in large:
        fits = 0 < len(each.parts) <= each.size <= len(each.parts) * PART_BYTES
        if not fits or submission.attachments[each.position].content:
            raise CodecError(SECTION)
    names = [name for each in large for name in each.parts]
    if len(names) > MAX_PARTS or len(set(names)) != len(names):
        raise CodecError(SECTION)
    if sum(each.size for each in large) > MAX_ATTACHMENT_BYTES:
        raise CodecError(SECTION)
    return large


def _accepted() -> frozenset[str]:
    return frozenset({SECTION, *(each.record_name for each in procedures().values())})


def read_part(framed: bytes) -> Part:
    """Read an AttachmentPart. Raises CodecError."""
    value = codec.decode(framed, {PART}).value
    part = Part(**value)
    if not 0 <= part.part < part.parts <= MAX_PARTS or not 0 < len(part.content) <= PART_BYTES:
        raise CodecError(PART)
    return part


def join(submission: Submission, large: LargeAttachment, parts: Sequence[Part | None]) -> bytes:
    """Put an attachment of a submission together. Raises AttachmentIncomplete, AttachmentDamaged."""
    pieces = [part for part in parts if part is not None]
    if not len(pieces) == len(parts) == len(large.parts):
        raise AttachmentIncomplete
    if not all(belongs(submission, large, number, part) for number, part in enumerate(pieces)):
        raise AttachmentDamaged
    if sum(len(part.content) for part in pieces) != large.size:
        raise AttachmentDamaged
    whole = b"".join(part.content for part in pieces)
    if sha256(whole).digest() != large.sha256:
        raise AttachmentDamaged
    return whole


def belongs(submission: Submission, large: LargeAttachment, number: int, part: Part) -> bool:
    """Say whether a part is number `number` of this attachment, of this filing and of no other."""
    place = (part.receipt_number, part.tenant, part.position, part.part, part.parts)
    return place == (submission.receipt_number, submission.tenant, large.position, number, len(large.parts))


def completed(submission: Submission, contents: Mapping[int, bytes]) -> Submission:
    """Return the submission with the contents of attachments in parts, by place."""
    attachments = tuple(
        replace(each, content=contents.get(place, each.content)) for place, each in enumerate(submission.attachments)
    )
    return replace(submission, attachments=attachments)
