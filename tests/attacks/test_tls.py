"""Who is not named by our authority, now, for this purpose, over TLS 1.3, is refused by the broker itself.

The client is willing in everything (raw_tls.py), and each bad certificate differs from the good one in one thing.
"""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.crypto.certificates import CertificateAuthority, IssuedCertificate, Usage
from tests.attacks.raw_tls import Outcome, attempt, attempt_plaintext, refused_in_log
from tests.kafka import TestKafka

pytestmark = pytest.mark.broker

UNKNOWN = "SSLV3_ALERT_CERTIFICATE_UNKNOWN"
"""alert 46: Java's word for a certificate whose chain, dates or purpose do not hold"""
REQUIRED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
"""alert 116"""
VERSION = "TLSV1_ALERT_PROTOCOL_VERSION"
"""alert 70"""
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["client_port", "controller_port"])
def port(kafka: TestKafka, request: pytest.FixtureRequest) -> int:
    """Both listeners of the node."""
    return int(json.loads((kafka.node.directory / "node.json").read_text())[request.param])


@pytest.fixture
def clients(kafka: TestKafka) -> int:
    return int(kafka.bootstrap.rpartition(":")[2])


def assert_refused(kafka: TestKafka, outcome: Outcome, alert: str) -> None:
    assert not outcome.answered
    assert outcome.alert == alert
    assert refused_in_log(kafka.node.logs / "server.log", outcome.port)


@pytest.fixture(autouse=True)
def good_certificate_works(kafka: TestKafka, clients: int) -> None:
    """The control of every test here: same client, same request, a certificate as it should be."""
    assert attempt(clients, kafka.identity("portal")) == Outcome(True, "", pytest.approx(0, abs=65_535))


def test_no_certificate_is_refused(kafka: TestKafka, port: int) -> None:
    assert_refused(kafka, attempt(port, None), REQUIRED)


def test_another_authoritys_certificate_is_refused(kafka: TestKafka, port: int, tmp_path: Path) -> None:
    other = CertificateAuthority.create(tmp_path / "authority")  # of the same name as ours
    assert_refused(kafka, attempt(port, other.issue("admin", tmp_path)), UNKNOWN)


def test_a_self_made_certificate_under_our_authoritys_is_refused(
    kafka: TestKafka, clients: int, tmp_path: Path
) -> None:
    """A principal cannot issue certificates with its own."""
    portal = kafka.identity("portal")
    forger = tmp_path / "forger"
    forger.mkdir()
    (forger / "ca.crt").write_bytes(portal.certificate.read_bytes())
    (forger / "ca.key").write_bytes(portal.private_key.read_bytes())
    (forger / "ca.key").chmod(0o600)
    forged = CertificateAuthority.load(forger).issue("admin", tmp_path)
    forged.certificate.write_bytes(forged.certificate.read_bytes() + portal.certificate.read_bytes())  # the whole chain
    assert_refused(kafka, attempt(clients, forged), UNKNOWN)


def test_an_expired_certificate_is_refused(kafka: TestKafka, port: int, tmp_path: Path) -> None:
    assert attempt(port, _valid(kafka, tmp_path, NOW - 2 * DAY, NOW + DAY)).alert == ""
    assert_refused(kafka, attempt(port, _valid(kafka, tmp_path, NOW - 2 * DAY, NOW - DAY)), UNKNOWN)


def test_a_certificate_that_is_not_valid_yet_is_refused(kafka: TestKafka, port: int, tmp_path: Path) -> None:
    assert_refused(kafka, attempt(port, _valid(kafka, tmp_path, NOW + DAY, NOW + 2 * DAY)), UNKNOWN)


def test_a_servers_certificate_is_refused_as_a_clients(kafka: TestKafka, port: int, tmp_path: Path) -> None:
    assert_refused(kafka, attempt(port, kafka.authority.issue("portal", tmp_path, usage=Usage.SERVER)), UNKNOWN)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1])
def test_tls_1_2_and_older_are_refused(kafka: TestKafka, port: int, newest: ssl.TLSVersion) -> None:
    assert_refused(kafka, attempt(port, kafka.identity("portal"), newest=newest), VERSION)


def test_plaintext_is_refused(kafka: TestKafka, port: int) -> None:
    assert_refused(kafka, attempt_plaintext(port), "fatal")


def _valid(kafka: TestKafka, directory: Path, start: datetime, end: datetime) -> IssuedCertificate:
    return kafka.authority.issue("portal", directory, not_before=start, not_after=end)
