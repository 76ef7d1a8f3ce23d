"""A malicious router before the real desks: prevented, or detected by whom and within how long."""

from __future__ import annotations

import asyncio

import pytest

from assurance.reconcile import Kind
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.broker.insiders import may_read, may_write
from tests.broker.router_insider import AUDIT, HELPDESK, OTHERS, OUTPUTS, REVIEW, Outcome, scenario
from tests.broker.router_stage import PARTITIONS, TENANT
from tests.kafka import TestKafka
from topics import names

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def outcome(kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All attempts in one office."""
    return asyncio.run(scenario(kafka, tmp_path_factory.mktemp("insider")))


BATCH, LISTED = "its batch", "60 s after the list that names it"


def test_what_is_routed_as_it_should_be_is_stored_confirmed_and_proved_by_its_session(outcome: Outcome) -> None:
    good = outcome.router.events["nothing"].out.leaf
    for desk in OUTPUTS:
        assert good in outcome.leaves[desk] - outcome.unconfirmed[desk]
    assert outcome.audited.damage == ()


def test_what_it_drops_is_missed(outcome: Outcome, attack: Attack) -> None:
    dropped = attack(Attacker.ROUTER, "drops an event", Verdict.DETECTED)
    swallowed = attack(Attacker.ROUTER, "swallows an event and signs a notice that it was refused", Verdict.DETECTED)
    withheld = attack(Attacker.ROUTER, "passes on nothing of a session: no event, no list", Verdict.DETECTED)
    list_ = attack(Attacker.ROUTER, "drops the producer's signed lists (checkpoints)", Verdict.DETECTED)
    router = outcome.router
    arrived = {name: [e.out.leaf in outcome.leaves[name] for e in router.events.values()] for name in OUTPUTS}
    for desk in OUTPUTS:
        lost = [name for name, came in zip(router.events, arrived[desk], strict=True) if not came]
        listed = [name for name in lost if not name.startswith("withholds")]
        assert {"drops an event", "swallows an event with a notice"} <= set(listed)
        assert outcome.missing[desk] == len(listed) - 1, "the notice explains one, the others are missed"
        assert outcome.at_once[desk]["missing-event"] == 0 < outcome.alarms[desk]["missing-event"]
    places = {place for name, place in outcome.lost if name == "drops an event"}
    assert places == {Kind.REVIEW, Kind.HELPDESK, Kind.AUDIT}
    dropped.detected(by="review desk, helpdesk, audit desk", how="alarm `missing-event`", within=LISTED)
    for desk in OUTPUTS:
        assert outcome.at_once[desk]["dead-letter-notice"] >= 1
    assert {place for name, place in outcome.lost if name == "swallows an event with a notice"} == places
    assert outcome.audited.noticed == 1
    swallowed.detected(
        by="every desk, then reconciliation",
        how="alarm `dead-letter-notice`; `noticed` of `audit verify`; `lost` at each desk, and no dead letter",
        within="the batch of the notice",
    )
    unlisted = {e.out.leaf for name, e in router.events.items() if name.startswith("drops a list")}
    assert all(unlisted <= outcome.unconfirmed[desk] for desk in OUTPUTS)
    assert outcome.alarms[AUDIT]["checkpoint-gap"] >= 1
    assert outcome.audited.troubles["checkpoint-gap"] == 2 * PARTITIONS, "every list of two sessions"
    list_.detected(
        by="every desk, audit desk",
        how="alarm `unconfirmed-event`; `checkpoint-gap` once the session is closed",
        within="60 s",
    )
    assert {name for name, place in outcome.lost if place is Kind.AUDIT} >= {f"withholds all, {n}" for n in range(3)}
    withheld.detected(
        by="audit desk",
        how="alarm `checkpoint-gap`: the session's close does not pass the router; no receipt reaches the portal",
        within="60 s after the session's close, 24 h at most",
    )


def test_what_it_makes_up_opens_nowhere_and_is_on_no_list(outcome: Outcome, attack: Attack) -> None:
    tried = {
        "invents an event": "invents an event under a session, with header and mac that are right",
        "alters a header": "alters a header (the signature check that failed now passed) and makes the mac again",
        "exchanges sections": "puts the sections of one event into another and makes the mac again",
    }
    for name, attempt in tried.items():
        row = attack(Attacker.ROUTER, attempt)
        seen = {outcome.refused(desk, name) for desk in (REVIEW, HELPDESK)}
        assert seen == {"dead letter `not-authentic`"}
        forged = outcome.router.forged[name]
        assert forged not in outcome.leaves[REVIEW] | outcome.leaves[HELPDESK]
        row.prevented(by="review desk, helpdesk", how=seen.pop(), within=BATCH)
        row = attack(Attacker.ROUTER, f"{attempt}, for the audit log, which opens nothing", Verdict.DETECTED)
        assert forged in outcome.unconfirmed[AUDIT]
        row.detected(by="audit desk", how="alarm `unconfirmed-event`", within="60 s")
    assert outcome.at_once[AUDIT]["unconfirmed-event"] == 0 < outcome.alarms[AUDIT]["unconfirmed-event"]
    assert outcome.audited.unconfirmed >= 3 and not outcome.audited.verified


def test_a_review_copy_with_another_digest_of_the_helpdesks_section_is_never_confirmed(
    outcome: Outcome, attack: Attack
) -> None:
    row = attack(Attacker.ROUTER, "alters the digest of a section that the reader does not have", Verdict.DETECTED)
    forged = outcome.router.forged["alters the others' digests"]
    assert forged in outcome.unconfirmed[REVIEW] and forged not in outcome.leaves[AUDIT]
    assert outcome.alarms[REVIEW]["unconfirmed-event"] and outcome.alarms[REVIEW]["missing-event"]
    assert outcome.alarms[AUDIT]["receipt-without-event"]
    row.detected(
        by="review desk, audit desk",
        how="alarms `unconfirmed-event` and `missing-event`; `receipt-without-event` at the audit desk",
        within="60 s",
    )


def test_a_notice_about_nothing_rings_and_explains_nothing_else(outcome: Outcome, attack: Attack) -> None:
    row = attack(Attacker.ROUTER, "signs a notice about an event that nobody sent", Verdict.DETECTED)
    for desk in OUTPUTS:
        assert outcome.at_once[desk]["dead-letter-notice"] == 2
    row.detected(
        by="every desk", how="alarm `dead-letter-notice`, and no dead letter", within="the batch of the notice"
    )


@pytest.mark.parametrize(
    ("name", "desk", "reason", "attempt"),
    [
        ("strips the review section", REVIEW, "stripped-ciphertext", "strips the review desk's own ciphertext"),
        ("strips the helpdesk's section", HELPDESK, "stripped-ciphertext", "strips the helpdesk's own ciphertext"),
        (
            "gives the helpdesk's section to review", REVIEW, "foreign-ciphertext",
            "sends the helpdesk's copy to the review desk",
        ),
        (
            "gives the review section to the helpdesk", HELPDESK, "stripped-ciphertext",
            "sends the review desk's copy to the helpdesk",
        ),
        ("gives the review section to audit", AUDIT, "foreign-ciphertext", "sends the review desk's copy to audit"),
        ("gives all sections to audit", AUDIT, "foreign-ciphertext", "leaves every ciphertext in what goes to audit"),
        ("another partition", REVIEW, "wrong-partition", "sends an event to another partition"),
        ("another tenant", OTHERS, "wrong-tenant", "sends an event to another tenant's review desk"),
        ("another key", REVIEW, "wrong-key", "sends an event under another event's Kafka key"),
        ("signs a list", AUDIT, "untrusted", "signs a list that names what it made up, with its own key"),
        ("signs a receipt", AUDIT, "foreign-schema", "signs a stored receipt and puts it on a routed topic"),
    ],
)  # fmt: skip
def test_what_is_not_for_its_reader_is_a_dead_letter(
    outcome: Outcome, attack: Attack, name: str, desk: str, reason: str, attempt: str
) -> None:
    row = attack(Attacker.ROUTER, attempt)
    assert outcome.refused(desk, name) == f"dead letter `{reason}`"
    if name in outcome.router.events:
        assert outcome.router.events[name].out.leaf not in outcome.leaves[desk]
    row.prevented(by=desk.rpartition("-")[0] + " desk", how=outcome.refused(desk, name), within=BATCH)


def test_repeats_and_another_order_change_nothing(outcome: Outcome, attack: Attack) -> None:
    twice = attack(Attacker.ROUTER, "sends an event twice")
    reorders = attack(Attacker.ROUTER, "sends events in another order")
    for desk in OUTPUTS:
        assert outcome.replays[desk] == 1
        for name in ("twice", "reorders, first", "reorders, second"):
            assert outcome.router.events[name].out.leaf in outcome.leaves[desk] - outcome.unconfirmed[desk]
    assert outcome.audited.duplicates == 1
    twice.prevented(by="every desk", how="stored once, counted as a replay", within=BATCH)
    reorders.prevented(by="every desk", how="each is confirmed by its place in the signed list", within=LISTED)


async def test_its_certificate_reaches_no_further(outcome: Outcome, attack: Attack) -> None:
    stage, ns = outcome.router.stage, outcome.router.stage.namespace
    for attempt, topic in (
        ("submits an event of its own", names.submissions(ns)),
        ("announces a session or a close", names.sessions(ns)),
        ("writes decisions or receipts", names.status(ns, TENANT)),
        ("hands over to a tax team", names.accepted(ns, TENANT)),
        ("publishes an audience key of its own", names.audiences(ns)),
        ("excuses its losses with a discard of the operator", names.resolutions(ns)),
    ):
        row = attack(Attacker.ROUTER, attempt)
        assert not await may_write(stage, "router", topic), topic
        row.prevented(by="broker", how="authorisation failed (Kafka error 29)", within="the request")
    row = attack(Attacker.ROUTER, "reads decisions, hand-overs or what other readers put aside")
    for topic in (
        names.status(ns, TENANT), names.accepted(ns, TENANT), names.dead_letters(ns, REVIEW), names.review(ns, TENANT),
    ):  # fmt: skip
        assert not await may_read(stage, "router", topic), topic
    row.prevented(by="broker", how="authorisation failed (Kafka error 29)", within="the request")
