"""The declaration that holds now, as the administrator signed it: how roles learn of tenants that come and go."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from hub.crypto.identity import IdentityKey, key_id
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.limits import MAX_PARTITIONS
from hub.envelope.reading_rules import moment
from hub.envelope.reasons import EnvelopeError
from hub.envelope.signed import Signed, sign
from hub.envelope.times import to_ms
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
