"""The administrator's work: makes a role directory for each principal, and the trust file over all of them.

For trials and tests it is done on one machine. In production each principal makes its keys at home and
sends the public halves; what is signed is the same.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.certificates import CertificateAuthority, write_private
from hub.crypto.identity import IdentityKey
from hub.crypto.keyfile import STANDARD, ScryptCost
from hub.crypto.keystore import FileKeyStore
from hub.envelope.announcements import AudienceKey
from hub.envelope.names import ADMIN, parse_topic
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds, epoch_of, next_epoch
from hub.envelope.trust import Right
from hub.envelope.trust_builder import TrustBuilder
from hub.transport import BatchWriter, Endpoint, Outgoing, TlsIdentity
from topics import names
from topics.layout import Principal, Topology

_IDENTITY_LIFE: Final = timedelta(days=3 * 366)
_SKEW: Final = timedelta(hours=1)
_EPOCHS: Final = 2
"""the current month's audience keys and the next month's"""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What is to be published: the signed audience keys, by their Kafka key."""

    audience_keys: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Keys:
    principal: Principal
    identity: IdentityKey
    audience_keys: tuple[AudiencePrivateKey, ...]


def enrol(
    home: Path,
    topology: Topology,
    authority: CertificateAuthority,
    *,
    now: datetime,
    cost: ScryptCost = STANDARD,
) -> Enrolled:
    """Make `roles/<principal>/` for every declared principal, `certificates/`, and trust file and audience keys.

    A home that is enrolled is left as it is, but for keys of epochs that lack one. `now` is aware.
    """
    admin_directory = home / "roles" / ADMIN
    done = home / "trust.bin"
    published = home / "audience-keys"
    if done.exists():
        return Enrolled(tuple((path.name.replace("_", "/"), path.read_bytes()) for path in sorted(published.iterdir())))
    epochs = [epoch_of(now)]
    while len(epochs) < _EPOCHS:
        epochs.append(next_epoch(epochs[-1]))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # scrypt takes its time, and lets others run
        made = list(pool.map(lambda each: _keys(home, each, epochs, authority, cost), topology.principals))
    admin = next(each.identity for each in made if each.principal.name == ADMIN)
    trust = _trust(topology, made, now).sign(now, admin)
    published.mkdir(exist_ok=True)
    keys = []
    for each in made:
        directory = home / "roles" / each.principal.name
        (directory / "trust.bin").write_bytes(trust)
        (directory / "admin.pub").write_text(admin.public.hex() + "\n", encoding="ascii")
        for epoch, key in zip(epochs, each.audience_keys, strict=False):
            record = _announce(each, epoch, key)
            keys.append((record.key, sign(AudienceKey.RECORD, record.encode(), each.identity, admin)))
    for name, value in keys:
        (published / name.replace("/", "_")).write_bytes(value)
    shutil.copyfile(admin_directory / "trust.bin", done)
    return Enrolled(tuple(keys))


def _keys(
    home: Path, principal: Principal, epochs: Sequence[int], authority: CertificateAuthority, cost: ScryptCost
) -> _Keys:
    directory = home / "roles" / principal.name
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    issued = authority.issue(principal.name, home / "certificates")
    write_private(directory / "tls.key", issued.private_key.read_bytes())
    shutil.copyfile(issued.certificate, directory / "tls.crt")
    shutil.copyfile(issued.ca, directory / "ca.crt")
    passphrase = secrets.token_urlsafe(32).encode()
    write_private(directory / "passphrase", passphrase + b"\n")
    store = FileKeyStore(directory / "keys", passphrase, cost=cost, allow_weak=cost != STANDARD)
    identity = IdentityKey.generate()
    store.save_identity(identity)
    audience_keys = []
    if principal.audience is not None:
        for epoch in epochs:
            key = AudiencePrivateKey.generate(Suite.HYBRID)
            store.save_audience(principal.audience, epoch, key)
            audience_keys.append(key)
    (directory / "state").mkdir(exist_ok=True, mode=0o700)
    return _Keys(principal, identity, tuple(audience_keys))


def _trust(topology: Topology, made: Sequence[_Keys], now: datetime) -> TrustBuilder:
    builder = TrustBuilder(topology.namespace)
    for each in made:
        principal = each.principal
        rights = {}
        for topic in principal.produces:
            parsed = parse_topic(topic)
            assert parsed is not None  # our own layout
            rights[parsed.dataset] = Right(
                parsed.dataset, None if principal.tenant is None else frozenset({principal.tenant})
            )
        builder.principal(principal.name, may_produce=rights.values(), instances=principal.instances)
        builder.identity(principal.name, each.identity.public, now - _SKEW, now + _IDENTITY_LIFE)
        if principal.audience is not None:
            builder.audience(principal.audience, owner=principal.name)
    return builder


def _announce(keys: _Keys, epoch: int, key: AudiencePrivateKey) -> AudienceKey:
    audience = keys.principal.audience
    assert audience is not None
    begin, end = epoch_bounds(epoch)
    return AudienceKey(audience, epoch, key.key_id, key.suite, key.public, begin, end)


async def publish_audience_keys(bootstrap: str, home: Path, topology: Topology, enrolled: Enrolled) -> None:
    """Write the signed audience keys to `<ns>.audiences`, as the administrator. Raises TransportError."""
    directory = home / "roles" / ADMIN
    tls = TlsIdentity(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")
    async with BatchWriter(Endpoint(bootstrap, tls, "admin")) as writer:
        records = [Outgoing(name.encode(), value) for name, value in enrolled.audience_keys]
        await writer.write(names.audiences(topology.namespace), 0, records)
