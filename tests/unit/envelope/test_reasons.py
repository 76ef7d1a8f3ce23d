"""Reasons for refusal: a closed list with stable codes, as the public page has it."""

from __future__ import annotations

from pathlib import Path

from hub.envelope.reasons import MAY_BE_PLAINTEXT, EnvelopeError, Reason


def test_reasons_are_a_closed_list_that_people_can_read() -> None:
    for reason in Reason:
        assert reason.english and reason.japanese
        assert reason.value == str(reason) == reason.value.lower()
        assert Reason(reason.value) is reason is Reason.of(reason.value)
    assert Reason.of("bored") is None
    assert set(Reason) > MAY_BE_PLAINTEXT
    refused = EnvelopeError(Reason.NOT_FRAMED)
    assert (refused.code, refused.detail, refused.reason) == ("envelope", "not-framed", Reason.NOT_FRAMED)
    assert str(refused) == "A record was refused. not-framed"


def test_every_reason_is_in_the_public_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "envelope.md").read_text()
    for reason in Reason:
        assert f"| `{reason}` | {reason.english} | {reason.japanese} |" in page
