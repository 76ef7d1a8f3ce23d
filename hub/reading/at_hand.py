"""The sessions of one poll, fetched on the event loop before its records are judged in a thread.

The registry's cache is bounded and may change meanwhile; what a judgement asks is what was found for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from hub.envelope.reasons import Reason
from hub.envelope.records import Session
from hub.reading.intake import session_named
from hub.transport import KafkaRecord


class Registry(Protocol):
    """What a desk needs of `hub.reading.SessionRegistry`."""

    async def ensure(self, wanted: Collection[bytes]) -> None:
        """Read the sessions topics to their present end, at most once, if one of these is unknown.

        Raises a retriable HubError if a topic cannot be reached.
        """

    def find(self, session: bytes) -> Session | Reason:
        """Return a session whose signature, trust and place were verified, or why there is none."""


class SessionsAtHand:
    """Implements `hub.reading.intake.Sessions` for the records of one poll."""

    def __init__(self, registry: Registry) -> None:
        """Ask this registry."""
        self._registry = registry
        self._found: dict[bytes, Session | Reason] = {}

    async def prepare(self, records: Sequence[KafkaRecord]) -> None:
        """Look for every session that the records name. Raises retriable errors: then nothing is judged."""
        named = {session for record in records if (session := session_named(record.value)) is not None}
        await self._registry.ensure(named)
        self._found = {session: self._registry.find(session) for session in named}

    def find(self, session: bytes) -> Session | Reason:
        """Return what was found; UNKNOWN_SESSION for a session that no record named."""
        return self._found.get(session, Reason.UNKNOWN_SESSION)
