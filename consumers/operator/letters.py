"""A dead letter as the operator sees it: what is known of it, and never what it says.

    record of a dead-letter topic ─> DeadLetter ─> content (opened, if quarantined and the key is here) ─> facts

Of the content stay a hash, sizes, and, if it is an event, what its public header says of it by ids: tenant,
event id, leaf, and the fingerprint of the receipt number. Text of an unproven record reaches nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from hub.crypto.audience import AudiencePrivateKey
from hub.crypto.errors import KeyMissing
from hub.crypto.hkdf import sha256
from hub.envelope import header as headers
from hub.envelope import sealed as sealing
from hub.envelope import signed as signing
from hub.envelope.header import EventHeader
from hub.envelope.letters import Content, DeadLetter, Place, open_quarantine
from hub.envelope.names import QUARANTINE, parse_topic
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import RefusedEvent
from hub.envelope.resolutions import receipt_fingerprint
from hub.envelope.sealed import Sealed
from hub.envelope.signed import Signed
from hub.envelope.wire import frame_id
from hub.transport import KafkaRecord

EVENT: Final = "SealedEvent"
UNKNOWN: Final = "unknown"
Open = Callable[[DeadLetter], Content | None]
"""Returns the content of a letter; None if it lies in quarantine and cannot be opened here."""


@dataclass(frozen=True, slots=True)
class Described:
    """What can be said of a refused record without saying what is in it."""

    digest: bytes
    """SHA-256 of the value"""
    key_bytes: int
    value_bytes: int
    record: str
    """`SealedEvent`, the short name of a signed record, or `unknown`"""
    tenant: str | None
    """whose it is, by its topic or as its header says; None where nothing says so"""
    event: RefusedEvent | None = None
    receipt: bytes | None = None
    """fingerprint of an event's receipt number"""
    kind: str = ""
    """submission, status or accepted"""
    session: bytes | None = None
    audiences: tuple[str, ...] = ()
    """the declared audiences among those of its sections"""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `described` is None where the content lies in quarantine and the key is not here."""

    place: Place
    stage: str
    """the principal that refused the record: the one that may write this topic"""
    reason: Reason
    origin: Place
    appended_at: datetime
    written_at: datetime
    authentic: bool
    size: int
    owner: str | None
    """the tenant on whose topic the record lay; None for a topic of all tenants"""
    described: Described | None

    @property
    def tenant(self) -> str | None:
        """Whose it is, as far as anything says so."""
        return self.owner if self.described is None else self.described.tenant

    @property
    def name(self) -> str:
        """How people call it: `<dead-letter topic>/<partition>/<offset>`."""
        return f"{self.place.topic}/{self.place.partition}/{self.place.offset}"


class Keys(Protocol):
    """What is needed of the operator's `hub.crypto.keystore.KeyStore`."""

    def load_audience(self, audience: str, epoch: int, key_id: bytes | None = None) -> AudiencePrivateKey:
        """Return a key. Raises KeyMissing."""


class Quarantine:
    """Opens quarantined letters with the operator's keys, each loaded once (half a second for a key file)."""

    def __init__(self, keys: Keys) -> None:
        """Use the operator's key store."""
        self._store = keys
        self._loaded: dict[tuple[int, bytes], AudiencePrivateKey | None] = {}

    def open(self, letter: DeadLetter) -> Content | None:
        """Return what a letter holds; None if the key is not here or does not open it. Implements `Open`."""
        if letter.quarantine is None:
            return letter.content
        key = self._key(letter.quarantine.epoch, letter.quarantine.key_id)
        if key is None:
            return None
        try:
            return open_quarantine(letter, key)
        except EnvelopeError:
            return None

    def _key(self, epoch: int, key_id: bytes) -> AudiencePrivateKey | None:
        if (epoch, key_id) not in self._loaded:
            try:
                found: AudiencePrivateKey | None = self._store.load_audience(QUARANTINE, epoch, key_id)
            except KeyMissing:
                found = None
            self._loaded[epoch, key_id] = found
        return self._loaded[epoch, key_id]


def open_nothing(letter: DeadLetter) -> Content | None:
    """Return only what lies in the clear: for who has no key of the quarantine. Implements `Open`."""
    return letter.content


@dataclass(frozen=True, slots=True)
class Declared:
    """The names that may be repeated from an unproven record, because they are ours."""

    tenants: Collection[str]
    audiences: Collection[str]
    stages: dict[str, str] = field(default_factory=dict)
    """dead-letter topic to the principal that writes it"""


def read_letter(record: KafkaRecord, declared: Declared, open_: Open) -> tuple[Letter, Content | None] | None:
    """Read one record of a dead-letter topic; None if it is no letter of the hop whose topic this is."""
    stage = declared.stages.get(record.topic)
    try:
        letter = DeadLetter.decode(record.value or b"")
    except EnvelopeError:
        return None
    if stage is None or letter.stage != stage:
        return None
    content = open_(letter)
    described = None if content is None else describe(content, letter.place, declared)
    made = Letter(
        place=Place(record.topic, record.partition, record.offset),
        stage=stage,
        reason=letter.reason,
        origin=letter.place,
        appended_at=letter.appended_at,
        written_at=letter.written_at,
        authentic=letter.authentic,
        size=record.size,
        owner=_owner(letter.place, declared),
        described=described,
    )
    return made, content


def describe(content: Content, origin: Place, declared: Declared) -> Described:
    """Return what can be said of a record that came from `origin`. Never raises for what it holds."""
    value = content.value or b""
    owner = _owner(origin, declared)
    sealed = _parsed(value)
    name = EVENT if sealed is not None else _signed_name(value)
    header = None if sealed is None else _header(sealed)
    if sealed is None or header is None:
        return Described(sha256(value), len(content.key or b""), len(value), name, owner)
    return Described(
        digest=sha256(value),
        key_bytes=len(content.key or b""),
        value_bytes=len(value),
        record=name,
        tenant=owner or (header.tenant if header.tenant in declared.tenants else None),
        event=RefusedEvent(header.event_id, sealed.leaf()),
        receipt=receipt_fingerprint(header.receipt_number),
        kind=header.kind.value,
        session=header.session,
        audiences=tuple(each.audience for each in sealed.sections if each.audience in declared.audiences),
    )


def _owner(origin: Place, declared: Declared) -> str | None:
    """The tenant whose topic it is; None for a topic of all tenants."""
    topic = parse_topic(origin.topic)
    return topic.tenant if topic is not None and topic.tenant in declared.tenants else None


def _parsed(value: bytes) -> Sealed | None:
    try:
        return sealing.parse(value)
    except EnvelopeError:
        return None


def _header(sealed: Sealed) -> EventHeader | None:
    try:
        return headers.decode(sealed.header)
    except EnvelopeError:
        return None


def _signed_name(value: bytes) -> str:
    """Short name of a signed record's body: one of our contracts, never text of the record."""
    try:
        if frame_id(value) == signing.SCHEMA_ID:
            return Signed.parse(value).name
    except EnvelopeError:
        pass
    return UNKNOWN
