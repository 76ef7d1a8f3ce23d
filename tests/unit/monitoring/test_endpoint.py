"""The endpoint answers three paths, to GET and HEAD, in bounded time, and leaves nothing behind."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.facts import Fact, Paused, Ready
from monitoring import endpoint as module
from monitoring.adapter import metrics_observer
from monitoring.endpoint import MAX_CONNECTIONS, Endpoint, EndpointAddressError, EndpointTls, ScrapesRefused
from monitoring.health import Health
from monitoring.metrics import Metrics
from tests.unit.monitoring.certificates import Authority

TENANTS = ("131041",)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the endpoint's own time limits far away, so that only what a test is about can end a connection."""
    monkeypatch.setattr(module, "_IDLE_SECONDS", 120.0)
    monkeypatch.setattr(module, "MAX_REQUEST_SECONDS", 120.0)


@pytest.fixture
def health() -> Health:
    return Health({"fenced", "store"})


@pytest.fixture
def served(health: Health) -> Iterator[Endpoint]:
    with Endpoint(Metrics(tenants=TENANTS, procedures=(), sources=()).registry, health, tls=None) as endpoint:
        yield endpoint
    gc.collect()  # a socket left open would be a ResourceWarning, and so an error, now


def ask(
    endpoint: Endpoint, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def ended(peer: socket.socket) -> bool:
    """Wait for the other end to hang up without an answer."""
    try:
        return peer.recv(1) == b""
    except ConnectionError:  # with bytes of ours unread
        return True


def test_metrics_come_in_the_format_that_is_asked_for(served: Endpoint) -> None:
    status, headers, body = ask(served, "/metrics")
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    assert b"hub_build_info{" in body
    wanted = {"Accept": "application/openmetrics-text; version=1.0.0"}
    status, headers, body = ask(served, "/metrics", headers=wanted)
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_ready_only_when_every_condition_is_fulfilled(served: Endpoint, health: Health) -> None:
    status, _, body = ask(served, "/readyz")
    assert status == 503
    assert json.loads(body) == {
        "ready": False,
        "conditions": [
            {"condition": "fenced", "fulfilled": False},
            {"condition": "store", "fulfilled": False},
        ],
        "paused": [],
    }
    health.observe(Ready("fenced", True))
    health.observe(Ready("store", True))
    assert ask(served, "/readyz")[0] == 200
    health.observe(Paused("review", "store-full", True))
    status, _, body = ask(served, "/readyz")
    assert (status, json.loads(body)["paused"]) == (503, [{"stage": "review", "code": "store-full"}])


def test_alive_while_the_loop_beats() -> None:
    now = [0.0]
    health = Health((), stale_after_seconds=5, clock=lambda: now[0])
    with Endpoint(Metrics(procedures=(), sources=()).registry, health, tls=None) as served:
        assert ask(served, "/healthz")[0] == 200
        now[0] = 6.0
        status, _, body = ask(served, "/healthz")
    assert (status, json.loads(body)) == (503, {"healthy": False, "since_beat_seconds": 6.0, "failed": False})


@pytest.mark.parametrize("path", ["/", "/metrics/", "/favicon.ico", "/../etc/passwd", "/%2e%2e", "/METRICS"])
def test_nothing_else_is_served_and_nothing_is_echoed(served: Endpoint, path: str) -> None:
    status, _, body = ask(served, path)
    assert (status, body) == (404, b'{"error": "not-found"}\n')


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "MIHON"])
def test_only_get_and_head_are_answered(served: Endpoint, method: str) -> None:
    status, headers, body = ask(served, "/metrics", method)
    assert (status, headers["Allow"], body) == (405, "GET, HEAD", b'{"error": "refused"}\n')


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/none"])
def test_head_says_the_same_without_the_body(served: Endpoint, path: str) -> None:
    status, headers, body = ask(served, path, "HEAD")
    full = ask(served, path)
    assert (status, headers["Content-Type"], body) == (full[0], full[1]["Content-Type"], b"")


