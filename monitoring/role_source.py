"""What a role's directory says at each scrape: until when certificates and keys count, and how large its files are."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.crypto.certificates import expires_at
from hub.enrolment import ENDPOINT
from hub.envelope.times import epoch_bounds
from hub.role import Role
from schemas.errors import HubError

if TYPE_CHECKING:
    from monitoring.metrics import Metrics

STORES: Final = ("store.db", "tax.db", "collected.db")
JOURNALS: Final = ("journal.db", "status.db", "accepted.db", "operations.db")
_BESIDE: Final = ("", "-wal", "-shm", "-journal")


class RoleSource:
    """A source of `Metrics`: some file reads, well under a millisecond; certificates only when they change."""

    def __init__(self, role: Role) -> None:
        """Remember the role; nothing is read yet."""
        self._role = role
        self._ends: dict[Path, tuple[int, float]] = {}

    def __call__(self, metrics: Metrics) -> None:
        """Set what can be told; what cannot be read now keeps its last value."""
        with contextlib.suppress(OSError, ValueError):
            metrics.set("hub_certificate_not_after_seconds", min(map(self._end, self._certificates())))
            metrics.set("hub_key_not_after_seconds", self._end(self._role.tls.ca), purpose="authority")
        with contextlib.suppress(OSError, HubError):
            self._keys(metrics)
        state = self._role.state_directory
        with contextlib.suppress(OSError):
            stored = [state / name for name in STORES if (state / name).exists()]
            if stored:
                metrics.set("hub_store_bytes", sum(map(_size, stored)), consumer=self._role.principal)
            journals = [state / name for name in JOURNALS if (state / name).exists()]
            if journals:
                metrics.set("hub_journal_bytes", sum(map(_size, journals)))

    def _certificates(self) -> list[Path]:
        return [self._role.tls.certificate, *(self._role.directory / ENDPOINT).glob(f"{self._role.principal}.crt")]

    def _keys(self, metrics: Metrics) -> None:
        known = self._role.trust.principals.get(self._role.principal)
        for listed in () if known is None else known.identities:
            if listed.key_id == self._role.identity.key_id:
                metrics.set("hub_key_not_after_seconds", listed.not_after.timestamp(), purpose="identity")
        last: dict[str, int] = {}
        for entry in self._role.keystore.list():
            if entry.audience is not None and entry.epoch is not None:
                last[entry.audience] = max(entry.epoch, last.get(entry.audience, 0))
        if last:
            metrics.set("hub_epoch_not_after_seconds", epoch_bounds(min(last.values()))[1].timestamp())

    def _end(self, certificate: Path) -> float:
        """Until when a certificate counts, read again when the file is another one."""
        changed = certificate.stat().st_mtime_ns
        if self._ends.get(certificate, (0, 0.0))[0] != changed:
            self._ends[certificate] = (changed, expires_at(certificate).timestamp())
        return self._ends[certificate][1]


def _size(database: Path) -> int:
    """A database and what SQLite puts beside it."""
    total = 0
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            total += database.with_name(database.name + suffix).stat().st_size
    return total
