"""Which signed records count: pure rules from bytes, trust and time to a record or a reason.

`now` is the reader's clock: nothing may be dated more than ten minutes ahead of it, so what was once valid
stays valid. Who may have signed is decided at the time that the record itself names.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from hub.crypto.audience import Suite, public_bytes, sealed_bytes
from hub.crypto.identity import key_id
from hub.envelope.limits import (
    MAX_CLOCK_AHEAD_MS,
    MAX_NAME_BYTES,
    MAX_SESSION_MS,
)
from hub.envelope.names import ADMIN, OPERATOR, ROUTER, Kind, is_tenant, parse_topic
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import (
    AudienceKey,
    Checkpoint,
    DeadLetterNotice,
    KeyDestroyed,
    LetterResolved,
    RoleReport,
    Session,
    SessionClose,
    StoredReceipt,
)
from hub.envelope.sealed import check_audience
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust

_AHEAD: Final = timedelta(milliseconds=MAX_CLOCK_AHEAD_MS)
_LONGEST: Final = timedelta(milliseconds=MAX_SESSION_MS)
_SEALED_BYTES: Final = {sealed_bytes(suite): suite for suite in Suite}
_R = TypeVar("_R")

KeyLookup = Callable[[str, int], "AudienceKey | None"]
"""(audience, epoch) → its announced key, if the caller knows it"""


def _read(value: bytes | Signed, decode: Callable[[bytes], _R]) -> tuple[Signed, _R] | Reason:
    try:
        signed = value if isinstance(value, Signed) else Signed.parse(value)
        return signed, decode(signed.body)
    except EnvelopeError as problem:
        return problem.reason


def validate_audience_key(
    value: bytes | Signed, trust: Trust, now: datetime, *, key: bytes | None = None
) -> AudienceKey | Reason:
    """Accept an audience's key: signed by its owner and the administrator, both speaking now.

    `key` is the Kafka key it was found under. Whether it is current, and not lower than one seen before, is
    the producer's question.
    """
    read = _read(value, AudienceKey.decode)
    if isinstance(read, Reason):
        return read
    signed, record = read
    rule = trust.audiences.get(record.audience)
    if rule is None:
        return Reason.UNTRUSTED
    if record.epoch < rule.minimum_epoch:
        return Reason.OLD_EPOCH
    if record.suite not in rule.suites:
        return Reason.SUITE
    if record.not_after <= record.not_before or not is_epoch(record.epoch):
        return Reason.MALFORMED
    if len(record.public_key) != public_bytes(record.suite) or record.key_id != key_id(record.public_key):
        return Reason.MALFORMED
    if key is not None and key != record.key.encode():
        return Reason.WRONG_KEY
    return trust.signed_by(signed, rule.owner, now) or trust.signed_by(signed, ADMIN, now) or record


def is_epoch(number: int) -> bool:
    """Say whether a number is a YYYYMM."""
    year, month = divmod(number, 100)
    return 1970 <= year <= 9999 and 1 <= month <= 12


def validate_session(
    value: bytes | Signed,
    trust: Trust,
    now: datetime,
    *,
    topic: str | None = None,
    key: bytes | None = None,
    audience_keys: KeyLookup | None = None,
) -> Session | Reason:
    """Accept a session. `topic` is the sessions topic and `key` the Kafka key it was found under.

    With `audience_keys`, a session that outlives one of its audiences' keys is refused too.
    """
    read = _read(value, Session.decode)
    if isinstance(read, Reason):
        return read
    signed, session = read
    if key is not None and key != session.key.encode():
        return Reason.WRONG_KEY
    return (
        _session_rules(session, now)
        or _session_place(session, topic)
        or _session_audiences(session, trust, audience_keys)
        or _session_rights(session, trust)
        or trust.signed_by(signed, session.producer, session.created_at)
        or session
    )


def _session_rules(session: Session, now: datetime) -> Reason | None:
    lasts = session.expires_at - session.created_at
    if not timedelta(0) < lasts <= _LONGEST or session.created_at > now + _AHEAD:
        return Reason.INVALID_SESSION
    if session.kind is None or not is_tenant(session.tenant):
        return Reason.INVALID_SESSION
    names = (session.producer, session.instance)
    if not all(0 < len(name.encode()) <= MAX_NAME_BYTES for name in names):
        return Reason.INVALID_SESSION
    return None


def _session_place(session: Session, found_on: str | None) -> Reason | None:
    topic = parse_topic(session.topic)
    if topic is None or topic.tenant not in (None, session.tenant):
        return Reason.WRONG_TENANT
    if found_on is None:
        return None
    return None if found_on == topic.of("sessions") else Reason.WRONG_TOPIC


def _session_audiences(session: Session, trust: Trust, keys: KeyLookup | None) -> Reason | None:
    # The router checks submissions only; what a desk produces goes straight to its readers.
    if (session.audience(ROUTER) is not None) != (session.kind is Kind.SUBMISSION) or not session.audiences:
        return Reason.INVALID_SESSION
    for each in session.audiences:
        if not check_audience(each.audience) or not is_epoch(each.epoch):
            return Reason.INVALID_SESSION
        suite = _SEALED_BYTES.get(len(each.sealed))
        if not trust.suite_allowed(each.audience, suite):
            return Reason.SUITE
        if each.epoch < trust.minimum_epoch(each.audience):
            return Reason.OLD_EPOCH
        key = None if keys is None else keys(each.audience, each.epoch)
        if key is not None and session.expires_at > key.not_after:
            return Reason.EXPIRED
    return None


def _session_rights(session: Session, trust: Trust) -> Reason | None:
    if not trust.instance_known(session.producer, session.instance):
        return Reason.UNTRUSTED
    if not trust.may_produce(session.producer, session.topic, session.tenant):
        return Reason.NOT_PERMITTED
    return None


def _by_producer(signed: Signed, session: Session, trust: Trust, at: datetime) -> Reason | None:
    """Signed by the session's producer or, for a lost machine, by the administrator."""
    refused = trust.signed_by(signed, session.producer, at)
    if refused is None or trust.signed_by(signed, ADMIN, at) is None:
        return None
    return refused


