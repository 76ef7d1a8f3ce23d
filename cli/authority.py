"""`keys renew`, `keys authority begin|switch|finish`: certificates and their authority, replaced while the hub runs."""

from __future__ import annotations

import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from cli.output import console, fail, json_line, reports_errors

if TYPE_CHECKING:
    from cli.home import Home

app = typer.Typer(help="Replace the authority. / 認証局を入れ替える", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="one object")]
_TAKEN_UP_SECONDS: Final = 40.0
"""running processes look at their files every 10 seconds (cli/role_process.py)"""
_ANSWER_SECONDS: Final = 1.0


@reports_errors
def renew(
    days: Annotated[int, typer.Option("--days", min=1, max=397, help="renew what ends within so many days")] = 60,
    as_json: Json = False,
) -> None:
    """Renew certificates that end soon, under the same keys; processes take them up. / 証明書を更新する"""
    from hub.authorities import renew as make

    names: tuple[str, ...] = ()

    def do(home: Path, now: datetime) -> None:
        nonlocal names
        names = make(home, now=now, within=timedelta(days=days))

    _noted("keys renew", do)
    if as_json:
        json_line({"renewed": list(names)})
    else:
        console.print(f"{len(names)} renewed{': ' if names else ''}{', '.join(names)}")


@app.command("begin")
@reports_errors
def begin(as_json: Json = False) -> None:
    """Have everybody trust a new authority beside the present one. / 新しい認証局も信頼させる"""
    from hub.authorities import begin as make

    _noted("keys authority begin", lambda home, now: make(home, now=now))
    _say(as_json, "begun", "now restart the brokers, one by one, then `eltax-hub keys authority switch`")


@app.command("switch")
@reports_errors
def switch(as_json: Json = False) -> None:
    """Give everybody a certificate of the new authority, if all that runs trusts it. / 新しい証明書に切り替える"""
    from cli.people import the_home
    from hub.authorities import NEXT, WrongStep
    from hub.authorities import switch as make
    from hub.control_certificates import CANARY
    from hub.crypto.certificates import CertificateAuthority

    home = the_home()
    if not (home.path / NEXT / "ca.crt").exists():
        raise WrongStep
    with tempfile.TemporaryDirectory(prefix="eltax-hub-") as scratch:
        issued = CertificateAuthority.load(home.path / NEXT).issue(CANARY, Path(scratch))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(home.certificates / "ca.crt")
        context.load_cert_chain(issued.certificate, issued.private_key)
        _insist(home, context, "does not trust the new authority yet", as_json)
    _noted("keys authority switch", lambda path, now: _drop(make(path, now=now)))
    _say(as_json, "switched", "now restart the brokers, one by one, then `eltax-hub keys authority finish`")


@app.command("finish")
@reports_errors
def finish(as_json: Json = False) -> None:
    """Have nobody trust the old authority, if all that runs has a new certificate. / 古い認証局を外す"""
    from cli.people import the_home
    from hub.authorities import PRESENT, Step, WrongStep, step_of
    from hub.authorities import finish as make
    from hub.crypto.certificates import first_certificate

    home = the_home()
    if step_of(home.path) is not Step.SWITCHED:
        raise WrongStep
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=first_certificate(home.path / PRESENT / "ca.crt").decode())
    context.load_cert_chain(home.certificates / "admin.crt", home.certificates / "admin.key")
    _insist(home, context, "still shows a certificate of the old authority", as_json)
    _noted("keys authority finish", lambda path, _: make(path))
    _say(as_json, "finished", "what runs forgets the old authority when it is started again: do that one by one")


def _drop(_: object) -> None:
    """The names that were certified are in `keys list`."""


def _noted(command: str, do: Callable[[Path, datetime], None]) -> None:
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind

    home = the_home()
    with noted(open_role(home, ADMIN), command) as notes, notes.attempt(Kind.COMMANDED):
        do(home.path, datetime.now(UTC))


def _insist(home: Home, context: ssl.SSLContext, what: str, as_json: bool) -> None:
    """End with an error if a broker or a process that runs here does not shake hands in a while."""
    deadline = time.monotonic() + _TAKEN_UP_SECONDS
    left = dict(_running(home))
    while left:
        left = {name: each for name, each in left.items() if not _shakes_hands(context, *each)}
        if left and time.monotonic() > deadline:
            hint = "Restart the brokers, wait half a minute for the processes, and do it again. Nothing was changed."
            fail("authority.not-yet", f"{what}: {', '.join(sorted(left))}", hint, as_json=as_json)
        time.sleep(1.0 if left else 0)


def _running(home: Home) -> Iterator[tuple[str, tuple[str, int, str]]]:
    """Name, address and the name in the certificate of each broker and process that runs here."""
    from cli.home import NoHub
    from topics.names import endpoint_host

    try:
        running = home.running()
    except NoHub:
        return
    for address in running.bootstrap.split(","):
        host, _, port = address.rpartition(":")
        yield f"broker {address}", (host, int(port), host)
    for name, url in running.metrics.items():
        parts = urlsplit(url)
        yield name, (parts.hostname or "", parts.port or 0, endpoint_host(name))


def _shakes_hands(context: ssl.SSLContext, host: str, port: int, name: str) -> bool:
    """Whether both sides accept each other: in TLS 1.3 a server's refusal comes after our part is done."""
    try:
        with (
            socket.create_connection((host, port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            secure.settimeout(_ANSWER_SECONDS)
            return bool(secure.recv(1))
    except TimeoutError:
        return True  # it waits for a request
    except OSError:
        return False


def _say(as_json: bool, step: str, then: str) -> None:
    if as_json:
        json_line({"step": step})
    else:
        console.print(f"{step}: {then}")
