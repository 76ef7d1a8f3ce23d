"""Every byte of what lies on the hub's topics, spoiled, through the running portal, router and desks.

Where a spoiled record is not refused, the test names the bytes and says why that may be: see `_HARMLESS` and
`test_what_no_reader_can_check_alone_is_told_by_the_checkpoints`. A Kafka header is no part of a `KafkaRecord` at all:
no reader ever sees one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from consumers.audit.verify import Verification
from hub.envelope.reasons import Reason
from hub.producing.journal_rows import EventState
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.attacks.spoiled_scenario import Ran, for_others, larger_event, scenario
from tests.attacks.spoiling import CUT, Part, Sweep, parts
from tests.broker.router_stage import TENANT, events_of
from tests.kafka import TestKafka

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

_SHORT = {"truncated", "not-framed", "audience-order"}
"""what a record is that ends too early; a name that ends too early may come before the one in front of it"""
_LENGTHS = {"truncated", "malformed", "too-large", "trailing-bytes", "audience-order", "foreign-ciphertext"}
_SIGNED = {
    "not-framed",
    "foreign-schema",
    "unknown-schema",
    "malformed",
    "truncated",
    "too-large",
    "trailing-bytes",
    "unknown-session",
    "wrong-partition",
    "wrong-tenant",
    "wrong-key",
    "broken-chain",
    "produced-outside-session",
    "expired",
    "not-permitted",
    "bad-signature",
    "untrusted",
    "header-invalid",
}
_HEADER = {
    "header-invalid",
    "unknown-schema",
    "wrong-tenant",
    "wrong-producer",
    "wrong-topic",
    "wrong-partition",
    "wrong-key",
    "produced-outside-session",
    "not-authentic",
    "cause",
}
_HARMLESS = {(Part.MAC, "")}
"""of a routed copy: the mac is the router's, no desk has its key, and the leaf is the same, so it is a replay"""