def _dated(session: Session, at: datetime, now: datetime) -> Reason | None:
    """Not before its session (a statement may follow long after its end), nor in the future."""
    if at < session.created_at or at > now + _AHEAD:
        return Reason.PRODUCED_OUTSIDE_SESSION
    return None


def validate_checkpoint(
    value: bytes | Signed,
    session: Session,
    trust: Trust,
    now: datetime,
    *,
    partition: int | None = None,
    key: bytes | None = None,
) -> Checkpoint | Reason:
    """Accept a checkpoint of a valid session, found on `partition` under the Kafka key `key`."""
    read = _read(value, Checkpoint.decode)
    if isinstance(read, Reason):
        return read
    signed, record = read
    if record.session != session.id:
        return Reason.FOREIGN_SESSION
    if partition is not None and record.partition != partition:
        return Reason.WRONG_PARTITION
    if key is not None and key != record.key.encode():
        return Reason.WRONG_KEY
    if record.previous is None and record.first_sequence:
        return Reason.BROKEN_CHAIN
    return (
        _dated(session, record.produced_at, now) or _by_producer(signed, session, trust, record.produced_at) or record
    )


def validate_close(
    value: bytes | Signed, session: Session, trust: Trust, now: datetime, *, key: bytes | None = None
) -> SessionClose | Reason:
    """Accept the end of a valid session."""
    read = _read(value, SessionClose.decode)
    if isinstance(read, Reason):
        return read
    signed, record = read
    if record.session != session.id:
        return Reason.FOREIGN_SESSION
    if key is not None and key != record.key.encode():
        return Reason.WRONG_KEY
    return _dated(session, record.closed_at, now) or _by_producer(signed, session, trust, record.closed_at) or record


