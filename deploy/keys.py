"""The first job: authority, keys, certificates and every service's configuration. Needs no network, and has none.

It may be run again: who has keys keeps them, certificates of brokers and servers are made anew, passwords stay. Into
`home` go the role directories, into `<service>/config` what that service is given and nothing of another one.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import monitoring.grafana
from broker import storage
from broker.exporter import salted
from deploy import brokers
from deploy.watch import prometheus_files, targets_text
from deploy.zones import PLACES, BrokerPlace
from hub.applying import Wanted, last_applied
from hub.crypto.certificates import CertificateAuthority, Usage, expires_at, key_store, write_private
from hub.enrolment import enrol
from monitoring.broker_rules import rules
from monitoring.prometheus.contacts import Contacts, example, read
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.scrape import BROKER, SCRAPER
from topics.declaration import load
from topics.layout import Topology
from topics.names import endpoint_host

HOME: Final = "home"
CLUSTER_ID: Final = "cluster.id"
SCRAPE_PASSWORD: Final = "scrape.password"  # noqa: S105 - the file's name
CONTACTS: Final = "contacts.json"
_RENEW_BEFORE: Final = timedelta(days=60)
_HERE: Final = ("127.0.0.1", "localhost")


def prepare(top: Path, wanted: Wanted, *, listen: str, topics_file: Path | None = None) -> Topology:
    """Make everything below `top` that services need to start; returns what is served.

    Raises EnrolmentError, KeyFileExposed, ContactsInvalid and what the file system says.
    """
    home = top / HOME
    applied = last_applied(home)
    topology = wanted.topology if applied is None else applied.topology
    directory = home / "authority"
    exists = (directory / "ca.crt").exists()
    authority = CertificateAuthority.load(directory) if exists else CertificateAuthority.create(directory)
    enrol(home, topology, authority, now=datetime.now(UTC))
    enrol(home, wanted.topology, authority, now=datetime.now(UTC))
    password = _kept(home / SCRAPE_PASSWORD, lambda: secrets.token_urlsafe(32))
    cluster_id = _kept(home / CLUSTER_ID, storage.new_cluster_id)
    for place in PLACES:
        _broker(_config(top, place.service), place, authority, listen, cluster_id, password)
    _registry(_config(top, "registry"), authority)
    _watch(top, wanted.topology, authority, password, Limits.of(load(topics_file)))
    return wanted.topology


def _kept(file: Path, make: Callable[[], str]) -> str:
    """What a file says; made first where there is none."""
    if not file.exists():
        write_private(file, make().encode("ascii"))
    return file.read_text("ascii")


def _lasts(certificate: Path) -> bool:
    return certificate.exists() and expires_at(certificate) - datetime.now(UTC) > _RENEW_BEFORE


def _config(top: Path, service: str) -> Path:
    directory = top / service / "config"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def _write(directory: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (directory / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(directory / name, text.encode("utf-8"))


def _broker(
    config: Path, place: BrokerPlace, authority: CertificateAuthority, listen: str, cluster_id: str, password: str
) -> None:
    made = authority.issue(place.principal, config / "made", usage=Usage.BROKER, hosts=(place.service, *_HERE))
    key, certificate = made.private_key.read_bytes(), made.certificate.read_bytes()
    write_private(config / "keystore.pem", key + certificate)
    write_private(config / f"{brokers.CERTIFICATE}.key", key)
    write_private(config / f"{brokers.CERTIFICATE}.crt", certificate)
    write_private(config / "ca.crt", made.ca.read_bytes())
    server = authority.issue(BROKER, config / "made", usage=Usage.SERVER, hosts=(endpoint_host(BROKER),))
    opens = secrets.token_urlsafe(32)
    write_private(config / brokers.EXPORTER_STORE, key_store(server, "exporter", opens))
    _write(config, {"exporter.json": brokers.exporter(rules(), *salted(password), opens)})
    _write(config, brokers.texts(place, listen, cluster_id))
    shutil.rmtree(config / "made")


def _registry(config: Path, authority: CertificateAuthority) -> None:
    authority.issue("registry", config, usage=Usage.BROKER, hosts=("registry", *_HERE))


def _watch(top: Path, topology: Topology, authority: CertificateAuthority, password: str, limits: Limits) -> None:
    """Prometheus, Alertmanager and Grafana: each its own part of the same site's files, with keys of its own."""
    told_by = top / HOME / CONTACTS
    if not told_by.exists():
        write_private(told_by, example().encode("utf-8"))
    contacts: Contacts = read(told_by)
    servers = top / HOME / "watch-authority"
    exists = (servers / "ca.crt").exists()
    own = CertificateAuthority.load(servers) if exists else CertificateAuthority.create(servers)
    prometheus, alertmanager, grafana = (_config(top, each) for each in ("prometheus", "alertmanager", "grafana"))
    made = prometheus_files(topology, limits, contacts)
    _write(prometheus, {name: text for name, text in made.items() if not name.startswith("alertmanager")})
    _write(alertmanager, {name: text for name, text in made.items() if name.startswith("alertmanager")})
    _write(prometheus, {"targets/targets.json": targets_text(topology), "hub/scrape.password": password})
    own.issue("prometheus", prometheus / "tls", usage=Usage.BROKER, hosts=("prometheus", *_HERE))
    own.issue("alertmanager", alertmanager / "tls", usage=Usage.SERVER, hosts=("alertmanager", *_HERE))
    own.issue("viewer", alertmanager / "tls")
    if not _lasts(top / HOME / "viewer" / "viewer.crt"):  # a person has it in a browser
        own.issue("viewer", top / HOME / "viewer")
    certificates = top / HOME / "certificates"
    for name in (f"{SCRAPER}.crt", f"{SCRAPER}.key", "ca.crt"):
        write_private(prometheus / "hub" / name, (certificates / name).read_bytes())
    _grafana(grafana, own)


def _grafana(config: Path, own: CertificateAuthority) -> None:
    source = Path(monitoring.grafana.__file__).parent
    inside = config / "eltax-hub"
    inside.mkdir(mode=0o700, exist_ok=True)
    for path in sorted((*source.glob("dashboards/*.json"), *source.glob("provisioning/*/*.yaml"))):
        part = path.relative_to(source)
        target = (config if part.parts[0] == "provisioning" else inside) / part
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(target, path.read_bytes())
    own.issue("grafana", inside)
    server = own.issue("grafana-server", inside / "made", usage=Usage.SERVER, hosts=("grafana", *_HERE))
    write_private(inside / "server.crt", server.certificate.read_bytes())
    write_private(inside / "server.key", server.private_key.read_bytes())
    shutil.rmtree(inside / "made")
    if not (inside / "admin.password").exists():
        write_private(inside / "admin.password", secrets.token_urlsafe(24).encode("ascii"))
