"""The metrics endpoint, where it speaks TLS, refuses what the brokers refuse; the client is willing in everything."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.crypto.certificates import CertificateAuthority, IssuedCertificate, Usage
from hub.transport import TlsIdentity, ssl_context
from monitoring.endpoint import Endpoint, EndpointTls
from monitoring.health import Health
from monitoring.metrics import Metrics
from monitoring.scraping import Scraper
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.attacks.raw_tls import (
    AES_128_CCM_8,
    AES_256_GCM,
    NULL_SHA256,
    attempt,
    attempt_plaintext,
    greeted,
    hello,
    max_early_data,
)
from topics.names import endpoint_host

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def port(authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    made = _endpoint_certificate(authority, tmp_path_factory.mktemp("server"))
    tls = EndpointTls(made.certificate, made.private_key, made.ca, lambda: ("monitor", "old", "early", "server"))
    with Endpoint(Metrics(procedures=(), sources=()).registry, Health({"ready"}), tls=tls) as endpoint:
        yield endpoint.port


def _endpoint_certificate(authority: CertificateAuthority, directory: Path) -> IssuedCertificate:
    return authority.issue("router", directory, usage=Usage.SERVER, hosts=(endpoint_host("router"),))


def _files(made: IssuedCertificate) -> tuple[Path, Path, Path]:
    return made.certificate, made.private_key, made.ca


@pytest.fixture(autouse=True)
def a_good_certificate_is_answered(authority: CertificateAuthority, port: int, tmp_path: Path) -> IssuedCertificate:
    """The control of every test here."""
    good = authority.issue("monitor", tmp_path / "good")
    outcome = attempt(port, good, request=b"GET /healthz HTTP/1.0\r\n\r\n")
    assert (outcome.answered, outcome.alert) == (True, "")
    return good


def test_who_is_not_certified_now_for_this_gets_no_metrics(
    authority: CertificateAuthority, port: int, tmp_path: Path, attack: Attack
) -> None:
    tried = attack(Attacker.OUTSIDER, "scrapes metrics over TLS without a certificate of ours that is valid now")
    other = CertificateAuthority.create(tmp_path / "other")
    old = authority.issue("old", tmp_path, not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    early = authority.issue("early", tmp_path, not_before=NOW + DAY, not_after=NOW + 2 * DAY)
    tries = {
        "none": None,
        "another authority": other.issue("monitor", tmp_path / "theirs"),
        "expired": old,
        "not valid yet": early,
        "a server's": authority.issue("server", tmp_path, usage=Usage.SERVER),
    }
    # nothing is asked: a request that lies unread when the server hangs up could cost us its alert
    alerts = {name: attempt(port, identity, request=b"") for name, identity in tries.items()}
    assert not any(outcome.answered for outcome in alerts.values())
    assert {name: outcome.alert for name, outcome in alerts.items()} == {
        "none": "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "another authority": "TLSV1_ALERT_UNKNOWN_CA",
        "expired": "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "not valid yet": "SSLV3_ALERT_BAD_CERTIFICATE",
        "a server's": "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    }
    tried.prevented(by="metrics endpoint", how="an alert of its own for each, and no page", within="the handshake")


def test_who_is_certified_but_not_named_gets_no_metrics(
    authority: CertificateAuthority, port: int, tmp_path: Path, attack: Attack
) -> None:
    tried = attack(
        Attacker.PORTAL, "scrapes the metrics of the router, or asks for its health, with its own certificate"
    )
    for name in ("portal", "router", "broker", "monitor-2", "prometheus"):
        scraper = Scraper(*_files(authority.issue(name, tmp_path)))
        for page in ("metrics", "healthz", "readyz", "none"):
            answer = scraper.get(f"https://127.0.0.1:{port}/{page}", "router")
            assert (answer.status, answer.body) == (403, b'{"error": "not-named"}\n'), name
    tried.prevented(
        by="metrics endpoint", how="403 to each page and each certificate of no named scraper", within="the request"
    )


def test_a_scraper_notices_that_it_asks_another_process(
    a_good_certificate_is_answered: IssuedCertificate, port: int, attack: Attack
) -> None:
    tried = attack(Attacker.PORTAL, "answers scrapes in the router's place, on the port that the router had")
    scraper = Scraper(*_files(a_good_certificate_is_answered))
    assert scraper.get(f"https://127.0.0.1:{port}/healthz", "router").status in (200, 503)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        scraper.get(f"https://127.0.0.1:{port}/healthz", "review-131041")
    tried.prevented(by="scraper", how="the certificate bears the name of another process", within="the handshake")


def test_an_endpoints_certificate_is_no_brokers_and_no_clients(
    authority: CertificateAuthority, port: int, tmp_path: Path, attack: Attack
) -> None:
    tried = attack(Attacker.CONTRACTOR, "poses as a broker, or scrapes, with the certificate of a process's endpoint")
    made = _endpoint_certificate(authority, tmp_path)
    assert attempt(port, made, request=b"").alert == "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"
    context = ssl_context(TlsIdentity(*_files(authority.issue("portal", tmp_path))))
    with socket.create_connection(("127.0.0.1", port), 10) as plain, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(plain, server_hostname="127.0.0.1")
    tried.prevented(by="TLS", how="for servers only, and under a name that no broker has", within="the handshake")


def test_old_tls_weak_ciphers_plaintext_and_early_data_are_refused(
    a_good_certificate_is_answered: IssuedCertificate, port: int, attack: Attack
) -> None:
    tried = attack(Attacker.OUTSIDER, "scrapes metrics over older TLS, weak ciphers, in the clear or as early data")
    good = a_good_certificate_is_answered
    for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        assert attempt(port, good, newest=newest, request=b"").alert == "TLSV1_ALERT_PROTOCOL_VERSION"
    assert greeted(port, hello(AES_256_GCM)) == f"hello {AES_256_GCM:#06x}"
    for suite in (AES_128_CCM_8, NULL_SHA256):
        assert greeted(port, hello(suite)) == "alert 40"
    assert not attempt_plaintext(port).answered
    assert max_early_data(port, good) == 0
    tried.prevented(by="metrics endpoint", how="alerts 70 and 40; no ticket allows early data", within="the handshake")
