"""How lines of the monitor's own get into the operations log.

`Note` is what parts of the monitor write with. `OwnLog` is one that signs and chains lines and gives them to a
writer at once; a log of its own for each process.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Final, Protocol

from hub.crypto.identity import IdentityKey
from hub.envelope.operations import FIRST, LOG_BYTES, Operation, OperationEvent, line_hash


class Note(Protocol):
    """Writes one line; durable when it returns. Blocks: call it in a thread. Raises a HubError if it could not."""

    def __call__(self, operation: Operation) -> None: ...


class Signer(Protocol):
    """What is needed of a `hub.role.Role`."""

    @property
    def principal(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def identity(self) -> IdentityKey: ...


Keep = Callable[[OperationEvent, bytes], None]
"""Keeps a signed line durably; raises a HubError if it could not."""


class OwnLog:
    """A `Note` over whatever keeps signed lines. A line that could not be kept has no place in the chain."""

    def __init__(self, role: Signer, keep: Keep) -> None:
        """Begin a log; nothing is written before the first line."""
        self._role, self._keep = role, keep
        self._log: Final = secrets.token_bytes(LOG_BYTES)
        self._lock = threading.Lock()
        self._next, self._previous = 0, FIRST

    def __call__(self, operation: Operation) -> None:
        """Sign, chain and keep one line."""
        with self._lock:
            event = OperationEvent(
                self._role.principal,
                self._role.instance,
                self._role.namespace,
                self._log,
                self._next,
                self._previous,
                operation,
            )
            value = event.sign(self._role.identity)
            self._keep(OperationEvent.parse(value)[0], value)
            self._next, self._previous = self._next + 1, line_hash(value)
