"""Sealing and opening: a session's secrets on the producer's side, and what an audience does with its own.

Secrets live in memory only. Objects that hold them show nothing and cannot be pickled or copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from hub.crypto import audience as hpke
from hub.crypto import sections as keys
from hub.crypto.errors import NotAuthentic, NotOpened
from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.crypto.labels import label
from hub.crypto.random import Randomness, system_random
from hub.crypto.secret import Secret, Unprintable
from hub.envelope import header as headers
from hub.envelope.header import EventHeader
from hub.envelope.leaf import leaf
from hub.envelope.limits import MAX_AUDIENCE_BYTES, MAX_HEADER_BYTES, MAX_SEALED_BYTES, MAX_SESSION_MS
from hub.envelope.names import ROUTER, Kind, kind_of_topic
from hub.envelope.padding import pad, padded_bytes, unpad
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import AudienceKey, Session, SessionAudience
from hub.envelope.sealed import build
from hub.envelope.signed import sign
from hub.envelope.wire import FRAME_BYTES

_SESSION: Final = label("session")
_SALT_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_LONGEST: Final = timedelta(milliseconds=MAX_SESSION_MS)
_MOST_AROUND_SECTIONS: Final = FRAME_BYTES + 2 + MAX_HEADER_BYTES + 1 + 1 + 33
"""the longest header and its length, count and end of the sections, mac"""
_MOST_AROUND_CONTENT: Final = MAX_AUDIENCE_BYTES + 32 + 1 + 4 + keys.TAG_BYTES
"""the longest audience with its length, digest, union index, length of a ciphertext of 1 to 8 MiB, tag"""


def session_info(salt: bytes, producer: str, topic: str, tenant: str, audience: str, epoch: int) -> bytes:
    """Return the HPKE info of one sealed session secret.

    L("session") ‖ salt ‖ for producer, topic, tenant, audience, epoch (decimal): u32(len) ‖ UTF-8
    """
    parts = [_SESSION, salt]
    for text in (producer, topic, tenant, audience, str(epoch)):
        encoded = text.encode()
        parts += (len(encoded).to_bytes(4, "big"), encoded)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class SealedOut:
    """A sealed event, ready to be journaled and sent."""

    value: bytes = field(repr=False)
    leaf: bytes
    event_id: str


class SessionSecrets(Unprintable):
    """A producer's session: announces it, and seals events under it.

    `session` is the record, `signed` the framed SignedRecord for the sessions topic, under `session.key`.
    """

    __slots__ = ("_kind", "_mac_key", "_secrets", "session", "signed")

    def __init__(self, session: Session, signed: bytes, secrets: Mapping[str, Secret]) -> None:
        """Use `create`; nothing else can make a session."""
        self.session = session
        self.signed = signed
        self._secrets = dict(secrets)
        self._kind = session.kind
        self._mac_key = keys.mac_key(secrets[ROUTER]) if session.kind is Kind.SUBMISSION else None

    @classmethod
    def create(
        cls,
        *,
        producer: str,
        instance: str,
        topic: str,
        tenant: str,
        created_at: datetime,
        expires_at: datetime,
        audiences: Sequence[AudienceKey],
        identity: IdentityKey,
        previous: bytes | None = None,
        random: Randomness = system_random,
    ) -> SessionSecrets:
        """Make secrets, seal one to each audience's key, and sign the session.

        A session for submissions needs the audience `router`. Raises INVALID_SESSION if a rule of
        docs/envelope.md would be broken (more than 24 hours, or beyond the end of one of the keys).
        """
        if not timedelta(0) < expires_at - created_at <= _LONGEST or any(
            created_at < key.not_before or expires_at > key.not_after for key in audiences
        ):
            raise EnvelopeError(Reason.INVALID_SESSION)
        kind = kind_of_topic(topic)
        names = {key.audience for key in audiences}
        if kind is None or len(names) != len(audiences) or (kind is Kind.SUBMISSION) != (ROUTER in names):
            raise EnvelopeError(Reason.INVALID_SESSION)
        salt = random(_SALT_BYTES)
        secrets: dict[str, Secret] = {}
        sealed: list[SessionAudience] = []
        for key in sorted(audiences, key=lambda each: each.audience.encode()):
            secret = Secret(random(_SECRET_BYTES))
            info = session_info(salt, producer, topic, tenant, key.audience, key.epoch)
            secrets[key.audience] = secret
            sealed.append(
                SessionAudience(
                    key.audience,
                    key.epoch,
                    keys.commitment(secret),
                    hpke.seal(key.suite, key.public_key, info, secret.reveal()),
                )
            )
        body = Session(
            salt, producer, instance, topic, tenant, created_at, expires_at, previous, tuple(sealed)
        ).encode()
        return cls(Session.decode(body), sign(Session.RECORD, body, identity), secrets)

    @property
    def audiences(self) -> tuple[str, ...]:
        """Who can be given a section, in order; the router never is."""
        return tuple(name for name in self._secrets if name != ROUTER)

    def header(
        self,
        *,
        partition: int,
        sequence: int,
        event_id: str,
        receipt_number: str,
        procedure: str,
        procedure_version: int,
        tax_item: str | None,
        accepted_at_ms: int,
        produced_at_ms: int,
        calculation_check: headers.Check,
        signature_check: headers.Check,
        cause: headers.Cause | None = None,
    ) -> EventHeader:
        """Make a header of this session."""
        if self._kind is None:
            raise EnvelopeError(Reason.INVALID_SESSION)
        session = self.session
        return EventHeader(
            session.id,
            self._kind,
            session.tenant,
            session.producer,
            partition,
            sequence,
            event_id,
            receipt_number,
            procedure,
            procedure_version,
            tax_item,
            accepted_at_ms,
            produced_at_ms,
            calculation_check,
            signature_check,
            cause,
        )

    def seal(self, header: EventHeader, sections: Mapping[str, bytes]) -> SealedOut:
        """Seal framed plaintexts, one per audience, under a header. Seal a header once only.

        Raises FOREIGN_SESSION, WRONG_TENANT, WRONG_PRODUCER, WRONG_TOPIC if the header is not this session's,
        NOT_ADDRESSED for an audience without a secret, SECTIONS if one of a submission's is missing,
        HEADER_INVALID, CAUSE, TOO_LARGE, PRODUCED_OUTSIDE_SESSION.
        """
        session = self.session
        refused = _mismatch(header, session, self._kind)
        if refused is not None:
            raise EnvelopeError(refused)
        if not sections or (self._kind is Kind.SUBMISSION and len(sections) != len(self._secrets) - 1):
            raise EnvelopeError(Reason.SECTIONS)
        if not session.created_at <= header.produced_at < session.expires_at:
            raise EnvelopeError(Reason.PRODUCED_OUTSIDE_SESSION)
        if max_sealed_bytes({name: len(text) for name, text in sections.items()}) > MAX_SEALED_BYTES:
            raise EnvelopeError(Reason.TOO_LARGE)
        framed = headers.encode(header)
        sealed: list[tuple[str, bytes, bytes | None]] = []
        for name in sorted(sections, key=str.encode):
            secret = self._secrets.get(name)
            if secret is None or name == ROUTER:
                raise EnvelopeError(Reason.NOT_ADDRESSED)
            ciphertext = keys.seal_section(secret, framed, name, pad(sections[name]))
            sealed.append((name, sha256(ciphertext), ciphertext))
        digest = leaf(framed, ((name, digest) for name, digest, _ in sealed))
        mac = None if self._mac_key is None else keys.mac(self._mac_key, digest)
        return SealedOut(build(framed, sealed, mac), digest, header.event_id)

    def forget(self) -> None:
        """Let the secrets go; nothing can be sealed any more."""
        self._secrets.clear()
        self._mac_key = None
        self._kind = None


def _mismatch(header: EventHeader, session: Session, kind: Kind | None) -> Reason | None:
    if header.session != session.id:
        return Reason.FOREIGN_SESSION
    if header.tenant != session.tenant:
        return Reason.WRONG_TENANT
    if header.producer != session.producer:
        return Reason.WRONG_PRODUCER
    return None if header.kind is kind else Reason.WRONG_TOPIC


def max_sealed_bytes(sections: Mapping[str, int]) -> int:
    """Return the most bytes a sealed event can have, from its plaintexts' lengths in bytes.

    To be asked before a sequence number is taken: `seal` refuses what is over MAX_SEALED_BYTES by this bound.
    """
    return _MOST_AROUND_SECTIONS + sum(_MOST_AROUND_CONTENT + padded_bytes(length) for length in sections.values())


def open_session(session: Session, audience: str, key: hpke.AudiencePrivateKey) -> Secret:
    """Open an audience's secret of a session with its key of that epoch.

    Raises NOT_ADDRESSED, SECRET (another key, or altered) or COMMITMENT (not what was announced).
    """
    sealed = session.audience(audience)
    if sealed is None:
        raise EnvelopeError(Reason.NOT_ADDRESSED)
    info = session_info(session.salt, session.producer, session.topic, session.tenant, audience, sealed.epoch)
    try:
        opened = key.open(sealed.sealed, info)
    except NotOpened as problem:
        raise EnvelopeError(Reason.SECRET) from problem
    if len(opened) != _SECRET_BYTES:
        raise EnvelopeError(Reason.SECRET)
    secret = Secret(opened)
    if not keys.commitment_holds(secret, sealed.commitment):
        raise EnvelopeError(Reason.COMMITMENT)
    return secret


def open_section(secret: Secret, header: bytes, audience: str, ciphertext: bytes) -> bytes:
    """Open a section: decrypt and unpad. Returns the framed plaintext record.

    Raises NOT_AUTHENTIC or PADDING. Whether the ciphertext has its digest is to be checked before.
    """
    try:
        padded = keys.open_section(secret, header, audience, ciphertext)
    except NotAuthentic as problem:
        raise EnvelopeError(Reason.NOT_AUTHENTIC) from problem
    return unpad(padded)
