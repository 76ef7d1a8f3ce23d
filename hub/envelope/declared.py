"""The declaration that holds now, as the administrator signed it: how roles learn of tenants that come and go.

And what roles answer: which trust list and declaration they have taken on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from hub.crypto.identity import IdentityKey, key_id
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.limits import MAX_PARTITIONS
from hub.envelope.reading_rules import moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.signed import Signed, sign
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from schemas.errors import HubError


class DeclarationRefused(HubError):
    """The applied declaration is not the administrator's, or cannot be read."""

    code: ClassVar[str] = "declaration.refused"
    hint: ClassVar[str] = "Compare admin.pub with the administrator's fingerprint, and run `eltax-hub topics apply`."


@dataclass(frozen=True, slots=True)
class AppliedDeclaration:
    """A declaration's YAML text, for which namespace it was applied, and with how many partitions per route."""

    RECORD: ClassVar[str] = "AppliedDeclaration"

    namespace: str
    serial: int
    issued_at: datetime
    partitions: int
    text: str

    def sign(self, *administrators: IdentityKey) -> bytes:
        """Return the framed, signed record."""
        body = encode_body(
            self.RECORD,
            {
                "namespace": self.namespace,
                "serial": self.serial,
                "issued_at": to_ms(self.issued_at),
                "partitions": self.partitions,
                "declaration": self.text,
            },
        )
        return sign(self.RECORD, body, *administrators)

    @classmethod
    def load(cls, value: bytes, administrators: Collection[bytes]) -> AppliedDeclaration:
        """Read a framed SignedRecord, signed by one of the pinned public keys. Raises DeclarationRefused."""
        try:
            signed = Signed.parse(value)
            if not any(signed.verify(key_id(public), public) for public in administrators):
                raise DeclarationRefused("signature")
            body = decode_body(cls.RECORD, signed.body)
            issued_at = moment(body["issued_at"])
        except EnvelopeError as problem:
            raise DeclarationRefused(problem.reason.value) from problem
        if not 0 < body["partitions"] <= MAX_PARTITIONS:
            raise DeclarationRefused("partitions")
        return cls(body["namespace"], body["serial"], issued_at, body["partitions"], body["declaration"])


@dataclass(frozen=True, slots=True)
class StandingReport:
    """What a running role holds to: it tells the administrator, who waits for the router before rights are taken."""

    RECORD: ClassVar[str] = "StandingReport"

    principal: str
    instance: str
    namespace: str
    trust_serial: int
    declaration_serial: int
    taken_at: datetime

    @property
    def key(self) -> str:
        """The Kafka key on `<ns>.operations`."""
        return f"standing/{self.principal}/{self.instance}"

    def sign(self, identity: IdentityKey) -> bytes:
        """Return the framed, signed record."""
        body = encode_body(
            self.RECORD,
            {
                "principal": self.principal,
                "instance": self.instance,
                "namespace": self.namespace,
                "trust_serial": self.trust_serial,
                "declaration_serial": self.declaration_serial,
                "taken_at": to_ms(self.taken_at),
            },
        )
        return sign(self.RECORD, body, identity)

    @classmethod
    def read(cls, value: bytes, trust: Trust) -> StandingReport | Reason:
        """Return a report whose signer is who it says and listed, or why it does not count."""
        try:
            signed = Signed.parse(value)
            body = decode_body(cls.RECORD, signed.body)
            found = cls(
                body["principal"],
                body["instance"],
                body["namespace"],
                body["trust_serial"],
                body["declaration_serial"],
                moment(body["taken_at"]),
            )
        except EnvelopeError as problem:
            return problem.reason
        if found.namespace != trust.namespace or not trust.instance_known(found.principal, found.instance):
            return Reason.NOT_PERMITTED
        return trust.signed_by(signed, found.principal, found.taken_at) or found
