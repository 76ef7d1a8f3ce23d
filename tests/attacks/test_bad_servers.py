"""Our clients speak to nobody but a broker of our authority, by its name, now, over TLS 1.3.

The server is willing in everything (bad_server.py), and each differs from the good one in one thing. That it was our
client that refused shows in the alert the server got, and in that the server was given nothing.
"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.probe import serves
from hub.crypto.certificates import CertificateAuthority, IssuedCertificate, Usage
from hub.transport import BatchWriter, BrokerUnavailable, Endpoint, PartitionReader, TlsIdentity, ssl_context
from hub.transport.admin import Admin
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.attacks.bad_server import BadServer

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HOSTS = ("127.0.0.1", "localhost")
HUNG_UP = "UNEXPECTED_EOF_WHILE_READING"
BAD = "SSLV3_ALERT_BAD_CERTIFICATE"
UNKNOWN = "TLSV1_ALERT_UNKNOWN_CA"
EXPIRED = "SSLV3_ALERT_CERTIFICATE_EXPIRED"
PURPOSE = "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def ours(authority: CertificateAuthority, tmp_path: Path) -> IssuedCertificate:
    return authority.issue("portal", tmp_path / "portal")


async def _write(endpoint: Endpoint) -> None:
    await BatchWriter(endpoint).start()


async def _read(endpoint: Endpoint) -> None:
    await PartitionReader(endpoint, {("topic", 0): None}).start()


async def _administer(endpoint: Endpoint) -> None:
    await Admin(endpoint).start()


def _endpoint(server: BadServer, ours: IssuedCertificate) -> Endpoint:
    return Endpoint(f"127.0.0.1:{server.port}", TlsIdentity(ours.certificate, ours.private_key, ours.ca), "attacked")


def _alert(server: BadServer, ours: IssuedCertificate) -> None:
    """Shake hands with the context of our clients; what asyncio hangs up on without a word, this says."""
    context = ssl_context(TlsIdentity(ours.certificate, ours.private_key, ours.ca))
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


async def _refused(server: BadServer, ours: IssuedCertificate, *alerts: str) -> str:
    """Each of our clients refuses the server; returns the alert that it was told."""
    for client in (_write, _read, _administer):
        with pytest.raises(BrokerUnavailable):
            await client(_endpoint(server, ours))
    _alert(server, ours)
    assert not serves(server.port, ours)
    seen = [server.seen.get(timeout=10) for _ in range(5)]
    assert set(seen[:3]) <= {HUNG_UP, *alerts}, "in the midst of the handshake"
    assert set(seen[3:]) <= set(alerts), seen
    assert server.given == [], "not a byte of a request"
    return seen[3]


async def test_a_good_server_is_spoken_to(
    authority: CertificateAuthority, ours: IssuedCertificate, tmp_path: Path
) -> None:
    """The control of every test here; that it then answers nothing is another matter."""
    with BadServer(authority.issue("broker", tmp_path, usage=Usage.BROKER, hosts=HOSTS)) as server:
        with pytest.raises(BrokerUnavailable):
            await _write(_endpoint(server, ours))
        assert server.seen.get(timeout=10) == "done"
        assert server.given and server.given[0]


async def test_a_server_of_another_name_is_refused(
    authority: CertificateAuthority, ours: IssuedCertificate, tmp_path: Path, attack: Attack
) -> None:
    tried = attack(Attacker.CONTRACTOR, "answers in a broker's place with the certificate of another of our servers")
    nameless = attack(Attacker.CONTRACTOR, "answers in a broker's place with a certificate that names no host")
    other = authority.issue("other", tmp_path, usage=Usage.SERVER, hosts=("127.0.0.2", "other.example"))
    with BadServer(other) as server:
        await _refused(server, ours, BAD)
    with BadServer(authority.issue("localhost", tmp_path, usage=Usage.SERVER)) as server:
        await _refused(server, ours, BAD)
    for row in (tried, nameless):
        row.prevented(by="every client", how=f"alert {BAD}, and no byte of a request", within="the handshake")


async def test_a_server_of_another_authority_is_refused(
    authority: CertificateAuthority, ours: IssuedCertificate, tmp_path: Path, attack: Attack
) -> None:
    tried = attack(Attacker.OUTSIDER, "answers in a broker's place with a certificate of an authority called like ours")
    alone = attack(Attacker.OUTSIDER, "answers in a broker's place with a certificate that signs itself")
    other = CertificateAuthority.create(tmp_path / "authority")
    with BadServer(other.issue("broker", tmp_path, usage=Usage.BROKER, hosts=HOSTS)) as server:
        await _refused(server, ours, UNKNOWN)
    mine = IssuedCertificate(tmp_path / "authority" / "ca.crt", tmp_path / "authority" / "ca.key", ours.ca)
    with BadServer(mine) as server:
        await _refused(server, ours, UNKNOWN)
    tried.prevented(by="every client", how=f"alert {UNKNOWN}, and no byte of a request", within="the handshake")
    alone.prevented(by="every client", how=f"alert {UNKNOWN}, and no byte of a request", within="the handshake")


async def test_a_server_out_of_its_time_is_refused(
    authority: CertificateAuthority, ours: IssuedCertificate, tmp_path: Path, attack: Attack
) -> None:
    old = attack(Attacker.BACKUP, "answers in a broker's place with a broker's certificate that has expired")
    early = attack(Attacker.BACKUP, "answers in a broker's place with a certificate that is not valid yet")
    for start, end, alert in ((NOW - 2 * DAY, NOW - DAY, EXPIRED), (NOW + DAY, NOW + 2 * DAY, BAD)):
        made = authority.issue("broker", tmp_path, usage=Usage.BROKER, hosts=HOSTS, not_before=start, not_after=end)
        with BadServer(made) as server:
            await _refused(server, ours, alert)
    old.prevented(by="every client", how=f"alert {EXPIRED}, and no byte of a request", within="the handshake")
    early.prevented(by="every client", how=f"alert {BAD}, and no byte of a request", within="the handshake")


async def test_a_clients_certificate_makes_no_server(
    authority: CertificateAuthority, ours: IssuedCertificate, tmp_path: Path, attack: Attack
) -> None:
    tried = attack(Attacker.HELPDESK, "answers in a broker's place with its own client certificate")
    under = attack(Attacker.PORTAL, "answers in a broker's place with a certificate that it issued under its own")
    with BadServer(authority.issue("helpdesk-131041", tmp_path, hosts=HOSTS)) as server:
        await _refused(server, ours, PURPOSE)
    forger = tmp_path / "forger"
    forger.mkdir()
    (forger / "ca.crt").write_bytes(ours.certificate.read_bytes())
    (forger / "ca.key").write_bytes(ours.private_key.read_bytes())
    (forger / "ca.key").chmod(0o600)
    forged = CertificateAuthority.load(forger).issue("broker", tmp_path, usage=Usage.BROKER, hosts=HOSTS)
    forged.certificate.write_bytes(forged.certificate.read_bytes() + ours.certificate.read_bytes())
    with BadServer(forged) as server:
        await _refused(server, ours, UNKNOWN)
    tried.prevented(by="every client", how=f"alert {PURPOSE}, and no byte of a request", within="the handshake")
    under.prevented(by="every client", how=f"alert {UNKNOWN}, and no byte of a request", within="the handshake")


async def test_older_tls_and_none_are_refused(
    authority: CertificateAuthority, ours: IssuedCertificate, tmp_path: Path, attack: Attack
) -> None:
    tried = attack(Attacker.BROKER, "offers our clients TLS 1.2 or older")
    clear = attack(Attacker.OUTSIDER, "answers our clients in the clear")
    good = authority.issue("broker", tmp_path, usage=Usage.BROKER, hosts=HOSTS)
    for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1):
        with BadServer(good, newest=newest) as server:
            await _refused(server, ours, "UNSUPPORTED_PROTOCOL")
    with BadServer(None) as server:
        await _refused(server, ours, "plain")
    tried.prevented(by="every client", how="it offers TLS 1.3 and nothing else", within="the handshake")
    clear.prevented(by="every client", how="BrokerUnavailable", within="the first bytes")
