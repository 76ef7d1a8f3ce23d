"""Attacks among the negative vectors: each tried against the real judges, by its cases' names."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.vectors.files import load
from tests.unit.vectors.judges import judge


@dataclass(frozen=True)
class Tried:
    attacker: Attacker
    attempt: str
    by: str
    within: str
    judge: str
    names: tuple[str, ...]


TRIED = (
    Tried(
        Attacker.BROKER,
        "passes a record off as one of a future version, or of another kind",
        "router",
        "the same record",
        "event",
        ("a version from the future", "an id that no contract has", "a session that is not signed"),
    ),
    Tried(
        Attacker.PORTAL,
        "seals one reader another session secret than the one it commits to",
        "router, review desk",
        "the session's first event",
        "event",
        (
            "a secret that is not the announced one, at the desk",
            "a secret that is not the announced one, at the router",
        ),
    ),
    Tried(
        Attacker.PORTAL,
        "hides bytes in a section: after its record, in a longer form of a number, as another record",
        "review desk",
        "the same record",
        "event",
        (
            "a section with a byte too many",
            "a section in which a length has a byte too many",
            "a section of another record",
            "a section that is no record",
        ),
    ),
    Tried(
        Attacker.PORTAL,
        "leaves a section without its padding, or pads it to another size, to signal with lengths",
        "review desk",
        "the same record",
        "event",
        ("a section not padded", "a section padded to the step above", "a section of zeros only"),
    ),
    Tried(
        Attacker.PORTAL,
        "leaves a desk out of a submission, or adds a reader that its session does not name",
        "router",
        "the same record",
        "event",
        ("a section missing", "a section too many", "no section"),
    ),
    Tried(
        Attacker.PORTAL,
        "seals a session secret under an ephemeral key of small order, so that everybody could open it",
        "helpdesk, review desk",
        "the session's first event",
        "open-session",
        ("an enc of zeros, X25519's point of small order", "a hybrid enc whose X25519 half is zeros"),
    ),
    Tried(
        Attacker.BROKER,
        "moves a letter in quarantine to another topic or offset, so that it is opened as another's",
        "operator",
        "when it is opened",
        "dead-letter",
        ("moved to another offset", "moved to another topic"),
    ),
    Tried(
        Attacker.LAPTOP,
        "passes a key file off as another role's, or lowers the cost of trying passphrases",
        "key store",
        "when it is opened",
        "key-file",
        ("of another name", "of another suite of the same length", "of version 2", "with too low a cost"),
    ),
    Tried(
        Attacker.APPLICANT,
        "hands in a delivery receipt made to name another filing, or to say more than was signed",
        "whoever checks it",
        "when it is read",
        "delivery-receipt",
        ("with another receipt number", "with another leaf", "with a member too many"),
    ),
    Tried(
        Attacker.CONTRACTOR,
        "joins the operator's word on one letter with what was confided about another",
        "review desk, helpdesk",
        "the same record",
        "told",
        ("what was confided belongs to another: replayed", "what was confided belongs to another: discarded"),
    ),
)


@pytest.mark.parametrize("tried", TRIED, ids=lambda each: each.attempt[:40])
def test_it_is_refused(tried: Tried, attack: Attack) -> None:
    attempt = attack(tried.attacker, tried.attempt)
    cases = {each["name"]: each for each in load("negative")["cases"] if each["judge"] == tried.judge}
    seen = [judge(cases[name]) for name in tried.names]
    assert all(seen)
    codes = sorted({f"`{code}`" for code in seen})
    attempt.prevented(by=tried.by, how=f"refused as {', '.join(codes)}", within=tried.within)
