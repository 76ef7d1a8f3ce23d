"""The administrator's work: makes a role directory for each principal, and the trust list over all of them.

For trials and tests it is done on one machine. In production each principal makes its keys at home and
sends the public halves; what is signed is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from hub.control_certificates import keep_control_certificates
from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.certificates import CertificateAuthority, Usage, write_private, write_public
from hub.crypto.errors import KeyMissing
from hub.crypto.identity import IdentityKey
from hub.crypto.keyfile import ScryptCost, fresh_passphrase
from hub.crypto.keystore import FileKeyStore
from hub.envelope.announcements import AudienceKey
from hub.envelope.names import ADMIN, parse_topic
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds, epochs_ahead
from hub.envelope.trust import Right, Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.handing_out import hand_out
from hub.shut_out_book import shut_out_at
from hub.transport import BatchWriter, Endpoint, Outgoing, TlsIdentity
from topics import names
from topics.layout import Principal, Topology

_IDENTITY_LIFE: Final = timedelta(days=3 * 366)
_SKEW: Final = timedelta(hours=1)
ENDPOINT: Final = "endpoint"
"""the directory of a role that holds the certificate of its own endpoint"""
_HANDS: Final = 16
"""principals that are made at once: each waits for the disk some twenty times"""
_EPOCHS: Final = 2
"""the current month's audience keys and the next month's"""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What is to be published: the signed audience keys, by their Kafka key, and the trust list.

    `added` and `withdrawn` name the principals whose keys were listed or revoked now; `changed` says whether
    the trust list is another one than before.
    """

    audience_keys: tuple[tuple[str, bytes], ...]
    trust: bytes = b""
    added: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    changed: bool = False


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
    cost: ScryptCost | None = None,
    least_serial: int = 1,
    withdraw: bool = False,
) -> Enrolled:
    """Make `roles/<principal>/` for every declared role without keys, `certificates/`, trust list, audience keys.

    Who is declared with a certificate only, or as a mirror, gets that.
    In a home that is enrolled, who has keys keeps them. With `withdraw`, the keys of principals that `topology`
    does not name are revoked; their directories stay. Who is shut out (`hub.shut_out_book`) is given nothing, and its
    keys are revoked; its audience's keys count by the administrator's signature alone. A trust list that changes
    gets the next serial, and `least_serial` at least. `now` is aware.
    """
    published = home / "audience-keys"
    trust = listed_at(home)
    out = shut_out_at(home)
    served = [each for each in topology.roles if each.name not in out]
    missing = [each for each in served if trust is None or not _listed(trust, each.name)]
    gone = _unnamed(trust, {each.name for each in topology.roles}) if trust is not None and withdraw else {}
    if trust is not None:
        gone |= {name: ids for name, ids in _unnamed(trust, {each.name for each in served}).items() if name in out}
    epochs = epochs_ahead(now, _EPOCHS)
    with ThreadPoolExecutor(max_workers=_HANDS) as pool:  # the disk takes its time, and lets others run
        made = list(pool.map(lambda each: _keys(home, each, epochs, authority, cost), missing))
    for name in (each.name for each in topology.principals if each.keyless):
        if not (home / "certificates" / f"{name}.crt").exists():
            authority.issue(name, home / "certificates")
    for name in (each.name for each in served):
        if not (home / "roles" / name / ENDPOINT / f"{name}.crt").exists():  # of a home that is older than endpoints
            _certify_endpoint(home, name, authority)
    keep_control_certificates(home, authority, now=now)
    builder = TrustBuilder(topology.namespace) if trust is None else TrustBuilder.following(trust)
    _list(builder, served, made, now)
    for key_ids in gone.values():
        for key_id in key_ids:
            builder.revoke(key_id, now)
    for name in gone:
        builder.principal(name, may_produce=(), instances=())
    for rule in trust.audiences.values() if trust is not None else ():
        if rule.owner in out:  # or nobody could seal to it, and all filings would stop: each needs all sections
            builder.owned(rule.name, ADMIN)
    changed = trust is None or not builder.says(trust) or trust.serial < least_serial
    published.mkdir(exist_ok=True)
    if not changed and not made:
        value = (home / "trust.bin").read_bytes()
        _hand_out(home, topology, value, pinned_at(home))
        return Enrolled(published_keys(home), value)
    fresh = next((each.identity for each in made if each.principal.name == ADMIN), None)
    admin = administrator(home, cost=cost) if fresh is None else fresh
    value = builder.at_least(least_serial).sign(now, admin) if changed else (home / "trust.bin").read_bytes()

    def announce_all(each: _Keys) -> None:
        for epoch, key in zip(epochs, each.audience_keys, strict=False):
            assert each.principal.audience is not None
            announce(home, each.principal.audience, epoch, key, each.identity, admin)

    with ThreadPoolExecutor(max_workers=_HANDS) as pool:
        list(pool.map(announce_all, made))
    if fresh is not None:
        _pin(home / "roles" / ADMIN, (admin.public,))
    # home first: what a crash leaves undone here, the next run hands out, and never another list of this serial
    write_private(home / "trust.bin", value)
    _hand_out(home, topology, value, pinned_at(home))
    return Enrolled(
        published_keys(home),
        value,
        tuple(each.principal.name for each in made),
        tuple(sorted(gone)),
        changed,
    )


