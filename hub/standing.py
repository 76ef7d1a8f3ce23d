"""What a role holds to be true: the trust list and the topology. Replaced whole, only by newer ones, and kept.

    <role directory>/  trust.bin  declaration.bin (from the first `topics apply` on)  state/seen.json

Both are signed by the administrator and carry a serial. The highest serial ever seen is kept with the hash of
its body; a lower one is refused, also after a restart, and so is a second text under the same serial. What
withdraws the role itself is not taken on: its records stay readable with the last list that knew it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import ClassVar, Final

from hub.crypto.certificates import write_private
from hub.envelope.declared import AppliedDeclaration, DeclarationRefused
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust, TrustRefused
from schemas.errors import HubError
from topics.declaration import parse
from topics.errors import DeclarationInvalid
from topics.expanding import expand
from topics.layout import Topology

TRUST: Final = "trust.bin"
DECLARATION: Final = "declaration.bin"
_SEEN: Final = "seen.json"


class RolledBack(HubError):
    """An older trust list or declaration than one that was seen, or a second one under the same serial."""

    code: ClassVar[str] = "trust.rolled-back"
    hint: ClassVar[str] = "Fetch the newest trust.bin from the administrator; somebody offered an old one."


class RoleWithdrawn(HubError):
    """The administrator has withdrawn this role: its keys are revoked, or it is declared no more."""

    code: ClassVar[str] = "role.withdrawn"
    hint: ClassVar[str] = (
        "The tenant was removed, or the role was shut out. Its store stays readable; what becomes of it you decide."
    )


class RoleChanged(HubError):
    """The key that this process signs with was replaced."""

    code: ClassVar[str] = "role.changed"
    hint: ClassVar[str] = "Start the role again; it takes the new key."


class RoleGrown(HubError):
    """The topics have grown: this role goes on with the next generation of them."""

    code: ClassVar[str] = "role.generation"
    hint: ClassVar[str] = "A process of the hub begins anew by itself; a command is given once more."


@dataclass(frozen=True, slots=True)
class Seen:
    """A serial and the SHA-256 (hex) of the body that bore it."""

    serial: int
    digest: str

    def check(self, other: Seen) -> bool:
        """Say whether `other` is news. Raises RolledBack."""
        if other.serial < self.serial:
            raise RolledBack(f"serial {other.serial} after {self.serial}")
        if other.serial == self.serial and not _same(other.digest, self.digest):
            raise RolledBack(f"a second text under serial {other.serial}")
        return other.serial > self.serial


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


_NOTHING: Final = Seen(0, "")


class Standing:
    """The trust list and topology of one role directory. Reading is cheap; `take_…` writes files."""

    def __init__(
        self,
        directory: Path,
        namespace: str,
        administrators: Collection[bytes],
        fallback: Callable[[], Topology],
    ) -> None:
        """Load what the directory holds; `fallback` lays out a declaration where none was applied yet.

        Raises TrustRefused, DeclarationRefused, RolledBack.
        """
        self._directory = directory
        self._namespace = namespace
        self._administrators = tuple(administrators)
        self._seen: dict[str, Seen] = {}
        self._held: dict[str, bytes] = {}
        """what was verified and holds, as it came: the topic says the same again at every start"""
        self.grown = False
        """whether another generation than the one that holds here lies in the directory"""
        self.ask: Callable[[], Awaitable[None]] = _nobody
        """reads the control topic to its end, where somebody follows it"""
        value = (directory / TRUST).read_bytes()
        self.trust, seen = self._read_trust(value)
        self._note(TRUST, seen)
        self._held[TRUST] = value
        self.declaration: AppliedDeclaration | None = None
        applied = directory / DECLARATION
        if applied.exists():
            value = applied.read_bytes()
            self.declaration, self.topology, seen = self._read_declaration(value)
            self._note(DECLARATION, seen)
            self._held[DECLARATION] = value
        else:
            if self._on_disk().get(DECLARATION, _NOTHING).serial:
                raise RolledBack(f"{DECLARATION} was there and is gone")
            self.topology = fallback()

    @property
    def declaration_serial(self) -> int:
        """The serial of the declaration that holds; 0 if none was applied yet."""
        return self.declaration.serial if self.declaration is not None else 0

    def take_trust(self, value: bytes, *, accept: Callable[[Trust], None] = lambda _: None) -> bool:
        """Take on a newer trust list and say whether it was news; `accept` may refuse it by raising.

        Raises TrustRefused, RolledBack.
        """
        if self._held.get(TRUST) == value:
            return False
        trust, seen = self._read_trust(value)
        if trust.namespace != self._namespace:
            raise TrustRefused("namespace")
        if not self._seen[TRUST].check(seen):
            return False
        accept(trust)
        write_private(self._directory / TRUST, value)
        self._note(TRUST, seen)
        self._held[TRUST] = value
        self.trust = trust
        return True

    def take_declaration(self, value: bytes, *, accept: Callable[[Topology], None] = lambda _: None) -> bool:
        """Take on a newer declaration and say whether it was news; `accept` may refuse it by raising.

        Raises DeclarationRefused, RolledBack; RoleGrown if it begins another generation of topics, or lets go of an
        earlier one: it is kept for the next start, and what holds here goes on holding until then.
        """
        if self._held.get(DECLARATION) == value:
            if self.grown:
                raise RoleGrown
            return False
        declaration, topology, seen = self._read_declaration(value)
        if not self._seen.get(DECLARATION, _NOTHING).check(seen):
            return False
        accept(topology)
        write_private(self._directory / DECLARATION, value)
        self._note(DECLARATION, seen)
        self._held[DECLARATION] = value
        if self.grown or topology.generations != self.topology.generations:
            self.grown = True
            raise RoleGrown(f"({topology.generation})")
        self.declaration, self.topology = declaration, topology
        return True

    def _read_trust(self, value: bytes) -> tuple[Trust, Seen]:
        trust = Trust.load(value, self._administrators)
        return trust, Seen(trust.serial, Signed.parse(value).hash.hex())

    def _read_declaration(self, value: bytes) -> tuple[AppliedDeclaration, Topology, Seen]:
        declaration = AppliedDeclaration.load(value, self._administrators)
        if declaration.namespace != self._namespace:
            raise DeclarationRefused("namespace")
        try:
            topology = expand(parse(declaration.text), self._namespace, partitions=declaration.partitions)
        except DeclarationInvalid as problem:
            raise DeclarationRefused(problem.path) from problem
        return declaration, topology, Seen(declaration.serial, Signed.parse(value).hash.hex())

    def _note(self, name: str, seen: Seen) -> None:
        """Keep the highest serial; several processes share a directory. Raises RolledBack."""
        state = self._directory / "state"
        state.mkdir(exist_ok=True, mode=0o700)
        with (state / ".seen.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self._on_disk()
            if known.get(name, _NOTHING).check(seen):
                known[name] = seen
                text = json.dumps({key: {"serial": each.serial, "sha256": each.digest} for key, each in known.items()})
                write_private(state / _SEEN, text.encode() + b"\n")
        self._seen[name] = seen

    def _on_disk(self) -> dict[str, Seen]:
        path = self._directory / "state" / _SEEN
        if not path.exists():
            return {}
        try:
            said: Mapping[str, Mapping[str, object]] = json.loads(path.read_bytes())
            return {name: Seen(int(str(each["serial"])), str(each["sha256"])) for name, each in said.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RolledBack(f"state/{_SEEN} cannot be read") from None


async def _nobody() -> None:
    """Where no control topic is followed, what was loaded holds."""
