"""The hub's judges of the negative vectors: what each hop makes of a record, by its real rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from consumers.assembly import produced, routed
from consumers.helpdesk.desk import HelpdeskDesk
from consumers.review.desk import ReviewDesk
from hub.crypto.errors import CryptoError
from hub.crypto.identity import IdentityKey
from hub.crypto.keyfile import PassphraseKeys, open_file
from hub.crypto.secret import Secret
from hub.crypto.sections import mac_key
from hub.envelope import delivery, validation
from hub.envelope.announcements import AudienceKey, Session
from hub.envelope.inspection import Lane, lane
from hub.envelope.letters import DeadLetter, open_quarantine
from hub.envelope.names import Kind
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.session import open_session
from hub.envelope.signed import Signed
from hub.envelope.times import from_ms
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_session
from hub.reading.intake import Arrived, Expectation, Intake, Refused
from hub.router import rules
from hub.transport import KafkaRecord
from portal.status import read_message
from schemas.errors import HubError
from tests.unit.vectors.files import NOW, WORLD, b, load, private_key, trust

Case = dict[str, Any]
TENANT, NAMESPACE, PARTITIONS = WORLD["tenant"], WORLD["namespace"], WORLD["partitions"]


@cache
def announced_keys() -> dict[tuple[str, int], AudienceKey]:
    keys = [AudienceKey.decode(b(each["body"])) for each in load("records") if each["record"] == "AudienceKey"]
    return {(key.audience, key.epoch): key for key in keys}


def now_of(case: Case) -> datetime:
    return from_ms(case["now"]) if "now" in case else NOW


class Sessions:
    """The sessions that were announced: those of the vectors, and those of the case."""

    def __init__(self, case: Case) -> None:
        self.known: dict[bytes, Session | Reason] = {}
        for value in [each["signed"] for each in load("sessions")] + case.get("announced", []):
            name = Signed.parse(b(value)).hash
            self.known[name] = validate_session(b(value), trust(), now_of(case))

    def find(self, session: bytes) -> Session | Reason:
        return self.known.get(session, Reason.UNKNOWN_SESSION)


class Secrets:
    """What an audience opens with its one key."""

    def __init__(self, audience: str) -> None:
        self.audience = audience

    def unlock(self, session: Session) -> Secret | Reason:
        try:
            return open_session(session, self.audience, private_key(self.audience))
        except EnvelopeError as problem:
            return problem.reason


def record_of(case: Case) -> KafkaRecord:
    value = None if case["value"] is None else b(case["value"])
    key = None if case["key"] is None else case["key"].encode()
    return KafkaRecord(case["topic"], case["partition"], 0, WORLD["now"], key, value)


def at_the_router(case: Case) -> str | None:
    """As `hub.router` judges: sessions looked for, opened, then the pure rules."""
    refused: dict[bytes, Reason] = {}
    lanes: dict[bytes, Lane] = {}
    sessions: dict[bytes, Session] = {}
    for name, found in Sessions(case).known.items():
        if not isinstance(found, Session) or found.topic != case["topic"]:
            refused[name] = found if isinstance(found, Reason) else Reason.WRONG_TOPIC
            continue
        secret = Secrets("router").unlock(found)
        if isinstance(secret, Reason):
            refused[name] = secret
            continue
        made = lane(found, case["partition"], trust(), topic=case["topic"], mac_key=mac_key(secret))
        assert isinstance(made, Lane)
        lanes[name], sessions[name] = made, found
    known = rules.Known(lanes, sessions, refused)
    place = rules.Place(case["partition"], PARTITIONS, {TENANT: ()}, {TENANT}, 0)
    verdict = rules.judge(record_of(case), known, place, trust(), now_of(case))
    match verdict:
        case rules.Refuse(reason):
            return reason.value
        case rules.Unknown():
            return Reason.UNKNOWN_SESSION.value
    return None


def expectation(case: Case, reader: str) -> Expectation:
    kind = case["topic"].rpartition(".")[2]
    if kind in ("status", "accepted"):
        return produced(NAMESPACE, TENANT, Kind(kind))
    return routed(NAMESPACE, TENANT, None if reader == "audit" else reader)


def at_a_desk(case: Case) -> str | None:
    """As a desk judges: its intake, then its own section."""
    reader = case["reader"]
    audience = None if reader == "audit" else reader
    expected = expectation(case, reader)
    intake = Intake(audience, lambda _: expected, lambda _: PARTITIONS, Sessions(case), Secrets(reader), trust)
    outcome = intake.take(record_of(case), now_of(case))
    if isinstance(outcome, Refused):
        return outcome.reason.value
    if not isinstance(outcome, Arrived) or outcome.plaintext is None:
        return None
    if reader == "portal":
        read: Any = read_message(record_of(case), outcome)
    elif reader.startswith("review-"):
        seed = next(each["seed"] for each in WORLD["identities"] if each["principal"] == reader)
        desk = ReviewDesk(reader, TENANT, IdentityKey.from_seed(b(seed)), f"{NAMESPACE}.{TENANT}.status")
        read = desk.read(outcome.header, outcome.plaintext)
    else:
        read = HelpdeskDesk().read(outcome.header, outcome.plaintext)
    return read.value if isinstance(read, Reason) else None


def record_judge(case: Case) -> str | None:
    """One signed record by the rule of its kind."""
    value, now = b(case["value"]), now_of(case)
    key = None if case.get("key") is None else case["key"].encode()
    more: dict[str, Any] = {} if key is None else {"key": key}
    sessions = Sessions(case)
    session: Any = sessions.find(b(case["session"])) if "session" in case else None
    keys = announced_keys()
    calls: dict[str, Callable[[], Any]] = {
        "session": lambda: validate_session(
            value, trust(), now, topic=case["topic"], audience_keys=lambda *of: keys.get(of), **more
        ),
        "checkpoint": lambda: validation.validate_checkpoint(
            value,
            session,
            trust(),
            now,
            partition=case["partition"],
            **more,
        ),
        "close": lambda: validation.validate_close(value, session, trust(), now, **more),
        "audience-key": lambda: validation.validate_audience_key(value, trust(), now, **more),
        "receipt": lambda: validation.validate_receipt(
            value, trust(), now, tenant=TENANT, partition=case["partition"], **more
        ),
        "notice": lambda: validation.validate_notice(value, trust(), now, tenant=TENANT, **more),
        "resolved": lambda: validation.validate_resolution(value, trust(), now, tenant=TENANT, **more),
        "told": lambda: validation.validate_resolution(value, trust(), now, tenant=TENANT, told=True, **more),
        "key-destroyed": lambda: validation.validate_key_destroyed(value, trust(), now),
        "report": lambda: validation.validate_report(value, trust(), now),
    }
    found = calls[case["judge"]]()
    return found.value if isinstance(found, Reason) else None


def opened(case: Case) -> str | None:
    """An audience opens its secret of a session, or the operator a letter in quarantine."""
    try:
        if case["judge"] == "dead-letter":
            letter = DeadLetter.decode(b(case["value"]))
            if letter.quarantine is not None:
                open_quarantine(letter, private_key("quarantine"))
        else:
            open_session(Session.decode(b(case["value"])), case["reader"], private_key(case["reader"]))
    except EnvelopeError as problem:
        return problem.reason.value
    return None


def file_judge(case: Case) -> str | None:
    """A trust list, a delivery receipt, a key file: the code of the hub's error."""
    data = b(case["value"])
    try:
        match case["judge"]:
            case "trust":
                Trust.load(data, b(WORLD["administrator_public"]))
            case "delivery-receipt":
                if not delivery.read(data).agrees:
                    return delivery.NoDeliveryReceipt.code
            case "key-file":
                open_file(data, PassphraseKeys(case["passphrase"].encode(), allow_weak=case["allow_weak"]))
    except (HubError, CryptoError) as problem:
        return problem.code
    return None


def judge(case: Case) -> str | None:
    """The code with which the hub refuses a case; None if it does not."""
    match case["judge"]:
        case "event":
            return at_the_router(case) if case["reader"] == "router" else at_a_desk(case)
        case "dead-letter" | "open-session":
            return opened(case)
        case "trust" | "delivery-receipt" | "key-file":
            return file_judge(case)
    return record_judge(case)
