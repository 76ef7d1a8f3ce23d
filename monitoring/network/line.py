"""One connection that ends at its deadline, whatever the peer does: hangs, drips, floods or speaks garbage.

Every wait is for what is left of the deadline, every read is bounded by what its caller wants to see.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

from monitoring.network.addresses import Address

ALERT: Final = "_ALERT_"
"""what the reasons of OpenSSL have in them that the peer has sent; the others are our own side's"""


class Came(StrEnum):
    """How an attempt ended."""

    ANSWERED = "answered"
    """the peer let us in: application data came back, or a handshake ended that must not"""
    ALERT = "alert"
    """it refused, and said why"""
    CLOSED = "closed"
    """it hung up and said nothing"""
    HUNG = "hung"
    """nothing, or not enough, until the deadline"""
    UNREACHABLE = "unreachable"
    GARBAGE = "garbage"
    """what came is no answer"""
    UNVERIFIED = "unverified"
    """it is not whom we mean: its certificate does not hold"""
    UNTRIED = "untried"
    """something that the attempt needs is not there"""


class Ended(Exception):
    """The end of an attempt: how, and a short code of ours that says more (an alert's name, a field)."""

    def __init__(self, came: Came, code: str = "") -> None:
        """`code` is lower-case words with hyphens."""
        super().__init__(came.value, code)
        self.came = came
        self.code = code


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds that are left; Ended(HUNG) if none are."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise Ended(Came.HUNG)
        return left


class Line:
    """A connection; `with Line(address, deadline) as line`. What goes wrong is raised as Ended."""

    def __init__(self, address: Address, deadline: Deadline) -> None:
        """Connect. Raises Ended(UNREACHABLE) or Ended(HUNG)."""
        self._deadline = deadline
        self.connect_seconds = 0.0
        self.handshake_seconds = 0.0
        began = time.monotonic()
        try:
            self._plain = socket.create_connection((address.host, address.port), timeout=deadline.left())
        except TimeoutError:
            raise Ended(Came.HUNG, "connect") from None
        except OSError:
            raise Ended(Came.UNREACHABLE, "connect") from None
        self._stream: socket.socket | ssl.SSLSocket = self._plain
        self.connect_seconds = time.monotonic() - began

    def __enter__(self) -> Self:
        """As it is."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up, without a farewell that could wait."""
        self._stream.close()

    def secure(self, context: ssl.SSLContext, name: str | None) -> ssl.SSLSocket:
        """Shake hands; `name` is whom we mean."""
        began = time.monotonic()
        self._plain.settimeout(self._deadline.left())
        try:
            self._stream = stream = context.wrap_socket(
                self._plain, server_hostname=name, do_handshake_on_connect=False
            )
            stream.settimeout(self._deadline.left())
            stream.do_handshake()
        except (OSError, ValueError) as problem:  # a name that is none is a ValueError
            raise ended(problem) from None
        self.handshake_seconds = time.monotonic() - began
        return stream

    def send(self, data: bytes) -> None:
        """Write all of it. That the peer hung up meanwhile shows when its answer is read."""
        try:
            self._stream.settimeout(self._deadline.left())
            self._stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return
        except OSError as problem:
            raise ended(problem) from None

    def some(self, most: int, *, within: float | None = None) -> bytes:
        """Return the next bytes, at most so many; none if the peer has hung up. Ended(HUNG) after `within` seconds."""
        left = self._deadline.left()
        try:
            self._stream.settimeout(left if within is None else min(left, within))
            return self._stream.recv(most)
        except OSError as problem:
            raise ended(problem) from None

    def exactly(self, count: int) -> bytes:
        """Return so many bytes; Ended(CLOSED) if the peer hangs up before."""
        got = bytearray()
        while len(got) < count:
            part = self.some(count - len(got))
            if not part:
                raise Ended(Came.CLOSED)
            got += part
        return bytes(got)


def ended(problem: BaseException) -> Ended:
    """What an error of the network means for an attempt. Pure."""
    if isinstance(problem, Ended):
        return problem
    if isinstance(problem, TimeoutError):
        return Ended(Came.HUNG)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return Ended(Came.UNVERIFIED, _VERIFY.get(problem.verify_code, "certificate"))
    if isinstance(problem, ssl.SSLError):
        reason = str(problem.reason or "")
        if ALERT in reason:
            return Ended(Came.ALERT, reason.partition(ALERT)[2].lower().replace("_", "-"))
        if isinstance(problem, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "UNEXPECTED_EOF" in reason:
            return Ended(Came.CLOSED)
        return Ended(Came.GARBAGE, "tls")
    if isinstance(problem, (ConnectionError, OSError)):
        return Ended(Came.CLOSED, "reset")
    return Ended(Came.UNTRIED, "address")


_VERIFY: Final = {
    9: "not-yet-valid",
    10: "expired",
    18: "self-signed",
    19: "foreign-authority",
    20: "foreign-authority",
    21: "foreign-authority",
    26: "purpose",
    62: "name",
    64: "name",
}
"""OpenSSL's X509_V_ERR_… as codes of ours; 62 and 64 are host name and address"""