def validate_receipt(
    value: bytes | Signed,
    trust: Trust,
    now: datetime,
    *,
    tenant: str | None = None,
    partition: int | None = None,
    key: bytes | None = None,
) -> StoredReceipt | Reason:
    """Accept a stored receipt: only a tenant's review desk confirms, for its own tenant. `key` is the Kafka key."""
    read = _read(value, StoredReceipt.decode)
    if isinstance(read, Reason):
        return read
    signed, record = read
    if tenant is not None and record.tenant != tenant:
        return Reason.WRONG_TENANT
    if partition is not None and record.partition != partition:
        return Reason.WRONG_PARTITION
    if key is not None and key != record.key.encode():
        return Reason.WRONG_KEY
    if not is_tenant(record.tenant) or record.desk != f"review-{record.tenant}":
        return Reason.NOT_PERMITTED
    return _said(signed, record.desk, trust, record.stored_at, now) or record


def validate_notice(
    value: bytes | Signed,
    trust: Trust,
    now: datetime,
    *,
    tenant: str | None = None,
    signer: str = ROUTER,
    key: bytes | None = None,
) -> DeadLetterNotice | Reason:
    """Accept a dead-letter notice: the router gives them, and on its own topic a desk about what it refused.

    `key` is the Kafka key.
    """
    read = _read(value, DeadLetterNotice.decode)
    if isinstance(read, Reason):
        return read
    signed, record = read
    if tenant is not None and record.tenant != tenant:
        return Reason.WRONG_TENANT
    if key is not None and key != record.key.encode():
        return Reason.WRONG_KEY
    return _said(signed, signer, trust, record.noticed_at, now) or record


def validate_resolution(
    value: bytes | Signed,
    trust: Trust,
    now: datetime,
    *,
    tenant: str | None = None,
    key: bytes | None = None,
    told: bool = False,
) -> LetterResolved | Reason:
    """Accept what became of a dead letter: only the operator says so.

    `tenant` is whose topic it was found on: it must be about that tenant, or about none. `key` is the Kafka key.
    `told`: with what is confided to the operator and the tenant's desks, a `LetterTold`.
    """
    read = _read(value, LetterResolved.hear if told else LetterResolved.decode)
    if isinstance(read, Reason):
        return read
    signed, record = read
    if tenant is not None and record.tenant not in (None, tenant):
        return Reason.WRONG_TENANT
    if key is not None and key != record.key.encode():
        return Reason.WRONG_KEY
    return _said(signed, OPERATOR, trust, record.resolved_at, now) or record


def validate_key_destroyed(value: bytes | Signed, trust: Trust, now: datetime) -> KeyDestroyed | Reason:
    """Accept that a key is gone: its owner says so, and the administrator too if leaves were waived."""
    read = _read(value, KeyDestroyed.decode)
    if isinstance(read, Reason):
        return read
    signed, record = read
    if not is_epoch(record.epoch):
        return Reason.MALFORMED
    owner = trust.owner(record.audience)
    if owner is None:
        return Reason.UNTRUSTED
    refused = _said(signed, owner, trust, record.destroyed_at, now)
    if refused is None and record.waivers:
        refused = trust.signed_by(signed, ADMIN, record.destroyed_at)
    return refused or record


def validate_report(value: bytes | Signed, trust: Trust, now: datetime) -> RoleReport | Reason:
    """Accept a role's report, signed by the principal that it names, for the trust file's namespace."""
    read = _read(value, RoleReport.decode)
    if isinstance(read, Reason):
        return read
    signed, record = read
    if record.namespace != trust.namespace:
        return Reason.WRONG_TOPIC
    return _said(signed, record.principal, trust, record.created_at, now) or record


def _said(signed: Signed, principal: str, trust: Trust, at: datetime, now: datetime) -> Reason | None:
    if at > now + _AHEAD:
        return Reason.EXPIRED
    return trust.signed_by(signed, principal, at)
