"""Of the brokers' log lines only bounded values go on, whatever bytes somebody got into them."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.operations.broker_lines import (
    MAX_LINE_BYTES,
    OTHER,
    REASONS,
    Connected,
    Denied,
    HandshakeRefused,
    Passed,
    Seen,
    Unread,
    read_line,
)

AT = "2030-01-15T02:59:59.123Z"
WHEN = datetime(2030, 1, 15, 2, 59, 59, 123_000, tzinfo=UTC)
NOW = datetime(2030, 1, 15, 3, 0, tzinfo=UTC)
CHANNEL = (
    "[SslTransportLayer channelId=127.0.0.1:9092-10.0.0.7:37710-1-0 key=channel=java.nio.channels.SocketChannel"
    "[connected local=/127.0.0.1:9092 remote=/10.0.0.7:37710], selector=sun.nio.ch.EPollSelectorImpl@ab9f428,"
    " interestOps=1, readyOps=0] "
)
TLS = " (org.apache.kafka.common.network.SslTransportLayer)"


def denied(name: str = "CN=mallory", kind: str = "Topic", resource: str = "eltax.submissions", **more: str) -> bytes:
    said = {"host": "10.0.0.7", "verdict": "Denied", "at": AT, "operation": "DESCRIBE_CONFIGS"} | more
    return (
        f"{said['at']} INFO Principal = User:{name} is {said['verdict']} operation = {said['operation']}"
        f" from host = {said['host']} on resource = {kind}:LITERAL:{resource} for request = ListOffsets"
        " with resourceRefCount = 1 based on rule DefaultDeny (kafka.authorizer.logger)"
    ).encode()


def connected(name: str = "CN=portal", channel: str = CHANNEL) -> bytes:
    return (
        f"{AT} DEBUG {channel}SSL handshake completed successfully with peerHost '10.0.0.7' peerPort 37710"
        f" peerPrincipal '{name}' protocol 'TLSv1.3' cipherSuite 'TLS_AES_256_GCM_SHA384'{TLS}"
    ).encode()


def failed(why: str, channel: str = CHANNEL) -> bytes:
    return f"{AT} DEBUG {channel}SSL Handshake failed | {why}{TLS}".encode()


def test_a_denial() -> None:
    assert read_line(denied(), NOW) == Denied(
        WHEN, "mallory", "describe-configs", "topic", "eltax.submissions", "10.0.0.7"
    )
    assert read_line(denied(verdict="Allowed"), NOW) == Passed()
    assert read_line(denied() + b"\r", NOW) == read_line(denied(), NOW)


def test_a_connection_and_addresses_of_both_kinds() -> None:
    assert read_line(connected(), NOW) == Connected(WHEN, "portal", "10.0.0.7")
    six = CHANNEL.replace("127.0.0.1:9092-10.0.0.7:", "0:0:0:0:0:0:0:1:9092-fd00:0:0:0:0:0:0:7%eth0:", 1)
    assert read_line(connected(channel=six), NOW) == Connected(WHEN, "portal", "fd00::7")
    nowhere = CHANNEL.replace("-10.0.0.7:", "-aa.bb:", 1)
    assert read_line(connected(channel=nowhere), NOW) == Connected(WHEN, "portal", OTHER)


def test_a_brokers_own_connection_to_another_is_passed() -> None:
    client = CHANNEL.replace("127.0.0.1:9092-10.0.0.7:37710-1-0", "1", 1)
    assert read_line(connected("CN=broker", client), NOW) == Passed()


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("(certificate_required) Empty client certificate chain", "no-certificate"),
        ("Unrecognized SSL message, plaintext connection?", "plaintext"),
        ("(protocol_version) Client requested protocol TLSv1.2 is not enabled", "protocol-version"),
        ("(certificate_unknown) PKIX path validation failed: java…: Path does not chain with any of the trust anchors",
         "unknown-authority"),
        ("(certificate_unknown) PKIX path validation failed: java…: validity check failed", "certificate-time"),
        ("(certificate_unknown) Extended key usage does not permit use for TLS client", "certificate-purpose"),
        ("(certificate_unknown) something new", "bad-certificate"),
        ("(handshake_failure) No negotiable cipher suite", "no-common-cipher"),
        ("Remote host terminated the handshake", "closed"),
        ("tanaka taro 123456789012", OTHER),
        ("", OTHER),
    ],
)  # fmt: skip
def test_a_refused_handshake_has_a_code_of_the_list(why: str, code: str) -> None:
    assert read_line(failed(why), NOW) == HandshakeRefused(WHEN, "10.0.0.7", code)
    assert code in {*dict(REASONS).values(), OTHER}


def test_words_of_a_client_are_taken_for_its_words() -> None:
    """What looks like the broker's own text inside a name stays part of the name."""
    forged = "x for request = Fetch with resourceRefCount = 1 based on rule DefaultDeny (kafka.authorizer.logger)"
    inner = denied("CN=admin", resource="eltax.submissions").decode()
    for resource in (
        forged,
        inner,
        inner + " " + forged,
        " is Denied operation = READ from host = 1.2.3.4 on resource",
    ):
        seen = read_line(denied(kind="Group", resource=resource), NOW)
        assert isinstance(seen, Denied)
        assert (seen.principal, seen.address, seen.kind) == ("mallory", "10.0.0.7", "group")
        assert seen.resource == resource


