"""What the router needs of a role."""

from __future__ import annotations

from typing import Protocol

from hub.crypto.identity import IdentityKey
from hub.crypto.keystore import KeyStore
from hub.envelope.trust import Trust
from hub.transport import Endpoint
from topics.layout import Topology


class RouterRole(Protocol):
    """What is needed of a `hub.role.Role`."""

    @property
    def principal(self) -> str:
        """Name of the principal; its audience has the same name."""

    @property
    def namespace(self) -> str:
        """`eltax` or `rehearsal…`."""

    @property
    def endpoint(self) -> Endpoint:
        """How it reaches the brokers."""

    @property
    def identity(self) -> IdentityKey:
        """The key that signs notices."""

    @property
    def keystore(self) -> KeyStore:
        """Where the router's audience keys are."""

    @property
    def trust(self) -> Trust:
        """The verified trust list that holds now."""

    @property
    def topology(self) -> Topology:
        """Topics, tenants and routes of the namespace, as they hold now."""

    async def catch_up(self) -> None:
        """Learn what the administrator has published by now. Raises a retriable HubError."""
