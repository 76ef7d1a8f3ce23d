"""Everything that the rules say of a submission, at the portal end and again at the review desk.

Both ends apply the rules that they have. The portal's findings travel inside the sealed section with the
fingerprint of its rule table; where the desk finds otherwise under the same table, that is a finding too:
one of the two ends was changed, or the submission was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Final

from schemas import media
from schemas.rules import Finding, Severity, findings, rules_fingerprint, severity
from schemas.submission_model import Submission

DIFFER: Final = "findings.differ"
OTHER_RULES: Final = "findings.other-rules"
MESSAGES: Final = {
    DIFFER: (
        "The portal's findings are not those of the desk, under the same rules.",
        "同じ規則表で、ポータル側の指摘と審査側の指摘が一致しません。",
    ),
    OTHER_RULES: (
        "The portal applied another version of the rules and found otherwise.",
        "ポータル側は別の版の規則表を用い、異なる指摘をしました。",
    ),
}
INCOMPLETE: Final = "attachment.incomplete"
DAMAGED: Final = "attachment.damaged"
UNKNOWN_LINK: Final = "link.unknown"
OTHER_PROCEDURE: Final = "link.other-procedure"
AT_THE_DESK: Final = {
    INCOMPLETE: ("A part of this attachment has not arrived.", "この添付ファイルの一部が届いていません。"),
    DAMAGED: (
        "The parts are not those of this attachment.",
        "分割された部分がこの添付ファイルのものではありません。",
    ),
    UNKNOWN_LINK: ("No submission is stored under this receipt.", "この受付番号の申請は保管されていません。"),
    OTHER_PROCEDURE: ("That receipt is of another procedure.", "その受付番号は別の手続のものです。"),
}
"""what the desk finds in what it has stored; judged anew whenever somebody looks"""


def at_the_desk(path: str, rule: str) -> Finding:
    """Return a finding that needs the store of the desk. Raises KeyError for another rule."""
    return Finding(path, rule, *AT_THE_DESK[rule])


def asks(found: Finding) -> bool:
    """Say whether a finding asks something of the reviewer; notes do not, and what no table here knows does."""
    return weight(found) is not Severity.NOTE


def weight(found: Finding) -> Severity:
    """Return a finding's severity; findings about attachments, links and differences ask for another look."""
    return severity(found.rule) or Severity.ASK


@dataclass(frozen=True, slots=True)
class PortalFindings:
    """What the portal end found: by which rules (16 hex digits), and (path, rule id) of each finding."""

    rules: str
    found: tuple[tuple[str, str], ...]


@cache
def fingerprint() -> str:
    """Return 16 hex digits that change with the rules of substance and of attachments."""
    text = "\n".join((rules_fingerprint(), media.tables_fingerprint()))
    return sha256(text.encode()).hexdigest()[:16]


def judge(submission: Submission, *, unseen: Collection[int] = ()) -> tuple[Finding, ...]:
    """Apply all rules. `unseen` are places of attachments whose bytes are not here."""
    found = list(findings(submission))
    for position, attachment in enumerate(submission.attachments):
        if position not in unseen:
            found.extend(media.attachment_findings(attachment, position))
    return tuple(found)


def as_portal(found: Iterable[Finding]) -> PortalFindings:
    """Return what travels of the portal's own findings."""
    return PortalFindings(fingerprint(), tuple((each.path, each.rule) for each in found))


def compare(own: Iterable[Finding], said: PortalFindings | None, unseen: Collection[int] = ()) -> tuple[Finding, ...]:
    """Return a finding for each place and rule on which the two ends differ; none for an older section."""
    if said is None:
        return ()
    hidden = _places(unseen)
    theirs = {each for each in said.found if not _under(each[0], hidden)}
    return _differences((each for each in own if not _under(each.path, hidden)), theirs, said)


def judge_late(
    submission: Submission, beginnings: Mapping[int, bytes], said: PortalFindings | None
) -> tuple[Finding, ...]:
    """Judge attachments that came in parts, by place, once their beginnings are here; then compare as above."""
    own: list[Finding] = []
    for position, beginning in beginnings.items():
        seen = replace(submission.attachments[position], content=beginning)
        own.extend(media.attachment_findings(seen, position))
    if said is None:
        return tuple(own)
    theirs = {each for each in said.found if _under(each[0], _places(beginnings))}
    return (*own, *_differences(own, theirs, said))


def _differences(own: Iterable[Finding], theirs: set[tuple[str, str]], said: PortalFindings) -> tuple[Finding, ...]:
    rule = DIFFER if said.rules == fingerprint() else OTHER_RULES
    english, japanese = MESSAGES[rule]
    paths = sorted({path for path, _ in theirs ^ {(each.path, each.rule) for each in own}})
    return tuple(Finding(path, rule, english, japanese) for path in paths)


def _places(positions: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"/attachments/{position}" for position in positions)


def _under(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(place + "/") for place in places)
