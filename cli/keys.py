"""`keys init|list|rotate|new-authority`: role directories, certificates and keys of a home."""

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
    from topics.expanding import expand

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


@app.command("rotate")
@reports_errors
def rotate(
    months: Annotated[int, typer.Option("--months", min=1, max=24, help="this one and the following")] = 3,
    as_json: Json = False,
) -> None:
    """Make and publish the coming months' audience keys that are missing; nothing stops. / 鍵世代を用意する"""
    import asyncio

    from cli.home import NoHub
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.applying import admin_endpoint, newest, publish
    from hub.enrolment import Enrolled, published_keys
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind
    from hub.rotation import NobodyEnrolled, due
    from hub.rotation import rotate as make
    from topics.names import control

    home, now = the_home(), datetime.now(UTC)
    if not (home.path / "trust.bin").exists():
        raise NobodyEnrolled(f"({home.path})")
    role = open_role(home, ADMIN)
    topology = role.topology
    with noted(role, "keys rotate") as notes:
        with notes.attempt(Kind.COMMANDED, count=len(due(home.path, topology, now, months))):
            done = make(home.path, topology, now=now, used=notes.key_used, months=months)
        try:
            bootstrap = home.running().bootstrap
        except NoHub:
            published = False
        else:

            async def send() -> None:
                endpoint = admin_endpoint(home.path, bootstrap)
                enrolled = Enrolled(published_keys(home.path), (home.path / "trust.bin").read_bytes())
                there = await newest(endpoint, control(topology.namespace))
                await publish(endpoint, topology.namespace, enrolled, there, declaration=None)

            asyncio.run(send())
            published = True
    for each in (*done.made, *done.waiting):
        state = "shut-out" if each in done.waiting else "made"
        if as_json:
            said = {"principal": each.principal, "audience": each.audience, "epoch": each.epoch}
            json_line({**said, "state": state, "published": published and state == "made"})
        elif each in done.waiting:
            console.print(f"{each.principal} is shut out: no key for {each.epoch}; let it in before that month ends")
    if not as_json:
        where = "published" if published else "published when the hub starts"
        console.print(f"{len(done.made)} audience keys made, {where}")


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
