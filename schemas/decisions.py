"""What a desk may decide, why, and what follows: pure. Also the records that carry a decision.

             accept          return          hold           revoke
stored       accepted        returned        held           -
held         accepted        returned        -              -
accepted     -               -               -              revoked
returned     -               -               -              revoked
revoked      accepted        returned        held           -
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final
from unicodedata import category

from schemas import codec
from schemas.catalogue import TAX_ITEMS
from schemas.codec import CodecError
from schemas.errors import HubError
from schemas.parts import LargeAttachment, read_large
from schemas.sections import read_review_section
from schemas.submission_model import Submission

MAX_MESSAGE_CHARACTERS: Final = 2_000
_TIMES: Final = range(253_402_300_800_000)
"""milliseconds from 1970 to before the year 10000 (docs/envelope.md, "Words")"""
RECORD: Final = "Decision"
ACCEPTED_RECORD: Final = "AcceptedSubmission"


class Decision(StrEnum):
    """What the desk decides."""

    ACCEPT = "accept"
    RETURN = "return"
    HOLD = "hold"
    REVOKE = "revoke"


STATUS_AFTER: Final = {
    Decision.ACCEPT: "accepted",
    Decision.RETURN: "returned",
    Decision.HOLD: "held",
    Decision.REVOKE: "revoked",
}
_ALLOWED: Final = {
    "stored": {Decision.ACCEPT, Decision.RETURN, Decision.HOLD},
    "held": {Decision.ACCEPT, Decision.RETURN},
    "accepted": {Decision.REVOKE},
    "returned": {Decision.REVOKE},
    "revoked": {Decision.ACCEPT, Decision.RETURN, Decision.HOLD},
}

_BACK: Final = frozenset({Decision.RETURN, Decision.HOLD})

REASONS: Final[dict[str, tuple[frozenset[Decision], str, str]]] = {
    "complete": (frozenset({Decision.ACCEPT}), "complete and consistent", "内容に不備なし"),
    "complete-after-inquiry": (frozenset({Decision.ACCEPT}), "complete after an inquiry", "照会の結果、不備なし"),
    "with-findings": (frozenset({Decision.ACCEPT}), "accepted although rules found something", "指摘を確認のうえ受理"),
    "item-missing": (_BACK, "an item is missing", "記載漏れ"),
    "item-inconsistent": (_BACK, "items contradict each other", "記載内容の矛盾"),
    "number-invalid": (
        _BACK,
        "a number is not valid",
        "個人番号・法人番号の誤り",
    ),
    "attachment-missing": (_BACK, "an attachment is missing", "添付書類の不足"),
    "attachment-unreadable": (
        _BACK,
        "an attachment cannot be read",
        "添付書類が確認できない",
    ),
    "wrong-addressee": (frozenset({Decision.RETURN}), "addressed to another municipality", "提出先の誤り"),
    "not-applicable": (frozenset({Decision.RETURN}), "the procedure does not apply", "対象外の手続"),
    "duplicate": (frozenset({Decision.RETURN}), "filed twice", "重複した提出"),
    "withdrawn": (frozenset({Decision.RETURN, Decision.REVOKE}), "withdrawn by the filer", "申請者による取下げ"),
    "superseded": (frozenset({Decision.RETURN, Decision.REVOKE}), "a correction has come", "訂正の提出あり"),
    "inquiry": (frozenset({Decision.HOLD}), "under inquiry", "照会中"),
    "decided-in-error": (frozenset({Decision.REVOKE}), "the decision was an error", "処分の誤り"),
}
"""reason code → for which decisions, and what it means in English and Japanese"""


class DecisionRefused(HubError):
    """This decision is not possible."""

    code = "decision.refused"


class DecisionNotAllowed(DecisionRefused):
    """The submission's status does not allow this decision."""

    code = "decision.not-allowed"
    hint = "`review show` tells the status; what was decided is revoked first."


class ReasonUnknown(DecisionRefused):
    """This reason is not in the closed list for this decision."""

    code = "decision.reason"
    hint = "`review reasons` lists the codes for each decision."


class MessageTooLong(DecisionRefused):
    """The message to the filer is over the limit, or holds control characters."""

    code = "decision.message"
    hint = "At most 2,000 characters of text with line breaks; nothing was decided."


class MessageMissing(DecisionRefused):
    """A filer to whom something is returned must be told why."""

    code = "decision.message-missing"
    hint = "Say with --message what is to be done."


class TaxItemUnknown(DecisionRefused):
    """There is no such tax item, or none is given."""

    code = "decision.tax-item"
    hint = f"Name one or more of {', '.join(TAX_ITEMS)} with --tax-item when you accept, and none otherwise."


