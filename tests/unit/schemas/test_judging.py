"""Both ends judge; where they differ under the same rules, somebody changed something, and that is a finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import judging, media
from schemas.judging import (
    DIFFER,
    MESSAGES,
    OTHER_RULES,
    PortalFindings,
    as_portal,
    compare,
    fingerprint,
    judge,
    judge_late,
)
from schemas.rules import Finding
from schemas.submission_model import Attachment, Submission
from tests.unit.schemas.support import good, smallest

PDF = b"%PDF-1.7 artificial"
LIE = Attachment("a.pdf", "application/pdf", b"MZ\x90\x00 artificial")
HONEST = Attachment("b.pdf", "application/pdf", PDF)


def submission(*attachments: Attachment) -> Submission:
    return replace(good(smallest()), items=None, attachments=attachments)


def places(found: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(each.path, each.rule) for each in found]


OWN = judge(submission(LIE, HONEST))
LIES = [
    ("/attachments/0", "attachment.program"),
    ("/attachments/0/media_type", "attachment.media-type"),
    ("/attachments/0/file_name", "attachment.file-name"),
]


def test_the_portal_sends_places_and_rules_and_no_text() -> None:
    assert places(OWN) == LIES
    assert as_portal(OWN) == PortalFindings(fingerprint(), tuple(LIES))


def test_two_ends_that_agree_find_nothing_in_whatever_order_they_say_it() -> None:
    assert compare(OWN, as_portal(OWN)) == ()
    assert compare(OWN, PortalFindings(fingerprint(), tuple(reversed(LIES)))) == ()
    assert compare(OWN, PortalFindings(fingerprint(), (*LIES, LIES[0]))) == ()
    assert compare((), as_portal(())) == ()


@pytest.mark.parametrize("left_out", range(3))
def test_a_finding_that_the_portal_left_out_is_a_difference(left_out: int) -> None:
    said = PortalFindings(fingerprint(), tuple(each for n, each in enumerate(LIES) if n != left_out))
    assert places(compare(OWN, said)) == [(LIES[left_out][0], DIFFER)]


def test_a_finding_that_only_the_portal_has_is_a_difference() -> None:
    said = PortalFindings(fingerprint(), (*LIES, ("/items/applicant_name", "number.individual")))
    assert places(compare(OWN, said)) == [("/items/applicant_name", DIFFER)]


def test_another_rule_at_the_same_place_is_one_difference() -> None:
    said = PortalFindings(fingerprint(), (("/attachments/0", "attachment.empty"), *LIES[1:]))
    assert places(compare(OWN, said)) == [("/attachments/0", DIFFER)]


def test_other_rules_explain_a_difference_and_nothing_else() -> None:
    found = compare(OWN, PortalFindings("0" * 16, ()))
    assert places(found) == [(path, OTHER_RULES) for path in sorted(path for path, _ in LIES)]
    assert {(each.message, each.message_ja) for each in found} == {MESSAGES[OTHER_RULES]}
    assert compare(OWN, PortalFindings("0" * 16, tuple(LIES))) == ()


def test_a_section_of_before_says_nothing_that_could_differ() -> None:
    assert compare(OWN, None) == ()


def test_what_is_not_here_is_not_compared_but_its_neighbours_are() -> None:
    """Attachments in parts are judged by the portal only; places 1 and 10 are not each other."""
    ten = submission(*[HONEST] * 10, LIE)
    own = judge(ten, unseen=[10])
    assert own == ()
    said = as_portal(judge(ten))
    assert {path.split("/")[2] for path, _ in said.found} == {"10"}
    assert compare(own, said, unseen=[10]) == ()
    assert len(compare(own, said, unseen=[1])) == 3
    assert len(compare(own, said)) == 3


def test_own_findings_on_what_was_not_here_are_not_compared_either() -> None:
    assert compare(OWN, PortalFindings(fingerprint(), ()), unseen=[0]) == ()


def test_hiding_one_attachment_hides_no_item() -> None:
    said = PortalFindings(fingerprint(), (("/items", "number.exactly-one"), ("/attachments", "limit")))
    assert places(compare((), said, unseen=[0])) == [("/attachments", DIFFER), ("/items", DIFFER)]


def test_late_attachments_are_judged_by_their_beginnings_and_compared_alone() -> None:
    ends = submission(replace(LIE, content=b""), HONEST)
    said = as_portal(OWN)
    assert places(judge_late(ends, {0: LIE.content}, said)) == LIES
    assert places(judge_late(ends, {0: LIE.content}, None)) == LIES
    assert judge_late(ends, {}, said) == ()
    assert judge_late(ends, {1: PDF}, said) == ()  # the lies of 0 are not compared before it is here
    silent = PortalFindings(fingerprint(), ())
    assert places(judge_late(ends, {0: LIE.content}, silent)) == [
        *LIES,
        *((path, DIFFER) for path in sorted(path for path, _ in LIES)),
    ]
    honest = submission(replace(HONEST, content=b""))
    assert places(judge_late(honest, {0: PDF}, said)) == [(path, DIFFER) for path in sorted(path for path, _ in LIES)]


def test_the_fingerprint_changes_with_each_table(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint()
    assert len(before) == 16
    assert set(before) <= set("0123456789abcdef")
    changes = {
        "_SIGNATURES": (*media._SIGNATURES, (0, b"new", "application/x-new")),
        "_ENDINGS": {**media._ENDINGS, "new": "application/pdf"},
        "_PROGRAM_ENDINGS": media._PROGRAM_ENDINGS | {"new"},
        "_ALSO_CALLED": {},
        "RULES": {**media.RULES, "attachment.new": ("", "")},
    }
    seen = {before}
    for name, value in changes.items():
        with monkeypatch.context() as change:
            change.setattr(media, name, value)
            judging.fingerprint.cache_clear()
            seen.add(fingerprint())
    judging.fingerprint.cache_clear()
    assert len(seen) == 1 + len(changes)
    assert fingerprint() == before
