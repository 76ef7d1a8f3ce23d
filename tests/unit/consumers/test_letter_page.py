"""The operator's page says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from consumers.operator import errors
from consumers.operator.discards import REASONS
from consumers.operator.healing import Healing, healing_of
from hub.envelope.reasons import Reason

PAGE = (Path(__file__).parents[3] / "docs" / "dead-letters.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that follows a heading of columns."""
    lines = PAGE[PAGE.index(heading) :].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]


def codes(text: str) -> set[str]:
    return set(re.findall(r"`([a-z-]+)`", text))


def test_every_reason_stands_under_what_it_waits_for() -> None:
    told = {codes(waits).pop(): codes(reasons) for waits, reasons, _ in rows("| waits for | reasons |")}
    assert told.keys() == {each.value for each in Healing}
    for healing in Healing:
        if healing is not Healing.NEVER:
            found = {r.value for r in Reason if healing in (healing_of(r, event=True), healing_of(r, event=False))}
            assert told[healing.value] == found, healing


def test_every_reason_of_a_discard_is_listed_with_both_meanings() -> None:
    assert [(codes(code).pop(), ja, en) for code, ja, en in rows("| reason | 理由 |")] == [
        tuple(each) for each in REASONS
    ]


def test_every_error_of_the_operator_about_a_letter_is_explained() -> None:
    known = {
        each.code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.LetterError) and each is not errors.LetterError
    }
    told = set(re.findall(r"`(letter\.[a-z-]+)`", PAGE))
    assert told == known - {"letter.discard-reason", "letter.note", "letter.actor"}
