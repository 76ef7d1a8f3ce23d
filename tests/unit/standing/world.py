"""An administrator's home with cheap keys, and role directories that learn of what it publishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub.crypto.certificates import CertificateAuthority
from hub.crypto.keyfile import ScryptCost
from hub.crypto.keystore import FileKeyStore
from hub.enrolment import Enrolled, administrator, enrol
from hub.envelope.declared import AppliedDeclaration
from hub.envelope.trust_builder import TrustBuilder
from hub.role import Role, load_role
from hub.settings import RoleSettings
from topics.declaration import PACKAGED, parse
from topics.expanding import expand
from topics.layout import Topology

CHEAP = ScryptCost(log2_n=4)
NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
NS = "rehearsal"
FIRST, SECOND, NEW = "131041", "999997", "999989"
PARTITIONS = 3
TEXT = PACKAGED.read_text(encoding="utf-8")
_SECOND = '  - {code: "999997", name: 架空市（試験用）, name_en: Artificial City (for trials), artificial: true}\n'
_NEW = _SECOND.replace(SECOND, NEW)
assert _SECOND in TEXT
WITH_NEW = TEXT.replace(_SECOND, _SECOND + _NEW)
WITHOUT_SECOND = TEXT.replace(_SECOND, "")


def laid_out(text: str = TEXT) -> Topology:
    return expand(parse(text), NS, partitions=PARTITIONS)


@dataclass
class Office:
    """The administrator at home."""

    home: Path

    def __post_init__(self) -> None:
        self.authority = CertificateAuthority.create(self.home / "authority")

    def enrol(self, text: str = TEXT, *, withdraw: bool = False, least_serial: int = 1) -> Enrolled:
        return enrol(
            self.home,
            laid_out(text),
            self.authority,
            now=NOW,
            cost=CHEAP,
            withdraw=withdraw,
            least_serial=least_serial,
        )

    def role(self, principal: str) -> Role:
        """Start the role, as its process would."""
        return load_role(
            RoleSettings(
                role_dir=self.home / "roles" / principal, bootstrap="nowhere:1", namespace=NS, partitions=PARTITIONS
            ),
            allow_weak=True,
        )

    def keys(self, principal: str) -> FileKeyStore:
        directory = self.home / "roles" / principal
        passphrase = (directory / "passphrase").read_bytes().strip()
        return FileKeyStore(directory / "keys", passphrase, cost=CHEAP, allow_weak=True)

    def following(self) -> TrustBuilder:
        """Begin the list after the present one."""
        return TrustBuilder.following(self.role("admin").trust)

    def sign(self, builder: TrustBuilder) -> bytes:
        return builder.sign(NOW, administrator(self.home, cost=CHEAP))

    def declare(self, serial: int, text: str = TEXT, *, namespace: str = NS, partitions: int = PARTITIONS) -> bytes:
        applied = AppliedDeclaration(namespace, serial, NOW, partitions, text)
        return applied.sign(administrator(self.home, cost=CHEAP))
