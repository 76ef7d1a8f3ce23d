"""Writing a trust file: the administrator's side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from hub.crypto.audience import Suite
from hub.crypto.identity import IdentityKey
from hub.envelope.contracts import encode_body
from hub.envelope.signed import sign
from hub.envelope.times import to_ms
from hub.envelope.trust import RECORD, AudienceRule, Identity, Principal, Right, Trust, TrustRefused


class TrustBuilder:
    """Collects principals and audiences, then signs. Each method returns the builder."""

    def __init__(self, namespace: str, serial: int = 1) -> None:
        """Begin an empty trust file; a higher `serial` replaces a lower one."""
        self._namespace = namespace
        self._serial = serial
        self._principals: dict[str, Principal] = {}
        self._audiences: dict[str, AudienceRule] = {}

    @classmethod
    def following(cls, trust: Trust) -> TrustBuilder:
        """Begin with all of an existing trust file and the next serial."""
        builder = cls(trust.namespace, trust.serial + 1)
        builder._principals.update(trust.principals)
        builder._audiences.update(trust.audiences)
        return builder

    def at_least(self, serial: int) -> TrustBuilder:
        """Take this serial if it is higher: readers may have seen lists that we lack."""
        self._serial = max(self._serial, serial)
        return self

    def says(self, trust: Trust) -> bool:
        """Say whether this is the list that `trust` is, but for serial and time."""
        return self._principals == dict(trust.principals) and self._audiences == dict(trust.audiences)

    def owner(self, audience: str) -> str | None:
        """Return the principal that an audience is listed for, if it is."""
        known = self._audiences.get(audience)
        return None if known is None else known.owner

    def principal(
        self, name: str, *, may_produce: Iterable[Right] = (), instances: Iterable[str] | None = None
    ) -> TrustBuilder:
        """List a principal, or set anew what it may do; its identities stay."""
        known = self._principals.get(name, Principal(name, ()))
        self._principals[name] = replace(
            known,
            may_produce=tuple(may_produce),
            instances=None if instances is None else frozenset(instances),
        )
        return self

    def identity(self, principal: str, public: bytes, not_before: datetime, not_after: datetime) -> TrustBuilder:
        """Add a public key to a principal, listing it if need be."""
        known = self._principals.get(principal, Principal(principal, ()))
        added = Identity(principal, public, not_before, not_after)
        self._principals[principal] = replace(known, identities=(*known.identities, added))
        return self

    def revoke(self, key_id: bytes, at: datetime) -> TrustBuilder:
        """Mark a key as revoked. Raises TrustRefused if it is not listed."""
        found = False
        for name, known in self._principals.items():
            identities = tuple(
                replace(each, revoked_at=at) if each.key_id == key_id else each for each in known.identities
            )
            found = found or identities != known.identities
            self._principals[name] = replace(known, identities=identities)
        if not found:
            raise TrustRefused("no such key")
        return self

    def audience(
        self,
        name: str,
        *,
        owner: str | None = None,
        minimum_epoch: int = 0,
        suites: Iterable[Suite] = (Suite.HYBRID,),
    ) -> TrustBuilder:
        """List an audience; its owner is the principal of the same name unless said otherwise."""
        self._audiences[name] = AudienceRule(name, owner or name, minimum_epoch, frozenset(suites))
        return self

    def owned(self, audience: str, by: str) -> TrustBuilder:
        """Let another principal's signature stand on the keys of a listed audience; all else of it stays."""
        self._audiences[audience] = replace(self._audiences[audience], owner=by)
        return self

    def sign(self, issued_at: datetime, *administrators: IdentityKey) -> bytes:
        """Return the framed, signed trust file."""
        body = encode_body(
            RECORD,
            {
                "namespace": self._namespace,
                "serial": self._serial,
                "issued_at": to_ms(issued_at),
                "principals": [_principal(each) for each in _ordered(self._principals)],
                "audiences": [
                    {
                        "name": each.name,
                        "owner": each.owner,
                        "minimum_epoch": each.minimum_epoch,
                        "suites": sorted(suite.value for suite in each.suites),
                    }
                    for each in _ordered(self._audiences)
                ],
            },
        )
        return sign(RECORD, body, *administrators)


_T = TypeVar("_T")


def _ordered(named: dict[str, _T]) -> list[_T]:
    return [named[name] for name in sorted(named, key=str.encode)]


def _principal(principal: Principal) -> dict[str, object]:
    return {
        "name": principal.name,
        "instances": _names(principal.instances),
        "identities": [
            {
                "public_key": each.public,
                "not_before": to_ms(each.not_before),
                "not_after": to_ms(each.not_after),
                "revoked_at": None if each.revoked_at is None else to_ms(each.revoked_at),
            }
            for each in principal.identities
        ],
        "may_produce": [
            {
                "dataset": each.dataset,
                "tenants": _names(each.tenants),
                "procedures": _names(each.procedures),
            }
            for each in principal.may_produce
        ],
    }


def _names(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