class AnswerDateInvalid(DecisionRefused):
    """The date until which an answer is asked for is not possible."""

    code = "decision.answer-by"
    hint = "YYYY-MM-DD, later than today, with return or hold only."


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asks for. `answer_by` is a date in Japan."""

    decision: Decision
    reason: str
    message: str | None = field(default=None, repr=False)
    tax_items: tuple[str, ...] = ()
    answer_by: date | None = None


def check(order: Order, status: str, today: date, tax_items: Collection[str] = TAX_ITEMS) -> None:
    """Raise a DecisionRefused if an order is not possible for a submission of this status. Pure."""
    if order.decision not in _ALLOWED.get(status, set()):
        raise DecisionNotAllowed(f"{order.decision.value} while {status}")
    for_decisions = REASONS.get(order.reason, (frozenset(), "", ""))[0]
    if order.decision not in for_decisions:
        raise ReasonUnknown(f"for {order.decision.value}")
    if order.message is not None and not _is_message(order.message):
        raise MessageTooLong(f"{len(order.message)} characters")
    if order.decision is Decision.RETURN and not _says_something(order.message or ""):
        raise MessageMissing
    accepts = order.decision is Decision.ACCEPT
    named = order.tax_items
    if accepts != bool(named) or not set(named) <= set(tax_items) or len(set(named)) != len(named):
        raise TaxItemUnknown
    if order.answer_by is not None and (
        order.answer_by <= today or order.decision not in (Decision.RETURN, Decision.HOLD)
    ):
        raise AnswerDateInvalid


def _is_message(text: str) -> bool:
    """Say whether a text may go to a filer: it is shown on terminals, where C1 controls are commands, too."""
    return len(text) <= MAX_MESSAGE_CHARACTERS and all(c in "\t\n\r" or category(c) not in ("Cc", "Cs") for c in text)


def _says_something(text: str) -> bool:
    return any(c.isprintable() and not c.isspace() for c in text)


def is_day(text: str) -> bool:
    """Say whether a text is a day as YYYY-MM-DD, and nothing else that ISO 8601 allows."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _countable(value: Mapping[str, Any]) -> bool:
    """Tell whether revision and time are ones that a desk gives: readers compute with them."""
    return value["revision"] >= 1 and value["decided_at"] in _TIMES


def reasons_for(decision: Decision) -> list[str]:
    """Return the reason codes of a decision."""
    return [code for code, (decisions, _, _) in REASONS.items() if decision in decisions]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """What a decision says to those who are told. `decided_at` is milliseconds since 1970 UTC."""

    receipt_number: str
    tenant: str
    procedure: str
    revision: int
    decision: str
    reason: str
    message: str | None = field(repr=False)
    tax_items: tuple[str, ...]
    answer_by: str | None
    decided_at: int

    def encode(self, *, with_message: bool) -> bytes:
        """Return the framed record; without the message for the helpdesk."""
        return codec.encode(
            RECORD,
            {
                "receipt_number": self.receipt_number,
                "tenant": self.tenant,
                "procedure": self.procedure,
                "revision": self.revision,
                "decision": self.decision,
                "reason": self.reason,
                "message": self.message if with_message else None,
                "tax_items": list(self.tax_items),
                "answer_by": self.answer_by,
                "decided_at": self.decided_at,
            },
        )

    @classmethod
    def decode(cls, framed: bytes) -> DecisionRecord:
        """Read one. Raises CodecError, also if it says what no desk may say."""
        value = codec.decode(framed, {RECORD}).value
        message, answer_by = value["message"], value["answer_by"]
        if value["decision"] not in set(Decision) or not _countable(value):
            raise CodecError(RECORD)
        if (message is not None and not _is_message(message)) or (answer_by is not None and not is_day(answer_by)):
            raise CodecError(RECORD)
        return cls(**{**value, "tax_items": tuple(value["tax_items"])})


@dataclass(frozen=True, slots=True)
class AcceptedRecord:
    """What one tax team gets. `submission` is None if the acceptance is revoked."""

    receipt_number: str
    tenant: str
    tax_item: str
    decision: str
    reason: str
    revision: int
    decided_at: int
    submission: Submission | None = field(repr=False)
    large: tuple[LargeAttachment, ...] = ()

    @classmethod
    def decode(cls, framed: bytes) -> AcceptedRecord:
        """Read one. Raises CodecError."""
        value = codec.decode(framed, {ACCEPTED_RECORD}).value
        revoked = value["decision"] == Decision.REVOKE.value
        if revoked != (value["submission"] is None) or value["decision"] not in (Decision.ACCEPT, Decision.REVOKE):
            raise CodecError(ACCEPTED_RECORD)
        if not _countable(value) or (revoked and value["large"]):
            raise CodecError(ACCEPTED_RECORD)
        submission = None if revoked else read_review_section(value["submission"])
        large = () if submission is None else read_large(value["large"], submission)
        if submission is not None:
            about = (submission.receipt_number, submission.tenant)
            if about != (value["receipt_number"], value["tenant"]):
                raise CodecError(ACCEPTED_RECORD)
        said: dict[str, Any] = {**value, "submission": submission, "large": large}
        return cls(**said)


def encode_accepted(
    record: DecisionRecord, tax_item: str, section: bytes | None, large: Sequence[LargeAttachment] = ()
) -> bytes:
    """Return the framed AcceptedSubmission; `section` is the procedure's framed record, None on a revocation."""
    return codec.encode(
        ACCEPTED_RECORD,
        {
            "receipt_number": record.receipt_number,
            "tenant": record.tenant,
            "tax_item": tax_item,
            "decision": record.decision,
            "reason": record.reason,
            "revision": record.revision,
            "decided_at": record.decided_at,
            "submission": section,
            "large": [each.as_value() for each in large],
        },
    )
