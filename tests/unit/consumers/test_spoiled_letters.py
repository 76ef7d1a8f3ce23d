"""Dead letters and words about them, spoiled byte by byte: what the operator and the desks make of them.

A dead letter is not signed: its topic has one writer, and who runs the broker can write there too. So nothing may
follow from a letter but that its record is judged again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from consumers.operator.letters import Declared, read_letter
from hub.crypto.audience import AudiencePrivateKey
from hub.envelope.declared import StandingReport
from hub.envelope.inspection import Inspected, inspect
from hub.envelope.letters import Content, DeadLetter, Place, open_quarantine, quarantine
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import LetterResolved, ReportEntry, RoleReport
from hub.envelope.signed import sign
from hub.envelope.validation import validate_report, validate_resolution
from hub.transport import KafkaRecord
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.envelope.support import (
    NOW,
    NS,
    PARTITION,
    SUBMISSIONS,
    audience_key,
    identity,
    private_key,
    trust,
    world,
)
from tests.unit.envelope.test_resolutions import REPLAYED

LETTERS = f"{NS}.dead-letters.router"
PLACE = Place(SUBMISSIONS, PARTITION, 7)


def spoiled(value: bytes) -> Iterator[bytes]:
    """Every byte with one bit turned, another one from byte to byte, and every ninth beginning."""
    for at, byte in enumerate(value):
        yield value[:at] + bytes((byte ^ 1 << at % 8,)) + value[at + 1 :]
    for at in range(0, len(value), 9):
        yield value[:at]


def letter(*, authentic: bool) -> DeadLetter:
    """A letter of a good event, in the clear or in quarantine."""
    content = Content(world().key, world().event.value)
    return DeadLetter(
        Reason.TENANT_NOT_READY,
        "router",
        PLACE,
        NOW,
        NOW + timedelta(seconds=1),
        content if authentic else None,
        None if authentic else quarantine(PLACE, content, audience_key("quarantine")),
        world().session.id,
        world().event.leaf,
    )


def opened(found: DeadLetter, key: AudiencePrivateKey) -> Content | None:
    try:
        return found.content if found.quarantine is None else open_quarantine(found, key)
    except EnvelopeError:
        return None


def test_spoiled_letter_gives_back_the_sealed_event_or_nothing_that_counts(attack: Attack) -> None:
    tried = attack(
        Attacker.BROKER, "spoils any byte of a dead letter, or cuts it, before it is sent back", Verdict.CONTAINED
    )
    key, declared = private_key("quarantine"), Declared({"131041"}, set(), {LETTERS: "router"})
    for authentic in (True, False):
        outcomes: Counter[str] = Counter()
        value = letter(authentic=authentic).encode()
        for form in spoiled(value):
            record = KafkaRecord(LETTERS, PARTITION, 3, 0, b"key", form)
            read = read_letter(record, declared, lambda found: opened(found, key))
            if read is None:
                outcomes["no letter"] += 1
                continue
            content = read[1]
            if content is None:
                outcomes["not opened"] += 1
            elif (content.key, content.value) == (world().key, world().event.value):
                outcomes["the same record"] += 1
            else:
                again = inspect(content.value or b"", content.key, world().lanes)
                assert not isinstance(again, Inspected), "sent back, it is judged again"
                outcomes["refused again"] += 1
        assert outcomes["no letter"] >= len(value) // 9, "all that was cut"
        assert outcomes["refused again"] if authentic else not outcomes["refused again"]
        assert outcomes["the same record"] <= 200, (
            "reason, times, session and leaf are for people; nothing rests on them"
        )
    tried.contained(
        by="operator desk and router",
        how="it is no letter, does not open, is refused again when it is sent back, or is the same record",
        within="when it is sent back",
    )


def test_spoiled_word_of_the_operator_is_none(attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "spoils any byte of the operator's word on a dead letter, or cuts it")
    forms: list[tuple[bytes, bool]] = [
        (sign(LetterResolved.RECORD, REPLAYED.encode(), identity("operator")), False),
        (sign(LetterResolved.TOLD, REPLAYED.tell(), identity("operator")), True),
    ]
    for value, told in forms:
        key = REPLAYED.key.encode()
        good = validate_resolution(value, trust(), NOW, key=key, told=told)
        assert isinstance(good, LetterResolved)
        reasons = [validate_resolution(form, trust(), NOW, key=key, told=told) for form in spoiled(value)]
        assert all(isinstance(reason, Reason) for reason in reasons)
        assert Counter(reasons)[Reason.BAD_SIGNATURE] >= 64
    tried.prevented(
        by="each desk", how=f"dead letter `{Reason.BAD_SIGNATURE.value}` or what it then is", within="its batch"
    )


def test_spoiled_report_is_none(attack: Attack) -> None:
    tried = attack(Attacker.BROKER, "spoils any byte of a role's report to the reconciliation or of its standing")
    entry = ReportEntry("131041", world().event.event_id, world().event.leaf, "stored")
    report = RoleReport("router", NS, "events", NOW, (entry,))
    value = sign(RoleReport.RECORD, report.encode(), identity("router"))
    assert validate_report(value, trust(), NOW) == report
    assert all(isinstance(validate_report(form, trust(), NOW), Reason) for form in spoiled(value))
    standing = StandingReport("router", "router-1", NS, 3, 4, NOW)
    value = standing.sign(identity("router"))
    assert StandingReport.read(value, trust()) == standing
    assert all(isinstance(StandingReport.read(form, trust()), Reason) for form in spoiled(value))
    tried.prevented(by="reconciliation and administrator", how="`bad-signature`, or what it then is", within="at once")