@pytest.fixture(scope="module")
def ran(kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run in which one bit of each byte was turned."""
    return asyncio.run(scenario(kafka, tmp_path_factory.mktemp("spoiled"), thorough=False))


def _passed(sweep: Sweep) -> set[tuple[Part, str]]:
    """What the bytes belong to whose flip was not refused; nothing that was cut may pass."""
    where = parts(sweep.original)
    assert all(spoiled.bit != CUT for _, spoiled in sweep.passed())
    return {where[spoiled.at] for _, spoiled in sweep.passed()}


def _whole(sweep: Sweep, part: Part, audience: str = "") -> int:
    return sum(each == (part, audience) for each in parts(sweep.original))


def _of_signed(sweep: Sweep) -> str:
    """Check that every spoiled form of a signed record was refused; say with which codes mostly."""
    assert sweep.passed() == []
    assert set(sweep.reasons(cut=True)) <= _SHORT
    flipped = sweep.reasons(cut=False)
    assert set(flipped) <= _SIGNED, set(flipped) - _SIGNED
    assert flipped["bad-signature"] >= 64, "the 64 bytes of the signature at least"
    assert flipped["untrusted"] >= 8, "the 8 bytes of the key id"
    return "dead letter `bad-signature`, `untrusted`, or what the body then is"


def test_spoiled_event_is_refused_by_the_router(ran: Ran, attack: Attack) -> None:
    flipped = attack(Attacker.BROKER, "turns a bit of any byte of an event on its way to the router")
    short = attack(Attacker.BROKER, "cuts an event on its way to the router short, at any byte")
    sweep = ran.sweeps["router submissions"]
    assert sweep.passed() == []
    assert set(sweep.reasons(cut=True)) <= _SHORT
    expected = {
        Part.FRAME: {"not-framed", "foreign-schema"},
        Part.LENGTHS: _LENGTHS | {"stripped-ciphertext", "bad-mac", "header-invalid"},
        Part.SESSION: {"unknown-session"},
        Part.HEADER: {"bad-mac", "header-invalid", "unknown-schema"},
        Part.AUDIENCE: {"bad-mac", "malformed", "audience-order"},
        Part.DIGEST: {"bad-mac"},
        Part.CIPHERTEXT: {"digest-mismatch"},
        Part.MAC: {"bad-mac"},
    }
    found = sweep.reasons_by_part()
    for (part, audience), reasons in found.items():
        assert reasons <= expected[part], (part, audience, reasons)
    assert {part for part, _ in found} == set(Part), "every kind of byte was spoiled"
    for letter in sweep.outcome.values():
        assert not letter.authentic, "what was altered may be plaintext: it is for the operator alone"
    codes = ", ".join(f"`{code}`" for code in ("bad-mac", "digest-mismatch", "unknown-session"))
    flipped.prevented(by="router", how=f"dead letter {codes}, or what the framing then is", within="its batch")
    short.prevented(by="router", how="dead letter `truncated`", within="its batch")


def test_good_events_in_the_midst_are_delivered_and_nothing_else(ran: Ran) -> None:
    mine = {event_id.encode() for event_id in ran.good}
    ours = {event.key for event in ran.session_events}
    spoiled = {(each.topic, each.partition, offset) for each in ran.sweeps.values() for offset in each.written}
    for name, records in ran.outputs.items():
        found = events_of([each for each in records if (each.topic, each.partition, each.offset) not in spoiled])
        assert set(found) == mine | ours, name
        assert set(found.values()) == {1}, name
    assert ran.strange == [], "no good record became a dead letter"


def test_event_under_another_key_is_refused(ran: Ran, attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "turns any bit of the Kafka key that an event lies under")
    sweep = ran.sweeps["router key"]
    assert sweep.count == 8 * len(sweep.original)
    assert sweep.passed() == []
    assert set(sweep.reasons(cut=False)) == {"wrong-key"}
    assert all(letter.authentic for letter in sweep.outcome.values()), "its bytes are what the portal has sealed"
    tried.prevented(by="router", how="dead letter `wrong-key`", within="its batch")


def test_spoiled_checkpoint_is_refused_by_router_and_desk(ran: Ran, attack: Attack) -> None:
    at_router = attack(Attacker.BROKER, "spoils any byte of a checkpoint on its way to the router, or cuts it")
    at_desk = attack(Attacker.ROUTER, "spoils any byte of a checkpoint on its way to a desk, or cuts it")
    how = _of_signed(ran.sweeps["router checkpoint"])
    at_router.prevented(by="router", how=how, within="its batch")
    how = _of_signed(ran.sweeps["review checkpoint"])
    at_desk.prevented(by="review desk", how=how, within="its batch")


def test_spoiled_notice_excuses_nothing(ran: Ran, attack: Attack) -> None:
    tried = attack(Attacker.ROUTER, "spoils any byte of a dead-letter notice on its way to a desk, or cuts it")
    how = _of_signed(ran.sweeps["review notice"])
    assert ran.counts["review"]["notices"] == 1, "the one that the router has signed"
    tried.prevented(by="review desk", how=how, within="its batch")


def test_spoiled_copies_of_a_session_do_not_displace_the_true_one(ran: Ran, attack: Attack) -> None:
    """More of them than the registry keeps of one session, all before the true announcement."""
    tried = attack(Attacker.BROKER, "writes spoiled copies of a session, with any byte altered, before the true one")
    assert ran.sweeps["registry session"].count > 3_500
    early = Counter(letter.reason for letter in ran.session_refused)
    assert set(early) <= {Reason.UNTRUSTED, Reason.BAD_SIGNATURE}
    assert 0 < early.total() < len(ran.session_events), "those before the true announcement, which were replayed"
    wanted = {event.key for event in ran.session_events}
    for name, records in ran.outputs.items():
        assert wanted <= {record.key for record in records}, name
    tried.prevented(
        by="router",
        how="events are dead letters (`untrusted`) until the true announcement comes, and routed from then on",
        within="the batch after the true announcement",
    )


def test_spoiled_receipt_confirms_nothing_at_the_portal(ran: Ran, attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "spoils any byte of a stored receipt on its way to the portal, or cuts it")
    sweep = ran.sweeps["portal receipt"]
    passed = {offset for offset, _ in sweep.passed()}
    assert passed == for_others(sweep), "only what says of itself that it is another kind of record is passed over"
    assert sweep.reasons(cut=False)["bad-signature"] >= 64
    assert ran.journal_before_receipt is EventState.ACKNOWLEDGED
    assert ran.journal_after_receipt is EventState.STORED
    for reader in ("helpdesk", "audit"):
        _of_signed(ran.sweeps[f"{reader} receipt"])
    tried.prevented(
        by="portal", how="dead letter `bad-signature`, `untrusted`; the journal keeps the event", within="its batch"
    )


@pytest.mark.parametrize("desk", ["review", "helpdesk"])
def test_spoiled_copy_is_refused_by_its_desk(ran: Ran, attack: Attack, desk: str) -> None:
    """But for two kinds of bytes: the mac, which is not the desk's, and digests of others' sections (see below)."""
    tried = attack(Attacker.ROUTER, f"turns a bit of any byte of the {desk} desk's copy that it can check, or cuts it")
    mac = attack(Attacker.ROUTER, f"turns a bit of the mac in the {desk} desk's copy")
    other = f"{'helpdesk' if desk == 'review' else 'review'}-{TENANT}"
    sweep = ran.sweeps[f"{desk} copy"]
    assert set(sweep.reasons(cut=True)) <= _SHORT
    expected = {
        Part.FRAME: {"not-framed", "foreign-schema"},
        Part.LENGTHS: _LENGTHS | {"stripped-ciphertext", "bad-mac", "header-invalid"},
        Part.SESSION: {"unknown-session"},
        Part.HEADER: _HEADER,
        Part.AUDIENCE: {"malformed", "audience-order", "sections", "foreign-ciphertext", "not-addressed"},
        Part.DIGEST: {"digest-mismatch"},
        Part.CIPHERTEXT: {"digest-mismatch"},
    }
    for (part, audience), reasons in sweep.reasons_by_part().items():
        assert reasons <= expected[part], (part, audience, reasons)
    assert _passed(sweep) == _HARMLESS | {(Part.DIGEST, other)}
    assert "not-authentic" in sweep.reasons(cut=False), "fields that nothing else holds against anything"
    tried.prevented(
        by=f"{desk} desk",
        how="dead letter `digest-mismatch`, `not-authentic`, `unknown-session`, or what header or framing then are",
        within="its batch",
    )
    rows = [row for row in ran.rows[desk] if row.event.event_id == ran.victim.event_id and row.event.leaf == ran.leaf]
    assert [row.replays for row in rows] == [_flips(sweep, Part.MAC)], "the same event again, and nothing new"
    mac.prevented(by=f"{desk} desk", how="stored once; the copies count as replays", within="its batch")


def _flips(sweep: Sweep, part: Part, audience: str | None = None) -> int:
    """How many flips of such bytes were written."""
    where = parts(sweep.original)
    return sum(
        each.bit != CUT and where[each.at][0] is part and audience in (None, where[each.at][1])
        for each in sweep.written.values()
    )


@pytest.mark.parametrize("desk", ["review", "helpdesk"])
def test_altered_digest_of_anothers_section_is_told_by_the_checkpoints(ran: Ran, attack: Attack, desk: str) -> None:
    """A desk cannot know the digests of ciphertexts that it does not get; the sender's signed leaf can."""
    tried = attack(
        Attacker.ROUTER, f"turns a bit of another section's digest in the {desk} desk's copy", Verdict.DETECTED
    )
    other = f"{'helpdesk' if desk == 'review' else 'review'}-{TENANT}"
    victims = [row for row in ran.rows[desk] if row.event.event_id == ran.victim.event_id]
    strange = [row for row in victims if row.event.leaf != ran.leaf]
    assert len(strange) == _flips(ran.sweeps[f"{desk} copy"], Part.DIGEST, other)
    assert all(row.confirmed_at_ms is None for row in strange)
    (true,) = [row for row in victims if row.event.leaf == ran.leaf]
    assert true.confirmed_at_ms is not None
    codes = {code for code, _ in ran.alarms[desk]}
    assert {"second-leaf", "unconfirmed-event"} <= codes
    tried.detected(
        by=f"{desk} desk",
        how="alarms `second-leaf` and `unconfirmed-event`; the row is never confirmed",
        within="its batch, and 60 s",
    )


def test_further_rows_of_one_event_do_not_stop_a_decision(ran: Ran, attack: Attack) -> None:
    tried = attack(Attacker.ROUTER, "makes further rows of one submission, so that nobody could decide on it")
    assert ran.decided == ran.victim.event_id
    assert {message.submission_event_id for message in ran.messages} == {ran.victim.event_id, ran.good[1]}
    tried.prevented(by="review desk", how="the row that the sender's checkpoint confirms is decided on", within="60 s")


def test_what_no_reader_can_check_alone_is_told_by_the_checkpoints(ran: Ran, attack: Attack) -> None:
    """The audit desk opens nothing: of a header that could be true, and of digests, it has the sender's leaf only."""
    refused = attack(Attacker.ROUTER, "spoils frame, lengths, names or session of the audit desk's copy, or cuts it")
    told = attack(
        Attacker.ROUTER, "alters a digest or a field of the header in the audit desk's copy", Verdict.DETECTED
    )
    sweep = ran.sweeps["audit copy"]
    assert set(sweep.reasons(cut=True)) <= _SHORT
    assert {part for part, _ in _passed(sweep)} == {Part.MAC, Part.DIGEST, Part.HEADER}
    assert sweep.passed()
    refused.prevented(by="audit desk", how="dead letter, and an entry in the log that says so", within="its batch")
    victims = [row for row in ran.rows["audit"] if row.event.event_id == ran.victim.event_id]
    strange = [row for row in victims if row.event.leaf != ran.leaf]
    assert len(strange) == len(sweep.passed()) - _flips(sweep, Part.MAC)
    assert all(row.confirmed_at_ms is None for row in strange)
    told.detected(
        by="audit desk",
        how="alarms `second-leaf` and `unconfirmed-event`; never confirmed",
        within="its batch, and 60 s",
    )


def test_spoiled_decision_reaches_neither_filer_nor_helpdesk(ran: Ran, attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "spoils any byte of a decision on the status topic, or cuts it")
    sweep = ran.sweeps["helpdesk status"]
    assert sweep.passed() == []
    assert set(sweep.reasons(cut=True)) <= _SHORT
    status = [row for row in ran.rows["helpdesk"] if row.event.kind == "status"]
    assert len(status) == 2
    assert len(ran.messages) == 2, "the true ones"
    assert ran.messages_refused >= sweep.count
    tried.prevented(
        by="portal and helpdesk desk", how="dead letter `digest-mismatch`, `not-authentic`, or what it then is",
        within="its batch",
    )  # fmt: skip


def test_spoiled_decision_at_the_audit_desk_is_told_by_the_checkpoints(ran: Ran, attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "alters a field of a decision's header for the audit desk", Verdict.DETECTED)
    sweep = ran.sweeps["audit status"]
    assert {part for part, _ in _passed(sweep)} == {Part.HEADER}
    status = [row for row in ran.rows["audit"] if row.event.kind == "status"]
    assert len(status) == 2 + len(sweep.passed())
    assert sum(row.confirmed_at_ms is not None for row in status) == 2
    tried.detected(by="audit desk", how="alarms `second-leaf` and `unconfirmed-event`", within="its batch, and 60 s")


def test_spoiled_records_are_in_the_audit_log_as_what_they_are(ran: Ran, attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "spoils any byte of a session or of its close for the audit desk, or cuts it")
    found = ran.audit
    assert isinstance(found, Verification)
    assert found.damage == ()
    assert not found.verified, "what somebody spoiled is an open trouble of this log"
    assert found.troubles["refused-record"] > ran.sweeps["registry session"].count
    assert set(found.troubles) == {"refused-record", "second-leaf", "unconfirmed-event"}
    assert found.gaps == 0
    assert ran.closes == 1, "the true one, which came last"
    tried.prevented(by="audit desk", how="alarm `refused-record`, an entry in the log for each", within="its batch")


def test_no_reader_ever_stopped(ran: Ran) -> None:
    """Each has done what came last, behind all that was spoiled."""
    last = ran.good[-1]
    for desk in ("review", "helpdesk", "audit"):
        rows = [row for row in ran.rows[desk] if row.event.event_id == last]
        assert [row.confirmed_at_ms is not None for row in rows] == [True], desk


@pytest.mark.soak(target="attacks-long")
@pytest.mark.timeout(3_000)
def test_every_bit_of_every_byte(kafka: TestKafka, tmp_path: Path) -> None:
    """The same, with all eight bits and all lengths."""
    thorough = asyncio.run(scenario(kafka, tmp_path, thorough=True))
    for name, sweep in thorough.sweeps.items():
        if name == "router key":
            continue  # no record: bits only, and always all
        assert sweep.count == 9 * len(sweep.original), name
    _all_refused(
        thorough, ["router submissions", "router key", "router checkpoint", "review checkpoint", "review notice"]
    )
    _all_refused(thorough, ["helpdesk status"])
    for desk, other in (("review", "helpdesk"), ("helpdesk", "review")):
        assert _passed(thorough.sweeps[f"{desk} copy"]) == _HARMLESS | {(Part.DIGEST, f"{other}-{TENANT}")}
    receipt = thorough.sweeps["portal receipt"]
    assert {offset for offset, _ in receipt.passed()} == for_others(receipt)
    assert len(thorough.messages) == 2


@pytest.mark.soak(target="attacks-long")
@pytest.mark.timeout(3_000)
def test_every_bit_of_a_larger_event(kafka: TestKafka, tmp_path: Path) -> None:
    """At the router, an event of several KiB with all eight bits and all lengths."""
    sweep = asyncio.run(larger_event(kafka, tmp_path))
    assert 4_500 < len(sweep.original) < 20_000
    assert sweep.count == 9 * len(sweep.original)
    assert sweep.passed() == []


def _all_refused(ran: Ran, names: Iterable[str]) -> None:
    for name in names:
        assert ran.sweeps[name].passed() == [], name
