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
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.attacks.raw_tls import (
    AES_128_CCM,
    AES_128_CCM_8,
    AES_128_GCM,
    AES_256_GCM,
    CHACHA20,
    NULL_SHA256,
    Outcome,
    attempt,
    attempt_plaintext,
    greeted,
    hello,
    max_early_data,
    refused_in_log,
)
from tests.kafka import TestKafka

pytestmark = pytest.mark.broker

UNKNOWN = "SSLV3_ALERT_CERTIFICATE_UNKNOWN"
"""alert 46: Java's word for a certificate whose chain, dates or purpose do not hold"""
REQUIRED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
"""alert 116"""
VERSION = "TLSV1_ALERT_PROTOCOL_VERSION"
"""alert 70"""
HANDSHAKE_FAILURE = "alert 40"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["client_port", "controller_port"])
def port(kafka: TestKafka, request: pytest.FixtureRequest) -> int:
    """Both listeners of the node."""
    return int(json.loads((kafka.node.directory / "node.json").read_text())[request.param])


@pytest.fixture
def clients(kafka: TestKafka) -> int:
    return int(kafka.node.bootstrap.rpartition(":")[2])


def assert_refused(kafka: TestKafka, outcome: Outcome, alert: str) -> None:
    assert not outcome.answered
    assert outcome.alert == alert
    assert refused_in_log(kafka.node.logs / "server.log", outcome.port)


@pytest.fixture(autouse=True)
def good_certificate_works(kafka: TestKafka, clients: int) -> None:
    """The control of every test here: same client, same request, a certificate as it should be."""
    assert attempt(clients, kafka.identity("portal")) == Outcome(True, "", pytest.approx(0, abs=65_535))


def test_no_certificate_is_refused(kafka: TestKafka, port: int, attack: Attack) -> None:
    tried = attack(Attacker.OUTSIDER, "connects to a broker's listener without a certificate")
    assert_refused(kafka, attempt(port, None), REQUIRED)
    tried.prevented(by="broker", how=f"alert {REQUIRED}", within="the handshake")


def test_another_authoritys_certificate_is_refused(kafka: TestKafka, port: int, tmp_path: Path, attack: Attack) -> None:
    tried = attack(Attacker.OUTSIDER, "connects with the name admin, certified by an authority called like ours")
    other = CertificateAuthority.create(tmp_path / "authority")  # of the same name as ours
    assert_refused(kafka, attempt(port, other.issue("admin", tmp_path)), UNKNOWN)
    tried.prevented(by="broker", how=f"alert {UNKNOWN}", within="the handshake")


def test_a_self_made_certificate_under_our_authoritys_is_refused(
    kafka: TestKafka, port: int, tmp_path: Path, attack: Attack
) -> None:
    """A principal cannot issue certificates with its own, nor be its own authority."""
    tried = attack(Attacker.PORTAL, "issues itself an administrator's certificate under its own")
    alone = attack(Attacker.OUTSIDER, "connects with a certificate that signs itself")
    portal = kafka.identity("portal")
    forger = tmp_path / "forger"
    forger.mkdir()
    (forger / "ca.crt").write_bytes(portal.certificate.read_bytes())
    (forger / "ca.key").write_bytes(portal.private_key.read_bytes())
    (forger / "ca.key").chmod(0o600)
    forged = CertificateAuthority.load(forger).issue("admin", tmp_path)
    forged.certificate.write_bytes(forged.certificate.read_bytes() + portal.certificate.read_bytes())  # the whole chain
    assert_refused(kafka, attempt(port, forged), UNKNOWN)
    CertificateAuthority.create(tmp_path / "self", name="admin")
    mine = IssuedCertificate(tmp_path / "self" / "ca.crt", tmp_path / "self" / "ca.key", portal.ca)
    assert_refused(kafka, attempt(port, mine), UNKNOWN)
    for row in (tried, alone):
        row.prevented(by="broker", how=f"alert {UNKNOWN}", within="the handshake")


