"""Ways to a listener, good and bad ones: contexts, and single attempts that end at their deadline.

The client of an attempt refuses nothing itself: no verification, all versions, so that what refuses is the peer. Only
`visit`, which says whether a path is good, verifies: TLS 1.3, our authority, the listener's name.
"""

from __future__ import annotations

import contextlib
import re
import ssl
import struct
from dataclasses import dataclass
from typing import Final

from hub.crypto.peers import PeerCertificate, peer_certificate
from hub.transport import TlsIdentity, ssl_context
from monitoring.network.addresses import Address
from monitoring.network.kafka import API_VERSIONS, CORRELATION, Cluster, ask, cluster
from monitoring.network.line import Came, Deadline, Ended, Line

_ALERT: Final = 21
_FATAL: Final = 2
_GLANCE: Final = 64
"""bytes of an answer that are looked at where any answer says it all"""
_REFUSAL_SECONDS: Final = 0.25
"""in which a peer that refuses has said so, as a rule"""
_API_VERSIONS_MOST: Final = 65_536
SCRAPE: Final = b"GET /metrics HTTP/1.0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Visit:
    """A verified visit: `came` is ANSWERED when all is well. What was seen before it went wrong is there too."""

    came: Came
    code: str
    connect_seconds: float = 0.0
    handshake_seconds: float = 0.0
    protocol: str = ""
    cipher: str = ""
    certificate: PeerCertificate | None = None
    cluster: Cluster | None = None

    @property
    def good(self) -> bool:
        """Whether the listener is ours, let us in and answered."""
        return self.came is Came.ANSWERED

    @property
    def problem(self) -> str:
        """What is wrong, as a code; empty if nothing is."""
        return "" if self.good else f"{self.came.value}-{self.code}" if self.code else self.came.value


def visit(address: Address, tls: TlsIdentity, *, seconds: float, metadata: bool) -> Visit:
    """Connect as `tls` says, verify the peer, and ask: for metadata, or what a controller answers too. Never raises."""
    deadline = Deadline.after(seconds)
    connect = handshake = 0.0
    protocol = cipher = ""
    certificate: PeerCertificate | None = None
    try:
        context = verified(tls)
        with Line(address, deadline) as line:
            connect = line.connect_seconds
            stream = line.secure(context, address.host)
            handshake = line.handshake_seconds
            protocol, cipher = stream.version() or "", (stream.cipher() or ("",))[0]
            certificate = peer_certificate(stream.getpeercert(binary_form=True) or b"")
            found = None
            if metadata:
                found = cluster(line)
            else:
                ask(line, API_VERSIONS, most=_API_VERSIONS_MOST)
        return Visit(Came.ANSWERED, "", connect, handshake, protocol, cipher, certificate, found)
    except Ended as end:
        if end.came is Came.UNVERIFIED:
            certificate = seen(address, seconds=seconds)
        return Visit(end.came, end.code, connect, handshake, protocol, cipher, certificate)


def seen(address: Address, *, seconds: float) -> PeerCertificate | None:
    """Return the certificate that a listener shows, verified by nobody; we show none ourselves."""
    with contextlib.suppress(Ended), Line(address, Deadline.after(seconds)) as line:
        return peer_certificate(line.secure(willing(None), None).getpeercert(binary_form=True) or b"")
    return None


def willing(tls: TlsIdentity | None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """A client that refuses nothing. Raises Ended(UNTRIED) if the certificate or its key cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if newest is ssl.TLSVersion.TLSv1_3:
        context.minimum_version = newest
    else:
        context.set_ciphers("ALL:@SECLEVEL=0")  # or OpenSSL itself would not speak what is old
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
    if tls is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.private_key)
        except (OSError, ValueError):
            raise Ended(Came.UNTRIED, "certificate") from None
    return context


def verified(tls: TlsIdentity) -> ssl.SSLContext:
    """A client that verifies as every role does. Raises Ended(UNTRIED) if a file of it cannot be read."""
    try:
        return ssl_context(tls)
    except (OSError, ValueError):
        raise Ended(Came.UNTRIED, "certificate") from None


def in_the_clear(address: Address, *, seconds: float, request: bytes = API_VERSIONS) -> tuple[Came, str]:
    """Speak without TLS; a listener of TLS says a fatal alert (RFC 8446, 6). Never raises.

    What answers is Kafka, or HTTP where that was asked for with success; anything else is garbage.
    """
    deadline = Deadline.after(seconds)
    got = b""
    try:
        with Line(address, deadline) as line:
            line.send(request)
            while len(got) < _GLANCE and (part := line.some(_GLANCE - len(got))):
                got += part
                if _is_kafka(got):
                    return Came.ANSWERED, ""
    except Ended as end:
        if not got:
            return end.came, end.code
    if len(got) == 7 and got[0] == _ALERT and got[5] == _FATAL:
        return Came.ALERT, "fatal"
    if request == SCRAPE and http_status(got):
        return _scraped(got)
    return (Came.GARBAGE, "clear") if got else (Came.CLOSED, "")


def _is_kafka(got: bytes) -> bool:
    return len(got) >= 8 and struct.unpack_from(">i", got, 4)[0] == CORRELATION


def let_in(
    address: Address,
    tls: TlsIdentity | None,
    *,
    seconds: float,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    request: bytes = API_VERSIONS,
) -> tuple[Came, str]:
    """Connect as somebody, ask, and see whether anything comes back. Never raises.

    In TLS 1.3 the peer's refusal of a certificate comes after the handshake, with the first read; whoever finishes a
    handshake of an older version has let us in by that alone. A peer that only hangs up is tried once more: its reason
    may have been lost on the way.
    """
    for _ in range(2):
        came, code = _let_in(address, tls, seconds, newest, request)
        if came is not Came.CLOSED:
            break
    return came, code


def _let_in(
    address: Address, tls: TlsIdentity | None, seconds: float, newest: ssl.TLSVersion, request: bytes
) -> tuple[Came, str]:
    try:
        with Line(address, Deadline.after(seconds)) as line:
            stream = line.secure(willing(tls, newest), None)
            if newest is not ssl.TLSVersion.TLSv1_3:
                return Came.ANSWERED, (stream.version() or "").lower().replace(".", "-")
            got = _unasked(line)
            if not got:
                line.send(request)
                got = line.some(_GLANCE)
            if request == SCRAPE and http_status(got):
                return _scraped(got)
            return (Came.ANSWERED, "") if got else (Came.CLOSED, "")
    except Ended as end:
        return end.came, end.code


def _unasked(line: Line) -> bytes:
    """What comes before we ask: a refusal, as a rule. It would be lost if our request met a closed connection."""
    try:
        return line.some(_GLANCE, within=_REFUSAL_SECONDS)
    except Ended as end:
        if end.came is Came.HUNG:
            return b""
        raise


def http_status(got: bytes) -> str:
    """The status of an HTTP answer's beginning; empty if it is none."""
    found = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", got + b" ")
    return found[1].decode() if found else ""


def _scraped(got: bytes) -> tuple[Came, str]:
    """A server that refuses in words has refused; any other answer lets us in."""
    status = http_status(got)
    return (Came.ALERT if status in ("401", "403") else Came.ANSWERED), f"http-{status}"


def is_open(address: Address, *, seconds: float) -> bool:
    """Whether somebody listens there."""
    try:
        with Line(address, Deadline.after(seconds)):
            return True
    except Ended:
        return False
