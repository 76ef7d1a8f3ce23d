"""A compromised portal before the real router and desks: what is refused, and what shows in its own signed lists."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.broker.portal_insider import AUDIT, HELPDESK, REVIEW, ROUTER, Outcome, scenario
from tests.kafka import TestKafka

pytestmark = pytest.mark.broker
BATCH, MINUTE = "its batch", "60 s"


@pytest.fixture(scope="module")
def outcome(kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All attempts in one office."""
    return asyncio.run(scenario(kafka, tmp_path_factory.mktemp("portal")))


AT_THE_ROUTER: Mapping[str, tuple[str, str]] = {
    "seals for another router key": ("secret", "seals the router's secret to a key that is not the router's"),
    "seals with X25519": ("suite", "seals a secret with X25519, where the trust list demands the hybrid suite"),
    "lasts longer than a day": ("invalid-session", "announces a session of more than 24 hours"),
    "is of next week": ("invalid-session", "announces a session of next week"),
    "is another producer's": ("untrusted", "announces a session in the review desk's name"),
    "is of an instance that is not declared": ("untrusted", "announces a session of an instance that is not declared"),
    "is for decisions": ("wrong-topic", "announces a session for decisions, and uses it for submissions"),
    "was signed by another": ("untrusted", "announces a session with a signature by a key of its own"),
    "no mac": ("bad-mac", "leaves out the mac"),
    "no helpdesk section": ("sections", "leaves out the helpdesk's section"),
    "produced before its session": ("produced-outside-session", "dates an event before its session"),
    "produced tomorrow": ("produced-outside-session", "dates an event after its session"),
}


@pytest.mark.parametrize("name", AT_THE_ROUTER, ids=[name.replace(" ", "-") for name in AT_THE_ROUTER])
def test_what_breaks_a_rule_of_sessions_or_events_stops_at_the_router(
    outcome: Outcome, attack: Attack, name: str
) -> None:
    reason, attempt = AT_THE_ROUTER[name]
    row = attack(Attacker.PORTAL, attempt)
    assert outcome.refused(ROUTER, name) == f"dead letter `{reason}`"
    assert not any(outcome.held(desk, name) for desk in (REVIEW, HELPDESK, AUDIT))
    row.prevented(by="router", how=outcome.refused(ROUTER, name), within=BATCH)


@pytest.mark.parametrize(
    ("name", "desk", "reason", "attempt"),
    [
        (
            "seals for another review key", REVIEW, "secret",
            "seals the review desk's secret to a key of its own, under the published key's epoch",
        ),
        ("commits to another secret", REVIEW, "commitment", "commits to one secret and seals another"),
        ("seals to no helpdesk", HELPDESK, "not-addressed", "announces a session that leaves out the helpdesk"),
        (
            "seals to no review desk", REVIEW, "not-addressed",
            "announces a session that leaves out the review desk, to get a receipt for what nobody can read",
        ),
        ("accepted last year", REVIEW, "section-mismatch", "backdates acceptance in the header alone"),
        (
            "everything for the helpdesk", HELPDESK, "plaintext-invalid",
            "seals the whole filing for the helpdesk instead of the masked record",
        ),
    ],
)  # fmt: skip
def test_what_only_its_reader_can_see_stops_there_and_is_missed(
    outcome: Outcome, attack: Attack, name: str, desk: str, reason: str, attempt: str
) -> None:
    row = attack(Attacker.PORTAL, attempt)
    assert outcome.refused(desk, name) == f"dead letter `{reason}`"
    assert not outcome.held(desk, name) and outcome.held(AUDIT, name)
    row.prevented(by=desk.rpartition("-")[0] + " desk", how=outcome.refused(desk, name), within=BATCH)


def test_its_own_signed_lists_give_it_away(outcome: Outcome, attack: Attack) -> None:
    alarms, audited = outcome.alarms[AUDIT], outcome.audited

    def found(attempt: str, how: str, within: str = MINUTE) -> None:
        attack(Attacker.PORTAL, attempt, Verdict.DETECTED).detected(by="audit desk", how=how, within=within)

    leaf = {name: event.out.leaf for name, event in outcome.portal.events.items()}
    assert not audited.verified and audited.damage == ()
    for desk in (REVIEW, HELPDESK, AUDIT):
        assert {leaf["sequence twice"], leaf["does not list what it sent"]} <= outcome.unconfirmed[desk], desk
        assert leaf["sequence twice, listed"] not in outcome.unconfirmed[desk]
    found("uses a sequence number twice", "alarm `unconfirmed-event` about the one that is not listed")
    found("sends an event that it does not list", "alarm `unconfirmed-event`")
    assert outcome.missing[AUDIT] == 2 and alarms["missing-event"], "never sent, and of the other of two lists"
    found("lists an event that it does not send", "alarm `missing-event`")
    assert audited.troubles["checkpoint-fork"] == 2 and alarms["checkpoint-fork"]
    found("skips a sequence number", "alarm `checkpoint-fork`")
    found("signs two lists for one place", "alarms `checkpoint-fork` and `missing-event`")
    assert audited.troubles["second-leaf"] == 1 and alarms["second-leaf"] == 1
    assert {leaf["two leaves, first"], leaf["two leaves"]} == outcome.conflicts
    found("sends two events under one event id", "alarm `second-leaf`; the review desk keeps and marks both", BATCH)
    assert audited.troubles["beyond-close"] == 2 and alarms["beyond-close"], "and what was never listed"
    found("goes on after the end that it signed", "alarm `beyond-close`")
    assert alarms["void-cancelled"]
    assert not outcome.unconfirmed[REVIEW] & {leaf["voids what it sent"]}
    found("lists what it sent as finally refused (void)", "alarm `void-cancelled`; the event counts", BATCH)


def test_a_session_that_is_over_is_still_taken_and_rings(outcome: Outcome, attack: Attack) -> None:
    row = attack(Attacker.PORTAL, "backdates a whole session, and sends when it is over", Verdict.DETECTED)
    assert outcome.held(REVIEW, "is over")
    assert outcome.alarms[ROUTER]["appended-late"] == 1
    row.detected(by="router", how="alarm `appended-late`; the log's signed and witnessed heads say when", within=BATCH)


def test_what_the_broker_does_not_take(outcome: Outcome, attack: Attack) -> None:
    for name, code, how, attempt in (
        ("over the limit", "kafka.refused", "message too large", "sends more than the limit of a sealed event"),
        ("writes decisions", "kafka.not-authorized", "authorisation failed", "writes to the desks' topic of decisions"),
        ("writes past the router", "kafka.not-authorized", "authorisation failed", "writes past the router to a desk"),
        ("publishes a key", "kafka.not-authorized", "authorisation failed", "publishes an audience key of its own"),
    ):
        row = attack(Attacker.PORTAL, attempt)
        assert outcome.portal.broker.get(name) == code
        row.prevented(by="broker", how=f"{how} (`{code}`)", within="the request")
