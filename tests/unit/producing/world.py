"""A small artificial hub on paper: identity keys, a trust file, audience keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.envelope.records import AudienceKey, StoredEvent, StoredReceipt
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
PRINCIPALS = (
    "admin",
    "operator",
    "portal",
    "router",
    "review-131041",
    "helpdesk-131041",
    "review-999997",
)


def _identities() -> dict[str, IdentityKey]:
    return {name: IdentityKey.from_seed(sha256(name.encode())) for name in PRINCIPALS}


@dataclass
class World:
    """Keys of everybody, and what the administrator says of them."""

    identities: dict[str, IdentityKey] = field(default_factory=_identities)

    def trust(self) -> Trust:
        builder = TrustBuilder("rehearsal")
        for name, identity in self.identities.items():
            builder.identity(name, identity.public, START, END)
        for audience in ("router", "review-131041", "helpdesk-131041"):
            builder.audience(audience, suites=[Suite.X25519])
        builder.audience("quarantine", owner="operator", suites=[Suite.X25519])
        admin = self.identities["admin"]
        return Trust.load(builder.sign(NOW, admin), admin.public)

    def audience_key(
        self,
        audience: str,
        epoch: int = 202611,
        signers: tuple[str, ...] | None = None,
        private: AudiencePrivateKey | None = None,
    ) -> tuple[bytes, bytes]:
        """Return (Kafka key, signed record) of a new audience key."""
        private = private or AudiencePrivateKey.generate(Suite.X25519)
        record = AudienceKey(audience, epoch, private.key_id, Suite.X25519, private.public, *epoch_bounds(epoch))
        owner = "operator" if audience == "quarantine" else audience
        names = (owner, "admin") if signers is None else signers
        value = sign(AudienceKey.RECORD, record.encode(), *(self.identities[name] for name in names))
        return record.key.encode(), value

    def receipt(
        self,
        session: bytes,
        partition: int,
        entries: list[StoredEvent],
        signer: str = "review-131041",
        desk: str = "review-131041",
        tenant: str = "131041",
    ) -> bytes:
        """Return a signed receipt."""
        record = StoredReceipt(session, partition, tenant, desk, tuple(entries), NOW)
        return sign(StoredReceipt.RECORD, record.encode(), self.identities[signer])
