"""Signed records of all kinds: parsing, validation, the audit log's leaves and ledger, trust, declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from consumers.audit import codec as leaves
from consumers.audit.codec import STATEMENT
from consumers.audit.entries import Place as LogPlace
from consumers.audit.judge import Announcements
from consumers.audit.ledger import Chains
from consumers.desk import checkpoint_seen, resolution_seen
from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.envelope.declared import AppliedDeclaration, DeclarationRefused, StandingReport
from hub.envelope.letters import DeadLetterNotice, Place
from hub.envelope.operations import Kind, Operation, OperationEvent
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import (
    AudienceKey,
    Checkpoint,
    CheckpointEntry,
    ClosedPartition,
    Confided,
    KeyDestroyed,
    LetterResolved,
    RefusedEvent,
    ReportEntry,
    RoleReport,
    Session,
    SessionClose,
    StoredEvent,
    StoredReceipt,
)
from hub.envelope.resolutions import receipt_fingerprint
from hub.envelope.sealed import parse
from hub.envelope.signed import Signed, sign
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust, TrustRefused
from hub.envelope.validation import (
    validate_audience_key,
    validate_checkpoint,
    validate_close,
    validate_key_destroyed,
    validate_notice,
    validate_report,
    validate_resolution,
    validate_session,
)
from hub.envelope.validation import validate_receipt as _receipt
from hub.reading.intake import Refused, session_named
from hub.transport import KafkaRecord
from schemas import registry
from schemas.codec import CodecError
from tests.fuzz import mutate, world
from tests.fuzz.guard import ensure, refusal
from tests.fuzz.target import Target
from tests.fuzz.targets.events import Known, intake
from topics.declaration import PACKAGED
from topics.declaration import parse as read_declaration
from topics.errors import DeclarationInvalid
from topics.expanding import expand

_SIGNERS = {
    "AudienceKey": (world.REVIEW, "admin"),
    "Session": ("portal",),
    "SessionClose": ("portal",),
    "Checkpoint": ("portal",),
    "StoredReceipt": (world.REVIEW,),
    "DeadLetterNotice": ("router",),
    "LetterResolved": ("operator",),
    "LetterTold": ("operator",),
    "KeyDestroyed": (world.REVIEW, "admin"),
    "RoleReport": ("portal",),
    "Trust": ("admin",),
    "AppliedDeclaration": ("admin",),
    "StandingReport": ("portal",),
    "OperationEvent": ("portal",),
}
_NOW = world.NOW + timedelta(hours=1)


def _validations() -> dict[str, Callable[[bytes], Any]]:
    trust, session = world.trust(), world.session().session
    return {
        "AudienceKey": lambda value: validate_audience_key(value, trust, _NOW),
        "Session": lambda value: validate_session(value, trust, _NOW, audience_keys=lambda name, epoch: None),
        "SessionClose": lambda value: validate_close(value, session, trust, _NOW),
        "Checkpoint": lambda value: validate_checkpoint(value, session, trust, _NOW, partition=world.PARTITION),
        "StoredReceipt": lambda value: _receipt(value, trust, _NOW),
        "DeadLetterNotice": lambda value: validate_notice(value, trust, _NOW),
        "LetterResolved": lambda value: validate_resolution(value, trust, _NOW),
        "LetterTold": lambda value: validate_resolution(value, trust, _NOW, told=True),
        "KeyDestroyed": lambda value: validate_key_destroyed(value, trust, _NOW),
        "RoleReport": lambda value: validate_report(value, trust, _NOW),
        "StandingReport": lambda value: StandingReport.read(value, trust),
        "OperationEvent": lambda value: OperationEvent.read(value, trust),
    }


_VALIDATIONS: dict[str, Callable[[bytes], Any]] = {}


def _keys(body: bytes) -> list[IdentityKey]:
    contract = registry.by_id(int.from_bytes(body[:5], "big")) if len(body) > 4 else None
    return [world.identity(name) for name in _SIGNERS.get("" if contract is None else contract.name, ())]


def run(data: bytes) -> None:
    """First byte: 0 a whole signed record as it comes; else a body that its rightful signers sign."""
    if not data:
        return
    value = data[1:]
    if data[0] & 1:
        keys = _keys(value)
        if keys:
            contract = registry.by_id(int.from_bytes(value[1:5], "big"))
            assert contract is not None
            value = sign(contract.name, value, *keys)
    if not _VALIDATIONS:
        _VALIDATIONS.update(_validations())
    signed = refusal((EnvelopeError,), value, lambda: Signed.parse(value))
    session_named(value)
    if signed is None:
        ensure(all(isinstance(call(value), Reason) for call in _VALIDATIONS.values()), "unreadable is refused")
        return
    ensure(signed.encode() == value, "an accepted signed record has one encoding")
    name = refusal((EnvelopeError,), value, lambda: signed.name)
    for own, call in _VALIDATIONS.items():
        if own == name or data[0] & 2:
            found = call(value)
            ensure(isinstance(found, Reason) or own == name, "a record counts as what it is only")
            if not isinstance(found, Reason):
                _accepted(found, signed)
    for topic in (world.SUBMISSIONS, world.STATUS):
        outcome = intake().take(
            KafkaRecord(topic, world.PARTITION, 1, 0, getattr(name, "encode", bytes)(), value), _NOW
        )
        if isinstance(outcome, Refused):
            ensure(outcome.reason in Reason, "a refusal has a reason of the list")
    taken = Announcements(world.T, Known(), world.trust).take(
        KafkaRecord(f"{world.NS}.sessions", 0, 1, 0, signed.hash.hex().encode(), value), _NOW
    )
    ensure(
        taken is None or not isinstance(taken, Refused) or taken.reason in Reason, "a refusal has a reason of the list"
    )
    if name is not None:
        _logged(name, value)
    _governing(name, value)


def _accepted(found: Any, signed: Signed) -> None:
    if isinstance(found, OperationEvent):
        again = Signed.parse(found.sign(world.identity("portal"))).body
        ensure(again == signed.body and found.operation.cleaned == found.operation, "an accepted line is written again")
    elif not isinstance(found, StandingReport):
        told = isinstance(found, LetterResolved) and found.opened is not None
        ensure((found.tell() if told else found.encode()) == signed.body, "an accepted body has one encoding")
    if hasattr(found, "key"):
        ensure(len(found.key) < 2_000, "a Kafka key is short")
    if isinstance(found, Checkpoint):
        seen = checkpoint_seen(found, world.session().session, to_ms(_NOW))
        ensure(all(0 <= at < 2**63 for at in (seen.first_sequence, found.next_sequence)), "a sequence has 63 bits")
    if isinstance(found, LetterResolved):
        resolution_seen(found)


def _logged(name: str, value: bytes) -> None:
    """The audit log keeps statements as they came; what it takes of them must not harm the ledger."""
    framed = leaves.encode_statement(LogPlace("t", 0, 0, 0), name, value)
    read = refusal((CodecError, EnvelopeError), value, lambda: leaves.decode(STATEMENT, framed))
    if read is not None and read[0] is not None:
        chains = Chains()
        chains.add(read[0])
        chains.compact()
        chains.troubles(to_ms(_NOW))


def _governing(name: str | None, value: bytes) -> None:
    admin = world.identity("admin").public
    trust = refusal((TrustRefused,), value, lambda: Trust.load(value, admin))
    if trust is not None:
        trust.rights("portal", world.SUBMISSIONS, world.T)
        trust.revoked(bytes(8))
        for audience in trust.audiences:
            trust.owner(audience)
    applied = refusal((DeclarationRefused,), value, lambda: AppliedDeclaration.load(value, [admin]))
    if applied is not None:
        ensure(name == AppliedDeclaration.RECORD, "a declaration counts as what it is only")


def bodies() -> Iterator[bytes]:
    """One sound body of every kind."""
    event, session = world.event(), world.session().session
    when = world.NOW + timedelta(minutes=5)
    first = Checkpoint(session.id, world.PARTITION, 0, (CheckpointEntry(event.leaf),), None, when)
    yield first.encode()
    yield Checkpoint(
        session.id, world.PARTITION, 1, (CheckpointEntry(bytes(32), True),) * 2, sha256(first.encode()), when
    ).encode()
    small = Session.decode(Signed.parse(world.session().signed).body)
    yield small.encode()
    yield SessionClose(session.id, (ClosedPartition(0, -1, None), ClosedPartition(3, 0, bytes(32))), when).encode()
    key = world.audience_key(world.REVIEW)
    yield AudienceKey(
        key.audience, key.epoch, key.key_id, key.suite, key.public_key, key.not_before, key.not_after
    ).encode()
    stored = StoredEvent(0, event.event_id, event.leaf)
    yield StoredReceipt(session.id, world.PARTITION, world.T, world.REVIEW, (stored,), when).encode()
    sealed = parse(event.value)
    yield DeadLetterNotice(world.T, sealed.header, sealed.digests, Reason.BAD_MAC, when).encode()
    letter, origin = Place(f"{world.NS}.dead-letters.router", 0, 5), Place(world.SUBMISSIONS, 3, 9)
    confided = Confided(world.seed("salt"), bytes(32), receipt_fingerprint("R8-13104-000000000"), "見本", None)
    replayed = LetterResolved(
        letter=letter,
        origin=origin,
        refused=Reason.BAD_MAC,
        refused_at=when,
        tenant=world.T,
        event=RefusedEvent(event.event_id, event.leaf),
        reason=None,
        replayed_to=12,
        generation=0,
        former=None,
        confided=confided,
        resolved_at=when,
    )
    said = Confided(world.seed("salt"), bytes(32), None, "a", "artificial")
    discarded = replace(
        replayed,
        tenant=None,
        event=None,
        reason="not-ours",
        replayed_to=None,
        generation=1,
        former=letter,
        confided=said,
    )
    for resolved in (replayed, discarded):
        yield resolved.encode()
        yield resolved.tell()
    yield KeyDestroyed(world.REVIEW, 202604, bytes(8), when, (bytes(32), b"\x01" * 32)).encode()
    entry = ReportEntry(world.T, event.event_id, event.leaf, "held")
    yield RoleReport("portal", world.NS, "portal", when, (entry, entry)).encode()
    yield Signed.parse(world.trust_bytes()).body
    yield Signed.parse(AppliedDeclaration(world.NS, 3, when, 6, "version: 1\n").sign(world.identity("admin"))).body
    yield Signed.parse(StandingReport("portal", "fuzz-1", world.NS, 1, 1, when).sign(world.identity("portal"))).body
    done = Operation(Kind.VIEWED, when, "ok", "sato", "192.0.2.1", world.T, "0" * 32, "review show", "", 2)
    line = OperationEvent("portal", "fuzz-1", world.NS, bytes(16), 1, b"\x01" * 32, done)
    yield Signed.parse(line.sign(world.identity("portal"))).body


def seeds() -> Iterator[bytes]:
    for body in bodies():
        yield b"\x01" + body
    yield b"\x00" + sign("Checkpoint", next(bodies()), world.identity("portal"))
    yield b"\x02" + sign("Checkpoint", next(bodies()), world.identity("portal"), world.identity("admin"))


SIGNED = Target(
    "signed",
    "signed records of all kinds: parse, validation, intake, audit leaf, ledger, trust, declaration",
    run,
    seeds,
    change=mutate.avro(1),
    words=(b"portal", b"admin", world.T.encode(), world.SUBMISSIONS.encode()),
)


def run_declaration(data: bytes) -> None:
    """The administrator's YAML, as a signed declaration brings it."""
    text = data.decode("utf-8", "replace")

    def read() -> object:
        return expand(read_declaration(text), world.NS, partitions=6)

    # keys of the declaration are named in its errors: they are declared, and say nothing of anybody
    refusal((DeclarationInvalid,), data, read, names_input=True)


def declaration_seeds() -> Iterator[bytes]:
    whole = PACKAGED.read_text("utf-8")
    yield "\n".join(line for line in whole.splitlines() if line.strip() and not line.lstrip().startswith("#")).encode()
    empty = "tenants: []\ntax_items: []\ntopics: {}\nprincipals: {}\nroutes: []\n"
    yield b"version: 1\npartitions: 2\nreplication: {factor: 1, min_in_sync: 1}\n" + empty.encode()
    yield b"a: &a [*a, 2025-01-01, 0x1f, 1:30, !!binary AAAA, ~, <<: {b: c}]\n"


DECLARATION = Target(
    "declaration",
    "the declaration of topics: YAML, its rules, its layout",
    run_declaration,
    declaration_seeds,
    max_bytes=16_384,
    change=mutate.lines(),
    words=(b"*a", b"&a ", b"<<: ", b"!!", b": ", b"- ", b"[", b"{"),
)
