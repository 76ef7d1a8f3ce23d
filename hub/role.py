"""A role as its process sees it: one directory with its certificate, its keys and the trust file.

    <role directory>/  tls.crt tls.key ca.crt   trust.bin declaration.bin admin.pub   passphrase   keys/   state/
                       endpoint/<principal>.crt endpoint/<principal>.key

Nothing outside this directory is read. `admin.pub` pins the administrators: one public key (64 hex digits)
a line; `trust.bin` and `declaration.bin` (`hub.standing`) count only if one of them signed them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hub.crypto.identity import IdentityKey
from hub.crypto.keystore import FileKeyStore
from hub.envelope.declared import DeclarationRefused
from hub.envelope.trust import Trust
from hub.settings import RoleSettings
from hub.standing import RoleChanged, RoleWithdrawn, Standing
from hub.transport import Endpoint, TlsIdentity
from schemas.errors import HubError
from topics.declaration import load
from topics.expanding import expand
from topics.layout import Topology


class RoleIncomplete(HubError):
    """The role directory lacks something."""

    code = "role.incomplete"
    hint = "The administrator makes role directories with `eltax-hub keys init`; HUB_ROLE_DIR names one of them."


class RoleForeign(HubError):
    """The role directory belongs to another namespace or principal."""

    code = "role.foreign"
    hint = "HUB_NAMESPACE must be the one that the trust file was signed for."


@dataclass(frozen=True, slots=True)
class Role:
    """A principal's process: who it is, what it holds, and where the brokers are."""

    principal: str
    instance: str
    namespace: str
    bootstrap: str
    directory: Path
    tls: TlsIdentity
    identity: IdentityKey = field(repr=False)
    keystore: FileKeyStore = field(repr=False)
    standing: Standing = field(repr=False)

    @property
    def trust(self) -> Trust:
        """The trust list that holds now; ask again rather than keep it."""
        return self.standing.trust

    @property
    def topology(self) -> Topology:
        """The topology that holds now; ask again rather than keep it."""
        return self.standing.topology

    @property
    def state_directory(self) -> Path:
        """Where journal or store live."""
        return self.directory / "state"

    @property
    def endpoint(self) -> Endpoint:
        """How this role reaches the brokers."""
        return Endpoint(self.bootstrap, self.tls, f"{self.principal}-{self.instance}")

    async def catch_up(self) -> None:
        """Learn what the administrator has published by now, if this process follows the control topic.

        Raises ControlUnavailable, RoleWithdrawn, RoleChanged.
        """
        await self.standing.ask()

    def holds_back(self) -> bool:
        """Whether who seals begins nothing new: the topics are being drained into a bigger generation, or were."""
        return self.topology.growing or self.standing.grown

    def take_trust(self, value: bytes) -> bool:
        """Take on a newer trust list and say whether it was news.

        Raises TrustRefused, RolledBack; RoleWithdrawn if it revokes all of our keys, and then it is not taken;
        RoleChanged if it revokes the key of this process, and we have another one.
        """
        ours = {entry.key_id for entry in self.keystore.list() if entry.audience is None}

        def accept(trust: Trust) -> None:
            if not ours & _listed(trust, self.principal):
                raise RoleWithdrawn(self.principal)

        news = self.standing.take_trust(value, accept=accept)
        if news and self.identity.key_id not in _listed(self.trust, self.principal):
            raise RoleChanged(self.principal)
        return news

    def take_declaration(self, value: bytes) -> bool:
        """Take on a newer declaration and say whether it was news.

        Raises DeclarationRefused, RolledBack; RoleWithdrawn if it does not name us, and then it is not taken; RoleGrown
        if it begins the next generation of topics, with which our next start will work.
        """

        def accept(topology: Topology) -> None:
            if self.principal not in {each.name for each in topology.principals}:
                raise RoleWithdrawn(self.principal)
            if topology.generation < self.topology.generation:
                raise DeclarationRefused("generation")
            if topology.generation == self.topology.generation and topology.partitions != self.topology.partitions:
                raise DeclarationRefused("partitions")

        return self.standing.take_declaration(value, accept=accept)


def load_role(settings: RoleSettings, *, allow_weak: bool = False) -> Role:
    """Load and check a role directory; `allow_weak` accepts the key files that tests make.

    Raises RoleIncomplete, RoleForeign, TrustRefused, KeyStoreError.
    """
    directory = settings.role_dir.resolve()
    for name in ("tls.crt", "tls.key", "ca.crt", "trust.bin", "admin.pub"):
        if not (directory / name).is_file():
            raise RoleIncomplete(f"{directory} ({name})")
    principal = directory.name
    pinned = [bytes.fromhex(line) for line in (directory / "admin.pub").read_text(encoding="ascii").split()]
    standing = Standing(
        directory,
        settings.namespace,
        pinned,
        lambda: expand(load(settings.topics_file), settings.namespace, partitions=settings.partitions),
    )
    trust = standing.trust
    if trust.namespace != settings.namespace or principal not in trust.principals:
        raise RoleForeign(f"{principal} in {settings.namespace}, trust file of {trust.namespace}")
    passphrase = (settings.key_passphrase_file or directory / "passphrase").read_bytes().strip()
    keystore = FileKeyStore(directory / "keys", passphrase, allow_weak=allow_weak)
    declared = next((each for each in standing.topology.principals if each.name == principal), None)
    if declared is None:
        raise RoleForeign(f"{principal} is not declared")
    return Role(
        principal=principal,
        instance=settings.instance or declared.instances[0],
        namespace=settings.namespace,
        bootstrap=settings.bootstrap,
        directory=directory,
        tls=TlsIdentity(directory / "tls.crt", directory / "tls.key", directory / "ca.crt"),
        identity=_identity(keystore, trust, principal),
        keystore=keystore,
        standing=standing,
    )


def _listed(trust: Trust, principal: str) -> set[bytes]:
    """The ids of a principal's keys that are not revoked."""
    known = trust.principals.get(principal)
    return set() if known is None else {each.key_id for each in known.identities if each.revoked_at is None}


def _identity(keystore: FileKeyStore, trust: Trust, principal: str) -> IdentityKey:
    """The newest of our identity keys that the trust file lists and has not revoked."""
    listed = {each.key_id: each for each in trust.principals[principal].identities}
    usable = [
        key for key in keystore.load_identities() if key.key_id in listed and listed[key.key_id].revoked_at is None
    ]
    if not usable:
        raise RoleIncomplete(f"{principal} has no identity key that the trust file lists")
    return max(usable, key=lambda key: listed[key.key_id].not_before)