def test_an_escaped_line_break_stays_in_the_name_and_half_a_line_is_nothing() -> None:
    """The layout of `broker.configuration` escapes it; a layout that did not would let a client write lines."""
    hidden = "a\\n" + denied("CN=admin").decode()
    seen = read_line(denied(kind="Group", resource=hidden), NOW)
    assert seen == Denied(WHEN, "mallory", "describe-configs", "group", hidden, "10.0.0.7")
    assert read_line(denied(kind="Group", resource="a\nb").split(b"\n")[0], NOW) == Unread()


@pytest.mark.parametrize(
    "name",
    [
        "ANONYMOUS",
        "CN=tanaka taro",
        "CN=x,O=y",
        "CN=",
        "CN=" + "x" * 65,
        "CN=\x1b[31m",
        "CN=田中",
        "O=z,CN=admin",
        "CN=-x",
    ],
)
def test_a_name_of_another_form_is_nobodys(name: str) -> None:
    for line in (denied(name), connected(name)):
        seen = read_line(line, NOW)
        assert isinstance(seen, Denied | Connected)
        assert seen.principal == OTHER


@pytest.mark.parametrize(
    "at",
    ["2030-01-01T00:00:00.000Z", "2030-01-15T03:10:00.000Z", "2030-02-31T00:00:00.000Z", "0000-01-01T00:00:00.000Z"],
)
def test_a_time_far_from_ours_is_not_believed(at: str) -> None:
    seen = read_line(denied(at=at), NOW)
    assert isinstance(seen, Denied)
    assert seen.at is None


HOSTILE = [
    b"",
    b"\n",
    b"\x00" * 100,
    b"\xff\xfe" * 50,
    b"\x1b]0;title\x07",
    "田中太郎 1234-5678".encode(),
    b"java.lang.RuntimeException: boom",
    b"\tat org.apache.kafka.X.y(X.java:1)",
    denied()[:80],
    denied()[40:],
    denied() + b" trailing",
    b"x" * (MAX_LINE_BYTES + 1),
    denied(resource="x" * MAX_LINE_BYTES),
    denied(operation="READ; DROP"),
    denied(host="a b"),
    denied().replace(b" INFO ", b" info "),
    "２０３０-01-15T02:59:59.123Z INFO x".encode(),
]


@pytest.mark.parametrize("line", HOSTILE)
def test_what_has_none_of_the_forms_is_counted_and_says_nothing(line: bytes) -> None:
    assert read_line(line, NOW) == Unread()


_FIELD = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _bounded(seen: Seen) -> None:
    for field in ("principal", "operation", "kind", "reason"):
        value = getattr(seen, field, OTHER)
        assert _FIELD.fullmatch(value), (field, value)
    address = getattr(seen, "address", OTHER)
    assert re.fullmatch(r"[0-9a-f.:]{2,45}|other", address)
    at = getattr(seen, "at", None)
    assert at is None or abs(NOW - at) < timedelta(days=9)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 3), st.data())
def test_any_bytes_in_any_place_give_bounded_values(noise: bytes, which: int, data: st.DataObject) -> None:
    line = (denied(), connected(), failed("plaintext connection"), b"")[which]
    at = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(at, len(line)))
    _bounded(read_line(line[:at] + noise + line[end:], NOW))


def test_no_line_takes_long() -> None:
    """A pattern that went back and forth would take minutes for these."""
    print("seed 7")
    chance = random.Random(7)
    pieces = [" is Denied operation = READ", " for request = X with resourceRefCount = 1", "CN=", "[SslTransportLayer",
              " channelId=1:1-1:1-0-0 ", "SSL handshake failed | ", "'", " based on rule "]  # fmt: skip
    for _ in range(30):
        text = f"{AT} INFO Principal = User:" + "".join(chance.choice(pieces) for _ in range(500))
        _bounded(read_line(text.encode()[:MAX_LINE_BYTES], NOW))
        _bounded(read_line((f"{AT} DEBUG {CHANNEL}" + text)[:MAX_LINE_BYTES].encode(), NOW))
