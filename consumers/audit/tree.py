"""The audit log as an RFC 6962 tree: appending to it, and signed tree heads.

    leaf hash = SHA-256(0x00 ‖ entry), entry = framed record as in `consumers.audit.codec`
    head      = SignedRecord of TreeHead {tenant, size, root, made_at}, signed by audit-T

The database rows are authoritative. The frontier is a cache; at start it is rebuilt from the rows and
compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from consumers.store.errors import StoreDamaged
from consumers.store.model import LogAppend
from consumers.store.port import Store
from hub.crypto.identity import IdentityKey
from hub.crypto.merkle import Frontier, leaf_hash
from hub.envelope.signed import Signed, sign
from schemas import codec

TREE_HEAD: Final = "TreeHead"


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What a head says."""

    tenant: str
    size: int
    root: bytes
    made_at_ms: int


def sign_head(head: TreeHead, identity: IdentityKey) -> bytes:
    """Return the framed SignedRecord of a head."""
    body = codec.encode(
        TREE_HEAD,
        {"tenant": head.tenant, "size": head.size, "root": head.root, "made_at": head.made_at_ms},
    )
    return sign(TREE_HEAD, body, identity)


def read_head(record: bytes) -> tuple[TreeHead, Signed]:
    """Read a signed head; the caller checks the signature. Raises EnvelopeError or CodecError."""
    signed = Signed.parse(record)
    value = codec.decode(signed.body, {TREE_HEAD}).value
    return TreeHead(value["tenant"], value["size"], value["root"], value["made_at"]), signed


def rebuild(entries: Iterable[bytes]) -> Frontier:
    """Return the frontier of log entries, given in order."""
    return Frontier(leaf_hash(entry) for entry in entries)


class Tree:
    """The right edge of one tenant's log. An extension counts only once it was kept."""

    def __init__(self, tenant: str, identity: IdentityKey, frontier: Frontier) -> None:
        """Go on from a frontier; `identity` is audit-T's."""
        self._tenant = tenant
        self._identity = identity
        self._frontier = frontier
        self._next: Frontier | None = None

    @classmethod
    def load(cls, tenant: str, identity: IdentityKey, store: Store) -> Tree:
        """Rebuild the edge from the rows. Raises StoreDamaged if they do not give the head that was kept."""
        frontier = rebuild(entry for _, _, entry in store.log_entries())
        kept = store.log_head()
        size, root = (0, Frontier().root()) if kept is None else (kept.size, kept.root)
        if (frontier.size, frontier.root()) != (size, root):
            raise StoreDamaged("the audit log's rows do not give its tree head")
        return cls(tenant, identity, frontier)

    @property
    def size(self) -> int:
        """How many leaves were kept."""
        return self._frontier.size

    def extend(self, entries: Sequence[tuple[str, bytes]], at_ms: int) -> LogAppend:
        """Return what to append for (kind, entry); call `kept` when the store has it."""
        grown = Frontier.parse(self._frontier.serialise())
        for _, entry in entries:
            grown.append(leaf_hash(entry))
        self._next = grown
        head = TreeHead(self._tenant, grown.size, grown.root(), at_ms)
        return LogAppend(
            self._frontier.size,
            tuple(entries),
            head.root,
            grown.serialise(),
            sign_head(head, self._identity),
        )

    def kept(self) -> None:
        """Take note that the last extension is in the store."""
        if self._next is not None:
            self._frontier, self._next = self._next, None
