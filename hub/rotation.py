"""The next months' audience keys, made in time, while everything runs.

An audience's key lives for one month; `enrol` gives a new role its first two. Whoever seals takes the newest announced
key that is valid when a session opens, whoever reads looks into its own directory for a key that it lacks: nobody is
started again. On one machine it is done for all roles; where a role has a machine of its own, its key is made there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.errors import KeyMissing
from hub.crypto.identity import IdentityKey
from hub.crypto.keyfile import ScryptCost
from hub.crypto.keystore import FileKeyStore
from hub.enrolment import administrator, announce, listed_at, store_of
from hub.envelope.times import epochs_ahead
from hub.envelope.trust import Trust
from hub.shut_out_book import shut_out_at
from schemas.errors import HubError
from topics.layout import Principal, Topology

MONTHS: Final = 3
"""this one and the next two: a run that is missed once does no harm"""


class NobodyEnrolled(HubError):
    """There are no keys to rotate."""

    code: ClassVar[str] = "rotation.nobody"
    hint: ClassVar[str] = "`eltax-hub keys init` makes the first ones."


class NoIdentity(HubError):
    """A role has no key to sign its audience's key with."""

    code: ClassVar[str] = "rotation.identity"
    hint: ClassVar[str] = "Restore its directory, or shut it out and let it in again (docs/runbooks/shut-out.md)."


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """An audience whose key of an epoch (YYYYMM) is not announced yet."""

    principal: str
    audience: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was announced now; `waiting` is due too, and belongs to principals that are shut out."""

    made: tuple[Due, ...]
    waiting: tuple[Due, ...]


def due(home: Path, topology: Topology, now: datetime, months: int = MONTHS) -> tuple[Due, ...]:
    """What is not announced; an epoch that once was is never given another key."""
    announced = {path.name.rsplit("_", 1)[0] for path in (home / "audience-keys").glob("*_*_*")}
    return tuple(
        sorted(
            Due(each.name, each.audience, epoch)
            for each in topology.roles
            if each.audience is not None
            for epoch in epochs_ahead(now, months)
            if f"{each.audience}_{epoch}" not in announced
        )
    )


def rotate(
    home: Path,
    topology: Topology,
    *,
    now: datetime,
    used: Callable[[str, int], None],
    months: int = MONTHS,
    cost: ScryptCost | None = None,
) -> Rotated:
    """Make and sign what is due, whole or not there; `home/audience-keys` then has it for publishing.

    `used` is told the audience and the epoch before a key is made, and may forbid it. Raises NobodyEnrolled,
    NoIdentity, TrustRefused, KeyStoreError. What a crash cuts short, the next run does.
    """
    trust = listed_at(home)
    if trust is None:
        raise NobodyEnrolled(f"({home})")
    out = shut_out_at(home)
    wanted = due(home, topology, now, months)
    todo = tuple(each for each in wanted if each.principal not in out)
    admin = administrator(home, cost=cost) if todo else None
    by_principal: dict[str, list[Due]] = {}
    for each in todo:
        by_principal.setdefault(each.principal, []).append(each)
    for name, listed in by_principal.items():
        assert admin is not None
        store = store_of(home / "roles" / name, cost)
        identity = _identity(store, trust, topology.principal(name))
        for each in listed:
            used(each.audience, each.epoch)
            announce(home, each.audience, each.epoch, _key(store, each), identity, admin)
    return Rotated(todo, tuple(each for each in wanted if each.principal in out))


def _key(store: FileKeyStore, wanted: Due) -> AudiencePrivateKey:
    """The key that a run before this one made and did not announce, or a new one."""
    try:
        return store.load_audience(wanted.audience, wanted.epoch)
    except KeyMissing:
        key = AudiencePrivateKey.generate(Suite.HYBRID)
        store.save_audience(wanted.audience, wanted.epoch, key)
        return key


def _identity(store: FileKeyStore, trust: Trust, principal: Principal) -> IdentityKey:
    """The newest key of a role that counts."""
    known = trust.principals.get(principal.name)
    listed = {each.key_id: each for each in known.identities if each.revoked_at is None} if known else {}
    usable = [each for each in store.load_identities() if each.key_id in listed]
    if not usable:
        raise NoIdentity(f"({principal.name})")
    return max(usable, key=lambda each: listed[each.key_id].not_before)
