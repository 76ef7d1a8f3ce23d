"""Ports on loopback for servers that must be found again after a restart."""

from __future__ import annotations

import secrets
import socket
from typing import Final

LOWEST: Final = 20_000
HIGHEST: Final = 32_000
"""Below what the kernel gives to outgoing connections. A client that reconnects to a closed port inside that range
can be connected to itself, and the server could never come back."""


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does; else TIME_WAIT counts as taken
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


def choose(*taken: int) -> int:
    """A free port that is none of `taken`. Random, so that two that choose at once rarely meet."""
    while True:
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if port not in taken and is_free(port):
            return port