def new_authority(home: Path, *, now: datetime) -> tuple[CertificateAuthority, tuple[str, ...]]:
    """Make a new authority and a new certificate and TLS key for everybody of a home; nothing of it may run.

    The old authority is kept as `authority-retired-<date>` and nothing trusts it. What a crash cuts short, the next
    run does again. Returns the authority, and who was given a certificate.
    """
    fresh, current = home / "authority-new", home / "authority"
    exists = (fresh / "ca.crt").exists()
    authority = CertificateAuthority.load(fresh) if exists else CertificateAuthority.create(fresh, now=now)
    certified = sorted(each.stem for each in (home / "certificates").glob("*.crt") if each.stem != "ca")
    for name in certified:
        certify(home, name, authority)
    keep_control_certificates(home, authority, now=now, anew=True)
    if current.exists():
        current.rename(home / f"authority-retired-{now:%Y%m%dT%H%M%S}")
    fresh.rename(current)
    return CertificateAuthority.load(current), tuple(certified)


def certify(home: Path, name: str, authority: CertificateAuthority) -> None:
    """Put a new certificate, its key and the authority's certificate into a role directory, if there is one."""
    directory = home / "roles" / name
    issued = authority.issue(name, home / "certificates")
    if not directory.exists():
        return
    _certify_endpoint(home, name, authority)
    write_private(directory / "tls.key", issued.private_key.read_bytes())
    write_public(directory / "tls.crt", issued.certificate.read_bytes())
    write_public(directory / "ca.crt", issued.ca.read_bytes())


def _certify_endpoint(home: Path, name: str, authority: CertificateAuthority) -> None:
    """A certificate for the process's own endpoint and that alone: its name is no broker's, its use no client's."""
    directory = home / "roles" / name / ENDPOINT
    authority.issue(name, directory, usage=Usage.SERVER, hosts=(names.endpoint_host(name),))


def administrator(home: Path, *, cost: ScryptCost | None = None) -> IdentityKey:
    """Load the key that signs trust lists and declarations. Raises KeyMissing."""
    identities = store_of(home / "roles" / ADMIN, cost).load_identities()
    if not identities:
        raise KeyMissing(ADMIN)
    pinned = pinned_at(home)
    return next(each for each in identities if each.public in pinned)


def listed_at(home: Path) -> Trust | None:
    """The trust list of an administrator's home; None if nobody is enrolled. Raises TrustRefused."""
    done = home / "trust.bin"
    return Trust.load(done.read_bytes(), pinned_at(home)) if done.exists() else None


def pinned_at(home: Path) -> tuple[bytes, ...]:
    """The administrator's public keys, as every role of this home pins them."""
    lines = (home / "roles" / ADMIN / "admin.pub").read_text(encoding="ascii").split()
    return tuple(bytes.fromhex(line) for line in lines)


def _hand_out(home: Path, topology: Topology, value: bytes, pinned: Sequence[bytes]) -> None:
    """Put the trust list, and the administrator's public keys, into the role directories that lack them."""
    directories = [home / "roles" / principal.name for principal in topology.roles]
    for directory in directories:
        if not (directory / "admin.pub").exists():
            _pin(directory, pinned)
    hand_out(directories, "trust.bin", value)


def _pin(directory: Path, pinned: Sequence[bytes]) -> None:
    lines = "".join(public.hex() + "\n" for public in pinned)
    (directory / "admin.pub").write_text(lines, encoding="ascii")