def test_an_accept_header_that_makes_no_sense_is_refused_not_raised(
    served: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    for accept in ("application/openmetrics-text; version=x.y", "text/plain;version=", "," * 5_000):
        assert ask(served, "/metrics", headers={"Accept": accept})[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"x: y\r\n" * 500 + b"\r\n",
        b"GET /\x1b[31m HTTP/1.1\r\n\r\n",
    ],
    ids=["empty", "short", "version", "tls", "long-line", "many-headers", "escape"],
)
def test_garbage_is_answered_or_dropped_in_silence(
    served: Endpoint, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection((served.host, served.port), timeout=10) as peer:
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        try:
            while peer.recv(65_536):
                pass
        except ConnectionError:  # it hung up with our bytes unread
            pass
    assert ask(served, "/healthz")[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("patient")
def test_peers_beyond_the_bound_are_turned_away_and_the_rest_go_on(served: Endpoint) -> None:
    silent = [socket.create_connection((served.host, served.port), timeout=10) for _ in range(MAX_CONNECTIONS)]
    with socket.create_connection((served.host, served.port), timeout=10) as beyond:
        assert ended(beyond)
    for peer in silent:
        peer.close()
    for _ in range(200):
        try:
            if ask(served, "/healthz")[0] == 200:
                break
        except (ConnectionError, http.client.HTTPException):
            threading.Event().wait(0.02)
    else:
        pytest.fail("the endpoint did not recover")


@pytest.mark.usefixtures("patient")
def test_a_peer_that_dawdles_is_ended(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REQUEST_SECONDS", 0.3)
    with (
        Endpoint(Metrics(procedures=(), sources=()).registry, health, tls=None) as served,
        socket.create_connection((served.host, served.port), timeout=30) as peer,
    ):
        peer.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert ended(peer)


@pytest.mark.usefixtures("patient")
def test_stopping_ends_open_connections_frees_the_port_and_may_be_repeated(health: Health) -> None:
    endpoint = Endpoint(Metrics(procedures=(), sources=()).registry, health, tls=None)
    endpoint.start()
    before = threading.active_count()
    with socket.create_connection((endpoint.host, endpoint.port), timeout=30) as peer:
        peer.sendall(b"GET /metrics HTTP/1.1\r\n")
        while threading.active_count() == before:  # until it has a thread of its own
            threading.Event().wait(0.01)
        endpoint.stop()
        assert ended(peer)
    endpoint.stop()
    assert threading.active_count() < before
    again = Endpoint(Metrics(procedures=(), sources=()).registry, health, tls=None, port=endpoint.port)
    again.stop()


def test_an_address_in_use_is_a_named_error(served: Endpoint, health: Health) -> None:
    with pytest.raises(EndpointAddressError) as caught:
        Endpoint(Metrics(procedures=(), sources=()).registry, health, tls=None, port=served.port)
    assert caught.value.code == "metrics-address"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def secured(authority: Authority, health: Health) -> Iterator[Endpoint]:
    certificate, key = authority.issue("review-131041")
    tls = EndpointTls(certificate, key, authority.certificate, lambda: {"monitor"})
    with Endpoint(Metrics(procedures=(), sources=()).registry, health, tls=tls) as endpoint:
        yield endpoint


def scrape(endpoint: Endpoint, context: ssl.SSLContext) -> int:
    connection = http.client.HTTPSConnection(endpoint.host, endpoint.port, timeout=10, context=context)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().status
    finally:
        connection.close()


def refusal(endpoint: Endpoint, context: ssl.SSLContext) -> str | None:
    """Return the reason that the server's alert gives. It sends nothing, so no reset overtakes it."""
    with (
        pytest.raises(ssl.SSLError) as caught,
        socket.create_connection((endpoint.host, endpoint.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=endpoint.host) as peer,
    ):
        peer.recv(1)
    return caught.value.reason


def client(authority: Authority, own: tuple[Path, Path] | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if own is not None:
        context.load_cert_chain(*own)
    return context


def test_a_scraper_with_a_certificate_of_ours_is_answered(secured: Endpoint, authority: Authority) -> None:
    assert secured.url.startswith("https://")
    assert scrape(secured, client(authority, authority.issue("monitor"))) == 200


def test_who_is_refused_is_counted_and_told_in_sums(
    authority: Authority, health: Health, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TELL_SECONDS", 3_600.0)  # told when it stops, so that the sums are whole
    certificate, key = authority.issue("review-131041")
    tls = EndpointTls(certificate, key, authority.certificate, lambda: {"monitor"})
    metrics, told = Metrics(procedures=(), sources=()), list[ScrapesRefused]()

    def observer(fact: Fact) -> None:
        assert isinstance(fact, ScrapesRefused)
        told.append(fact)
        metrics_observer(metrics)(fact)

    with Endpoint(metrics.registry, health, tls=tls, observer=observer) as endpoint:
        assert scrape(endpoint, client(authority, authority.issue("portal"))) == 403
        assert scrape(endpoint, client(authority, authority.issue("portal"))) == 403
        refusal(endpoint, client(authority, None))
        refusal(endpoint, client(authority, Authority(tmp_path).issue("monitor")))
        old = client(authority, authority.issue("monitor"))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        refusal(endpoint, old)
        with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as peer:
            peer.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            while not ended(peer):  # an alert, then the end
                pass
        assert not told
    counted = {fact.reason: fact.count for fact in told}
    assert counted == {"not-named": 2, "no-certificate": 1, "bad-certificate": 1, "old-protocol": 1, "plaintext": 1}
    assert metrics.value("hub_authentication_failures_total", listener="metrics", reason="not-named") == 2


def test_a_scraper_without_certificate_is_refused_by_the_server(secured: Endpoint, authority: Authority) -> None:
    assert refusal(secured, client(authority, None)) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def test_a_scraper_of_an_unknown_authority_is_refused_by_the_server(
    secured: Endpoint, authority: Authority, tmp_path: Path
) -> None:
    assert refusal(secured, client(authority, Authority(tmp_path).issue("monitor"))) == "TLSV1_ALERT_UNKNOWN_CA"


def test_older_tls_is_refused_by_the_server(secured: Endpoint, authority: Authority) -> None:
    context = client(authority, authority.issue("monitor"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert refusal(secured, context) == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_a_plaintext_scrape_gets_no_answer_and_others_go_on(secured: Endpoint, authority: Authority) -> None:
    with socket.create_connection((secured.host, secured.port), timeout=10) as peer:
        peer.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        try:
            answer = peer.recv(1_000)
        except ConnectionError:
            answer = b""
    assert b"hub_" not in answer
    assert scrape(secured, client(authority, authority.issue("monitor"))) == 200


@pytest.mark.usefixtures("patient")
def test_a_handshake_that_hangs_does_not_hold_up_the_others(secured: Endpoint, authority: Authority) -> None:
    with socket.create_connection((secured.host, secured.port), timeout=10):
        assert scrape(secured, client(authority, authority.issue("monitor"))) == 200
