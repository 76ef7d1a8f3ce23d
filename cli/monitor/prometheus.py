"""`monitor prometheus`: the files that Prometheus and Alertmanager of this home read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, json_line, reports_errors

if TYPE_CHECKING:
    from cli.home import Home
    from monitoring.prometheus.scrape import Scraping

_RENEW_BEFORE = timedelta(days=60)


@reports_errors
def prometheus(
    into: Annotated[Path, typer.Option(help="directory for the files")],
    contacts: Annotated[Path | None, typer.Option(help="whom to tell; an example is written beside the files")] = None,
    listen: Annotated[str, typer.Option(help="where Prometheus will listen")] = "127.0.0.1:9090",
    alertmanager: Annotated[str, typer.Option(help="where Alertmanager will listen")] = "127.0.0.1:9093",
    runbooks: Annotated[str, typer.Option(help="URL before docs/runbooks/…, ending in a slash")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one object")] = False,
) -> None:
    """Write what Prometheus and Alertmanager read: scrapes, rules, routes, TLS. / 監視サーバの設定を書き出す

    Each gets `--config.file` and `--web.config.file`. Nothing is installed or started.
    """
    from cli.people import the_home
    from monitoring.prometheus.contacts import Contacts, example, read
    from monitoring.prometheus.limits import Limits
    from monitoring.prometheus.site import Site, site_files
    from topics.declaration import load

    home, directory = the_home(), into.resolve()
    told = Contacts() if contacts is None else read(contacts)
    site = Site(
        directory=directory,
        scraping=_scraping(home),
        limits=Limits.of(load(home.declared_in(None))),
        contacts=told,
        prometheus=listen,
        alertmanager=alertmanager,
        runbooks=runbooks,
    )
    _certify(directory, {"prometheus": listen, "alertmanager": alertmanager})
    texts = site_files(site)
    _write(directory, texts)
    (directory / "contacts.example.json").write_text(example(), encoding="utf-8")
    if as_json:
        json_line({"into": str(directory), "files": sorted(texts), "unheard": list(told.unheard)})
        return
    console.print(f"{len(texts)} files in {directory}", markup=False)
    console.print(
        f"prometheus --config.file={directory}/prometheus.yml --web.config.file={directory}/web.yml"
        f" --web.listen-address={listen} …\n"
        f"prometheus-alertmanager --config.file={directory}/alertmanager.yml"
        f" --web.config.file={directory}/alertmanager-web.yml --web.listen-address={alertmanager} …",
        markup=False,
        soft_wrap=True,
    )
    if told.unheard:
        console.print(
            f"[yellow]nobody hears[/] {', '.join(told.unheard)}:"
            " fill in contacts.example.json and give it as --contacts"
        )


def _scraping(home: Home) -> Scraping:
    """What is scraped of this home. Raises NoHub where none was ever started."""
    from cli.home import NoHub
    from hub.applying import last_applied
    from monitoring.prometheus.scrape import SCRAPER, Scraping, processes

    applied = last_applied(home.path)
    if applied is None:
        raise NoHub(f"({home.path})")
    where = home.certificates
    return Scraping(
        principals=processes(applied.topology),
        targets=home.targets,
        certificate=where / f"{SCRAPER}.crt",
        private_key=where / f"{SCRAPER}.key",
        ca=where / "ca.crt",
        broker_password=home.broker_password if home.broker_password.exists() else None,
    )


def _certify(directory: Path, servers: dict[str, str]) -> None:
    """Make the authority of both servers, and their certificates where there are none or they end soon."""
    from hub.crypto.certificates import CertificateAuthority, Usage, expires_at
    from monitoring.prometheus.site import PROMETHEUS, TLS, VIEWER

    tls = directory / TLS
    own = tls / "authority"
    authority = CertificateAuthority.load(own) if (own / "ca.crt").exists() else CertificateAuthority.create(own)
    for name, address in {**servers, VIEWER: ""}.items():
        certificate = tls / f"{name}.crt"
        if certificate.exists() and expires_at(certificate) - datetime.now(UTC) > _RENEW_BEFORE:
            continue
        host = address.rpartition(":")[0].strip("[]")
        usage = Usage.BROKER if name == PROMETHEUS else Usage.SERVER if address else Usage.CLIENT
        authority.issue(name, tls, usage=usage, hosts=sorted({"localhost", "127.0.0.1", host}) if address else ())


def _write(directory: Path, texts: dict[str, str]) -> None:
    from monitoring.prometheus.rules import PREFIX

    (directory / "rules").mkdir(parents=True, exist_ok=True)
    for old in (directory / "rules").glob(f"{PREFIX}*.yaml"):
        if f"rules/{old.name}" not in texts:
            old.unlink()
    for name, text in texts.items():
        new = directory / f"{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(directory / name)