def published_keys(home: Path) -> tuple[tuple[str, bytes], ...]:
    """The signed audience keys by their Kafka key."""
    paths = sorted((home / "audience-keys").iterdir())
    return tuple((path.name.replace("_", "/"), path.read_bytes()) for path in paths)


def _listed(trust: Trust, principal: str) -> bool:
    """Whether a principal has a key that counts."""
    known = trust.principals.get(principal)
    return known is not None and any(each.revoked_at is None for each in known.identities)


def _unnamed(trust: Trust, named: Collection[str]) -> dict[str, Collection[bytes]]:
    """The principals that are listed with keys that count, and are not `named`; with those keys' ids."""
    return {
        each.name: [identity.key_id for identity in each.identities if identity.revoked_at is None]
        for each in trust.principals.values()
        if each.name not in named and _listed(trust, each.name)
    }


def store_of(directory: Path, cost: ScryptCost | None) -> FileKeyStore:
    """The key store of a role directory; a new directory gets a passphrase of its own. `cost` is for tests."""
    file = directory / "passphrase"
    if not file.exists():
        write_private(file, fresh_passphrase() + b"\n")
    return FileKeyStore(directory / "keys", file.read_bytes().strip(), cost=cost, allow_weak=cost is not None)


def _keys(
    home: Path, principal: Principal, epochs: Sequence[int], authority: CertificateAuthority, cost: ScryptCost | None
) -> _Keys:
    """Make a principal's certificate and keys. One that was withdrawn and comes back keeps its audience keys."""
    directory = home / "roles" / principal.name
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    certify(home, principal.name, authority)
    store = store_of(directory, cost)
    identity = IdentityKey.generate()
    store.save_identity(identity)
    audience_keys = []
    if principal.audience is not None:
        for epoch in epochs:
            try:
                key = store.load_audience(principal.audience, epoch)
            except KeyMissing:
                key = AudiencePrivateKey.generate(Suite.HYBRID)
                store.save_audience(principal.audience, epoch, key)
            audience_keys.append(key)
    (directory / "state").mkdir(exist_ok=True, mode=0o700)
    return _Keys(principal, identity, tuple(audience_keys))


def _list(builder: TrustBuilder, served: Sequence[Principal], made: Sequence[_Keys], now: datetime) -> None:
    """List what is declared: rights and audiences of principals, and the keys that were made now."""
    identities = {each.principal.name: each.identity for each in made}
    for principal in served:
        rights = {}
        for topic in principal.produces:
            parsed = parse_topic(topic)
            assert parsed is not None  # our own layout
            rights[parsed.dataset] = Right(
                parsed.dataset, None if principal.tenant is None else frozenset({principal.tenant})
            )
        builder.principal(principal.name, may_produce=rights.values(), instances=principal.instances)
        if principal.name in identities:
            public = identities[principal.name].public
            builder.identity(principal.name, public, now - _SKEW, now + _IDENTITY_LIFE)
        if principal.audience is not None:
            owner = builder.owner(principal.audience)
            if owner is None:
                builder.audience(principal.audience, owner=principal.name)
            elif owner != principal.name:
                builder.owned(principal.audience, principal.name)


def announce(
    home: Path, audience: str, epoch: int, key: AudiencePrivateKey, identity: IdentityKey, admin: IdentityKey
) -> None:
    """Sign an audience's key of an epoch, as its owner and the administrator; it waits in `home` to be published."""
    record = AudienceKey(audience, epoch, key.key_id, key.suite, key.public, *epoch_bounds(epoch))
    signed = sign(AudienceKey.RECORD, record.encode(), identity, admin)
    write_private(home / "audience-keys" / record.key.replace("/", "_"), signed)


async def publish_audience_keys(bootstrap: str, home: Path, topology: Topology, enrolled: Enrolled) -> None:
    """Write the signed audience keys to `<ns>.audiences`, as the administrator. Raises TransportError."""
    directory = home / "roles" / ADMIN
    tls = TlsIdentity(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")
    async with BatchWriter(Endpoint(bootstrap, tls, "admin")) as writer:
        records = [Outgoing(name.encode(), value) for name, value in enrolled.audience_keys]
        await writer.write(names.audiences(topology.namespace), 0, records)
