"""The trust file: who is who, and who may produce what. Signed by the administrator.

The first one comes out of band, with the administrator's public key; newer ones count by that key (`hub.standing`).
Nothing on the wire adds trust. Who is not listed is unknown, what is not granted is refused, an audience that
is not listed takes no keys. Times decide which of a principal's keys spoke; a revoked key never counts again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from hub.crypto.audience import Suite
from hub.crypto.identity import is_weak, key_id
from hub.envelope.contracts import decode_body
from hub.envelope.limits import MAX_NAME_BYTES
from hub.envelope.names import ADMIN, parse_topic
from hub.envelope.reading_rules import ascending, moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.sealed import check_audience
from hub.envelope.signed import Signed
from schemas.errors import HubError

RECORD = "Trust"


class TrustRefused(HubError):
    """The trust file is not the administrator's, or breaks its own rules."""

    code: ClassVar[str] = "trust.refused"
    hint: ClassVar[str] = "Compare admin.pub with the administrator's fingerprint, and fetch trust.bin again."


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal's public key and when it speaks; `not_after` is exclusive."""

    principal: str
    public: bytes
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None = None

    @property
    def key_id(self) -> bytes:
        """SHA-256(public)[:8]."""
        return key_id(self.public)

    def speaks(self, at: datetime) -> bool:
        """Say whether the key is valid at a time and not revoked at all."""
        return self.revoked_at is None and self.not_before <= at < self.not_after


@dataclass(frozen=True, slots=True)
class Right:
    """What a principal may produce: a dataset (`submissions`, `status`, `accepted`); None means all."""

    dataset: str
    tenants: frozenset[str] | None = None
    procedures: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """A named peer. `instances` None: any instance name."""

    name: str
    identities: tuple[Identity, ...]
    may_produce: tuple[Right, ...] = ()
    instances: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class AudienceRule:
    """What to accept as an audience's key. `owner` signs its keys; lower epochs are refused."""

    name: str
    owner: str
    minimum_epoch: int = 0
    suites: frozenset[Suite] = frozenset({Suite.HYBRID})


@dataclass(frozen=True, slots=True)
class Trust:
    """A verified trust file; answers questions, changes nothing."""

    namespace: str
    serial: int
    issued_at: datetime
    principals: Mapping[str, Principal]
    audiences: Mapping[str, AudienceRule]

    @classmethod
    def load(cls, value: bytes, administrators: bytes | Collection[bytes]) -> Trust:
        """Read a framed SignedRecord, signed by one of the pinned public keys (32 bytes each).

        Raises TrustRefused.
        """
        pinned = [administrators] if isinstance(administrators, bytes) else list(administrators)
        try:
            signed = Signed.parse(value)
            if not any(signed.verify(key_id(public), public) for public in pinned):
                raise TrustRefused("signature")
            return _read(decode_body(RECORD, signed.body))
        except EnvelopeError as problem:
            raise TrustRefused(problem.reason.value) from problem

    def identity(self, principal: str, key_id: bytes, at: datetime) -> Identity | None:
        """Return a principal's key if it is listed, valid at `at` and not revoked; else None."""
        for identity in self._identities(principal):
            if identity.key_id == key_id and identity.speaks(at):
                return identity
        return None

    def _identities(self, principal: str) -> tuple[Identity, ...]:
        known = self.principals.get(principal)
        return () if known is None else known.identities

    def revoked(self, key_id: bytes) -> bool:
        """Say whether a key was revoked; then nothing signed with it counts, whatever its date."""
        return any(
            identity.revoked_at is not None and identity.key_id == key_id
            for principal in self.principals.values()
            for identity in principal.identities
        )

    def signed_by(self, signed: Signed, principal: str, at: datetime) -> Reason | None:
        """Return None if `principal` signed the record with a key that speaks at `at`, else why not."""
        reason = Reason.UNTRUSTED
        for mark in signed.signatures:
            identity = self.identity(principal, mark.key_id, at)
            if identity is None:
                if reason is Reason.UNTRUSTED and self.revoked(mark.key_id):
                    reason = Reason.REVOKED
            elif signed.verify(mark.key_id, identity.public):
                return None
            else:
                reason = Reason.BAD_SIGNATURE
        return reason

    def spoke(self, signed: Signed, principal: str, at: datetime) -> bool:
        """Say whether `principal` signed the record with a key that spoke at `at`, and was not revoked by then.

        For what was believed when it came, and is only looked at again; what comes now asks `signed_by`.
        """
        return any(
            identity.not_before <= at < min(identity.not_after, identity.revoked_at or identity.not_after)
            and signed.verify(identity.key_id, identity.public)
            for identity in self._identities(principal)
        )

    @property
    def administrators(self) -> tuple[Identity, ...]:
        """The administrator's keys, past and revoked ones included."""
        return self._identities(ADMIN)

    def instance_known(self, principal: str, instance: str) -> bool:
        """Say whether a principal may run under this instance name."""
        known = self.principals.get(principal)
        return known is not None and (known.instances is None or instance in known.instances)

    def rights(self, principal: str, topic: str, tenant: str) -> tuple[Right, ...]:
        """Return the rights by which a principal may produce to a topic for a tenant; empty: it may not."""
        name = parse_topic(topic)
        known = self.principals.get(principal)
        if name is None or known is None or name.namespace != self.namespace:
            return ()
        if name.tenant is not None and name.tenant != tenant:
            return ()
        return tuple(
            right
            for right in known.may_produce
            if right.dataset == name.dataset and (right.tenants is None or tenant in right.tenants)
        )

    def may_produce(self, principal: str, topic: str, tenant: str, procedure: str | None = None) -> bool:
        """Say whether a principal may produce to a topic (full name); None: some procedure at least."""
        return any(
            procedure is None or right.procedures is None or procedure in right.procedures
            for right in self.rights(principal, topic, tenant)
        )

    def minimum_epoch(self, audience: str) -> int:
        """Return the lowest epoch (YYYYMM) that may still be sealed to; 0 if there is none."""
        rule = self.audiences.get(audience)
        return 0 if rule is None else rule.minimum_epoch

    def owner(self, audience: str) -> str | None:
        """Return the principal that owns an audience's keys; None if the audience is not listed."""
        rule = self.audiences.get(audience)
        return None if rule is None else rule.owner

    def suite_allowed(self, audience: str, suite: Suite | None) -> bool:
        """Say whether an audience may have keys of a suite; of None, which is no suite, nobody may."""
        rule = self.audiences.get(audience)
        return rule is not None and suite in rule.suites


