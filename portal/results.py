"""What the portal end answers for each submission; the JSON form of `submit --json`."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from schemas.rules import Finding
from schemas.submission import Problem


class Status(enum.StrEnum):
    """`accepted` and `duplicate` mean: journaled here, and acknowledged by all in-sync replicas."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """Why a submission was refused: where in the document, by which rule, in two languages."""

    path: str
    rule: str
    message: str
    message_ja: str


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one submission. `receipt_number` is null where the document does not say one."""

    receipt_number: str | None
    event_id: str | None
    status: Status
    errors: tuple[ErrorEntry, ...] = ()
    findings: tuple[ErrorEntry, ...] = ()
    """what the rules of substance say; they refuse nothing"""

    def as_json(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "receipt_number": self.receipt_number,
            "event_id": self.event_id,
            "status": self.status.value,
            "errors": [asdict(error) for error in self.errors],
            "findings": [asdict(finding) for finding in self.findings],
        }


def accepted(receipt_number: str, event_id: str, found: Iterable[Finding]) -> Result:
    """Answer a submission that all in-sync replicas hold, with what the rules found."""
    return Result(
        receipt_number,
        event_id,
        Status.ACCEPTED,
        (),
        tuple(ErrorEntry(each.path, each.rule, each.message, each.message_ja) for each in found),
    )


def refused(problems: Iterable[Problem], receipt_number: str | None = None) -> Result:
    """Answer a document that the parser does not let through; with its receipt number if that is well-formed."""
    return Result(
        receipt_number,
        None,
        Status.REFUSED,
        tuple(ErrorEntry(found.path, found.rule, found.message, found.message_ja) for found in problems),
    )


def too_large(receipt_number: str) -> Result:
    """Answer a submission whose sealed event would pass the ingress limit."""
    return Result(
        receipt_number,
        None,
        Status.REFUSED,
        (
            ErrorEntry(
                "$",
                "limit.event",
                "The sealed submission would be larger than 8 MiB; send fewer or smaller attachments.",
                "封印後の申請データが8 MiBを超えます。添付ファイルを減らすか小さくしてください。",
            ),
        ),
    )


def void(receipt_number: str, event_id: str) -> Result:
    """Answer a submission that Kafka refused for good; a signed checkpoint lists it as void."""
    return Result(
        receipt_number,
        event_id,
        Status.REFUSED,
        (
            ErrorEntry(
                "$",
                "event.void",
                "The message broker refused this event for good; it is listed as void. Tell the operator.",
                "メッセージ基盤がこのイベントを受け付けず、無効として記録されました。運用担当者に連絡してください。",
            ),
        ),
    )
