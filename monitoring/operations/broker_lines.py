r"""Lines of the brokers' own logs (Kafka 4.x, `broker.configuration.logging`) as bounded values. Pure.

    authorizer.log   … Principal = User:CN=p is Denied operation = READ from host = h on resource = Topic:LITERAL:t
                     for request = Fetch with resourceRefCount = 1 based on rule DefaultDeny (kafka.authorizer.logger)
    network.log      … [SslTransportLayer channelId=<ours>:<port>-<theirs>:<port>-0-1 …] SSL handshake completed
                     successfully with peerHost '…' peerPort … peerPrincipal 'CN=p' protocol 'TLSv1.3' …
                     … SSL Handshake failed | (certificate_required) Empty client certificate chain

Whoever connects chooses some of these bytes (names of topics and groups, bytes of a hello). So nothing of a line goes
on but what a pattern here has: names of the form that ours have, addresses that are addresses, words of closed lists.
A line is read from its left end, where the broker writes before the client's words come.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

MAX_LINE_BYTES: Final = 16 * 1024
OTHER: Final = "other"
_PAST: Final = timedelta(days=8)
_AHEAD: Final = timedelta(minutes=5)

_TIME: Final = r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) [A-Z]{4,5} "
_DENIED: Final = re.compile(
    _TIME
    + r"Principal = User:(?P<name>.{0,300}?) is (?P<verdict>Denied|Allowed) operation = (?P<operation>[A-Z_]{1,40})"
    r" from host = (?P<host>[^ ]{1,60}) on resource = (?P<kind>[A-Za-z]{1,30}):[A-Z]{1,20}:(?P<resource>.*)"
    r" for request = [A-Za-z]{1,60} with resourceRefCount = [0-9]{1,10} based on rule .{1,100}"
    r" \(kafka\.authorizer\.logger\)",
    re.ASCII,
)
_CHANNEL: Final = (
    r"\[SslTransportLayer channelId=[0-9a-fA-F.:%a-z]{2,60}:[0-9]{1,5}-(?P<host>[0-9a-fA-F.:%a-z]{2,60}):[0-9]{1,5}"
    r"-[0-9]{1,10}-[0-9]{1,10} [^']{0,2000}?"
)
_END: Final = r" \(org\.apache\.kafka\.common\.network\.SslTransportLayer\)"
_DONE: Final = re.compile(
    _TIME + _CHANNEL + r"SSL handshake completed successfully with peerHost '[^']{0,100}' peerPort [0-9]{1,5}"
    r" peerPrincipal '(?P<name>.{0,300}?)' protocol '[A-Za-z0-9.]{1,20}' cipherSuite '[A-Z0-9_]{1,60}'" + _END,
    re.ASCII,
)
_FAILED: Final = re.compile(_TIME + _CHANNEL + r"SSL [Hh]andshake failed(?: \| (?P<why>.*))?" + _END, re.ASCII)
_AS_CLIENT: Final = re.compile(_TIME + r"\[SslTransportLayer channelId=-?[0-9]{1,10} .*" + _END, re.ASCII)
"""a broker's own connection to another one: the other one has a line for it"""
_COMMON_NAME: Final = re.compile(r"CN=([A-Za-z0-9][A-Za-z0-9._-]{0,63})", re.ASCII)

REASONS: Final = (
    ("certificate_required", "no-certificate"),
    ("Empty client certificate chain", "no-certificate"),
    ("plaintext connection", "plaintext"),
    ("Unsupported or unrecognized SSL message", "plaintext"),
    ("protocol_version", "protocol-version"),
    ("validity check failed", "certificate-time"),
    ("Extended key usage", "certificate-purpose"),
    ("extended key usage", "certificate-purpose"),
    ("trust anchor", "unknown-authority"),
    ("unable to find valid certification path", "unknown-authority"),
    ("certificate_unknown", "bad-certificate"),
    ("bad_certificate", "bad-certificate"),
    ("handshake_failure", "no-common-cipher"),
    ("terminated the handshake", "closed"),
    ("EOF", "closed"),
)
"""words of Java's text, in this order, and the code that stands for them"""


@dataclass(frozen=True, slots=True)
class Denied:
    """The authorizer refused a principal an operation. `resource` is as the client named it: not for a log line."""

    at: datetime | None
    principal: str
    operation: str
    kind: str
    resource: str
    address: str


@dataclass(frozen=True, slots=True)
class Connected:
    """A handshake was completed: who, from where."""

    at: datetime | None
    principal: str
    address: str


@dataclass(frozen=True, slots=True)
class HandshakeRefused:
    """A handshake failed on the broker's side."""

    at: datetime | None
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A line of a known form that tells nothing we note: an allowed request, a broker's connection to another."""


@dataclass(frozen=True, slots=True)
class Unread:
    """None of the known forms."""


Seen = Denied | Connected | HandshakeRefused | Passed | Unread


def read_line(line: bytes, now: datetime) -> Seen:
    """Read one line without its end; never raises, whatever the bytes are."""
    if len(line) > MAX_LINE_BYTES:
        return Unread()
    text = line.decode("utf-8", "replace").rstrip("\r")
    found = _DENIED.fullmatch(text)
    if found is not None:
        if found["verdict"] == "Allowed":
            return Passed()
        operation, kind = found["operation"].lower().replace("_", "-"), found["kind"].lower()
        return Denied(
            _at(found["at"], now), _name(found["name"]), operation, kind, found["resource"], _address(found["host"])
        )
    found = _DONE.fullmatch(text)
    if found is not None:
        return Connected(_at(found["at"], now), _name(found["name"]), _address(found["host"]))
    found = _FAILED.fullmatch(text)
    if found is not None:
        return HandshakeRefused(_at(found["at"], now), _address(found["host"]), _reason(found["why"] or ""))
    return Passed() if _AS_CLIENT.fullmatch(text) else Unread()


def _at(text: str, now: datetime) -> datetime | None:
    """The line's own time, unless it is far from ours: then whoever reads takes the time of reading."""
    try:
        at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if now - _PAST <= at <= now + _AHEAD else None


def _name(text: str) -> str:
    found = _COMMON_NAME.fullmatch(text)
    return OTHER if found is None else found[1]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return OTHER


def _reason(text: str) -> str:
    return next((code for words, code in REASONS if words in text), OTHER)