def test_a_certificate_out_of_its_time_is_refused(kafka: TestKafka, port: int, tmp_path: Path, attack: Attack) -> None:
    old = attack(Attacker.LAPTOP, "connects with a certificate that has expired")
    early = attack(Attacker.LAPTOP, "connects with a certificate that is not valid yet")
    assert attempt(port, _valid(kafka, tmp_path, NOW - 2 * DAY, NOW + DAY)).alert == ""
    assert_refused(kafka, attempt(port, _valid(kafka, tmp_path, NOW - 2 * DAY, NOW - DAY)), UNKNOWN)
    assert_refused(kafka, attempt(port, _valid(kafka, tmp_path, NOW + DAY, NOW + 2 * DAY)), UNKNOWN)
    for row in (old, early):
        row.prevented(by="broker", how=f"alert {UNKNOWN}", within="the handshake")


def test_a_servers_certificate_is_refused_as_a_clients(
    kafka: TestKafka, port: int, tmp_path: Path, attack: Attack
) -> None:
    tried = attack(Attacker.CONTRACTOR, "connects as a client with a server's certificate")
    assert_refused(kafka, attempt(port, kafka.authority.issue("portal", tmp_path, usage=Usage.SERVER)), UNKNOWN)
    tried.prevented(by="broker", how=f"alert {UNKNOWN}", within="the handshake")


def test_tls_1_2_and_older_are_refused(kafka: TestKafka, port: int, attack: Attack) -> None:
    tried = attack(Attacker.OUTSIDER, "negotiates TLS 1.2, 1.1 or 1.0, and with it renegotiation")
    for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        assert_refused(kafka, attempt(port, kafka.identity("portal"), newest=newest), VERSION)
    tried.prevented(by="broker", how=f"alert {VERSION}", within="the handshake")


def test_plaintext_is_refused(kafka: TestKafka, port: int, attack: Attack) -> None:
    tried = attack(Attacker.OUTSIDER, "speaks Kafka in the clear")
    assert_refused(kafka, attempt_plaintext(port), "fatal")
    tried.prevented(by="broker", how="a fatal alert", within="the first bytes")


def test_ciphers_below_what_is_declared_are_refused(port: int, attack: Attack) -> None:
    weak = attack(Attacker.OUTSIDER, "offers only cipher suites of 128 bits, or one that does not encrypt")
    sha1 = attack(Attacker.OUTSIDER, "offers only signatures over SHA-1")
    assert greeted(port, hello(AES_128_GCM, AES_256_GCM)) == f"hello {AES_256_GCM:#06x}"
    assert greeted(port, hello(CHACHA20)) == f"hello {CHACHA20:#06x}"
    for suite in (AES_128_GCM, AES_128_CCM, AES_128_CCM_8, NULL_SHA256):
        assert greeted(port, hello(suite)) == HANDSHAKE_FAILURE, hex(suite)
    assert greeted(port, hello(AES_256_GCM, weak_signatures=True)) == HANDSHAKE_FAILURE
    for row in (weak, sha1):
        row.prevented(by="broker", how=f"{HANDSHAKE_FAILURE} (handshake failure)", within="the handshake")


def test_nothing_is_taken_before_the_handshake_has_ended(kafka: TestKafka, port: int, attack: Attack) -> None:
    tried = attack(Attacker.OUTSIDER, "replays a request as early data of a resumed session")
    assert max_early_data(port, kafka.identity("portal")) == 0, "no ticket allows it"
    assert greeted(port, hello(AES_256_GCM, early_data=True)) == f"hello {AES_256_GCM:#06x}", "offered, and not taken"
    tried.prevented(by="broker", how="its tickets allow 0 bytes of early data", within="the handshake")


def _valid(kafka: TestKafka, directory: Path, start: datetime, end: datetime) -> IssuedCertificate:
    return kafka.authority.issue("portal", directory, not_before=start, not_after=end)
