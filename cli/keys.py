"""`keys init|list`: role directories, certificates and keys of a home."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.output import console, json_line, reports_errors, table

app = typer.Typer(help="Keys and certificates. / 鍵と証明書", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="one object per key")]


@app.command("init")
@reports_errors
def init(as_json: Json = False) -> None:
    """Make authority, role directories, trust file and audience keys in HUB_HOME. / 鍵一式を作る"""
    from cli.people import the_home
    from hub.crypto.certificates import CertificateAuthority
    from hub.enrolment import enrol
    from hub.settings import HomeSettings
    from topics.declaration import load
    from topics.layout import expand

    settings, home = HomeSettings(), the_home()
    home.prepare()
    directory = home.path / "authority"
    made = CertificateAuthority.load if (directory / "ca.crt").exists() else CertificateAuthority.create
    topology = expand(load(home.declared_in(settings.topics_file)), settings.namespace, partitions=settings.partitions)
    enrolled = enrol(home.path, topology, made(directory), now=datetime.now(UTC))
    if as_json:
        json_line({"home": str(home.path), "roles": len(topology.roles), "keys": len(enrolled.audience_keys)})
    else:
        console.print(f"{len(topology.roles)} roles, {len(enrolled.audience_keys)} audience keys in {home.path}")


@app.command("new-authority")
@reports_errors
def new_authority(as_json: Annotated[bool, typer.Option("--json", help="one object")] = False) -> None:
    """Make all certificates worthless and issue new ones; the hub must be stopped. / 認証局を作り直す"""
    from cli.home import NoHub
    from cli.noting import noted
    from cli.people import open_role, the_home
    from cli.stack import AlreadyUp
    from hub.enrolment import new_authority as make
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind

    home = the_home()
    try:
        home.running()
    except NoHub:
        pass
    else:
        raise AlreadyUp(str(home.path))
    if not (home.path / "authority" / "ca.crt").exists():
        raise NoHub(f"({home.path}: nobody is enrolled)")
    role = open_role(home, ADMIN)
    with noted(role, "keys new-authority") as notes, notes.attempt(Kind.COMMANDED):
        _, names = make(home.path, now=datetime.now(UTC))
    if as_json:
        json_line({"home": str(home.path), "certificates": list(names)})
    else:
        console.print(f"{len(names)} new certificates in {home.path}; the old ones count no more")


@app.command("list")
@reports_errors
def list_(as_json: Json = False) -> None:
    """List key files and certificates with their life; opens no key. / 鍵と証明書の一覧"""
    from cli.people import the_home
    from hub.crypto.certificates import expires_at
    from hub.crypto.keystore import FileKeyStore

    home = the_home()
    rows: list[tuple[str, str, str, str]] = []
    for principal in home.roles(""):
        directory = home.role(principal)
        rows.append((principal, "certificate", "", expires_at(directory / "tls.crt").isoformat()))
        for entry in FileKeyStore(directory / "keys", b"not needed to list").list():
            kind = "identity" if entry.audience is None else "audience"
            rows.append((principal, kind, entry.key_id.hex(), "" if entry.epoch is None else str(entry.epoch)))
    bare = {path.stem for path in home.certificates.glob("*.crt")} - {"ca", *home.roles("")}
    rows += [
        (name, "certificate", "", expires_at(home.certificates / f"{name}.crt").isoformat()) for name in sorted(bare)
    ]
    if as_json:
        for principal, kind, key_id, life in rows:
            json_line({"principal": principal, "kind": kind, "key_id": key_id or None, "life": life or None})
    else:
        table("keys", ("principal", "kind", "key id", "epoch or end"), rows)