def _read(value: Mapping[str, Any]) -> Trust:
    principals = {each["name"]: _principal(each) for each in value["principals"]}
    audiences = {
        each["name"]: AudienceRule(
            each["name"],
            each["owner"],
            each["minimum_epoch"],
            frozenset(Suite(suite) for suite in each["suites"]),
        )
        for each in value["audiences"]
    }
    for listed in _sets(value):
        if not ascending([name.encode() for name in listed]):
            raise TrustRefused("order")
    names_ = [each["name"] for each in value["principals"]]
    if not all(0 < len(name.encode()) <= MAX_NAME_BYTES for name in names_) or not all(map(check_audience, audiences)):
        raise TrustRefused("names")
    owners: dict[bytes, str] = {}
    for principal in principals.values():
        for identity in principal.identities:
            if owners.setdefault(identity.key_id, principal.name) != principal.name:
                raise TrustRefused("one key, two principals")
            if is_weak(identity.public):
                raise TrustRefused("a key of small order")
    return Trust(
        value["namespace"],
        value["serial"],
        moment(value["issued_at"]),
        MappingProxyType(principals),
        MappingProxyType(audiences),
    )


def _sets(value: Mapping[str, Any]) -> Iterator[list[str]]:
    """Every list of names that means a set: its names stand in one order, each once."""
    yield [each["name"] for each in value["principals"]]
    yield [each["name"] for each in value["audiences"]]
    for audience in value["audiences"]:
        yield audience["suites"]
    for principal in value["principals"]:
        yield principal["instances"] or []
        for right in principal["may_produce"]:
            yield right["tenants"] or []
            yield right["procedures"] or []


def _principal(value: Mapping[str, Any]) -> Principal:
    def names(listed: list[str] | None) -> frozenset[str] | None:
        return None if listed is None else frozenset(listed)

    identities = tuple(
        Identity(
            value["name"],
            each["public_key"],
            moment(each["not_before"]),
            moment(each["not_after"]),
            None if each["revoked_at"] is None else moment(each["revoked_at"]),
        )
        for each in value["identities"]
    )
    rights = tuple(
        Right(each["dataset"], names(each["tenants"]), names(each["procedures"])) for each in value["may_produce"]
    )
    return Principal(value["name"], identities, rights, names(value["instances"]))
