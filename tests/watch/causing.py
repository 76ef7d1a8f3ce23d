"""How the tests of the alerts make things go wrong on a running hub: with real processes, certificates and records."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from cli.people import open_role
from hub.crypto.certificates import CertificateAuthority, Usage
from hub.enrolment import ENDPOINT
from hub.role import Role
from hub.transport import BatchWriter, NotAuthorized, Outgoing
from hub.transport.admin import Admin
from tests.watch.paged import Paged
from topics import names
from topics.layout import Acl, Operation, Resource
from topics.plan import AllowAcl, Plan, RemoveAcl

_API_VERSIONS = bytes.fromhex("0000000a 0012 0000 00000001 ffff")
"""length, request 18 in version 0, number 1, no client id (kafka.apache.org/protocol)"""


def topic(site: Paged, key: str) -> str:
    """The first topic of a kind."""
    return next(each.name for each in site.hub.stack.topology.topics if each.key == key)


def grant(site: Paged, *principals: str, allowed: bool) -> None:
    """Principals may read the first audit topic, which nobody declared; or no more."""
    rights = [Acl(each, Resource.TOPIC, topic(site, "audit"), Operation.READ) for each in principals]
    steps = tuple(AllowAcl(each) if allowed else RemoveAcl(each) for each in rights)

    async def change() -> None:
        async with Admin(site.hub.stack.admin()) as admin:
            await admin.execute(Plan(steps, ()))

    asyncio.run(change())


def write(site: Paged, *records: tuple[str, bytes], key: bytes = b"k") -> int:
    """Write records, each (topic, value), as the portal; return how many the brokers denied it."""

    async def written(role: Role) -> int:
        denied = 0
        async with BatchWriter(role.endpoint) as writer:
            for where, value in records:
                try:
                    await writer.write(where, 0, [Outgoing(key, value)])
                except NotAuthorized:
                    denied += 1
        return denied

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_HOME", str(site.hub.home.path))
        return asyncio.run(written(open_role(site.hub.home, "portal")))


def knock(url: str) -> None:
    """Ask a process for its metrics without a certificate."""
    host, _, port = url.removeprefix("https://").partition("/")[0].partition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answer = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host, int(port)), 5) as plain,
        context.wrap_socket(plain) as secure,
    ):
        secure.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = secure.recv(1)
    assert not answer


def come_as(site: Paged, name: str, directory: Path) -> None:
    """Come to the broker with a good certificate in somebody's name, and ask which requests it knows."""
    made = CertificateAuthority.load(site.hub.home.path / "authority").issue(name, directory)
    host, _, port = site.hub.stack.bootstrap.partition(":")
    context = ssl.create_default_context(cafile=str(made.ca))
    context.load_cert_chain(made.certificate, made.private_key)
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(_API_VERSIONS)
        assert secure.recv(4)


def certify(site: Paged, name: str, **until: datetime) -> None:
    """Give a role's endpoint another certificate, with `not_after` a short one."""
    authority = CertificateAuthority.load(site.hub.home.path / "authority")
    directory = site.hub.home.role(name) / ENDPOINT
    authority.issue(name, directory, usage=Usage.SERVER, hosts=(names.endpoint_host(name),), **until)


def reload_with(site: Paged, more: str) -> None:
    """Let Prometheus take its configuration with something added; QueryRefused if it does not."""
    file = site.directory / "prometheus.yml"
    good = file.with_suffix(".good")
    if not good.exists():
        good.write_text(file.read_text())
    file.write_text(good.read_text() + more)
    site.prometheus.reload()


def stop(site: Paged, name: str) -> None:
    """Suspend a role, as a machine that freezes."""
    os.kill(site.hub.stack.roles.running[name].process.pid, signal.SIGSTOP)


def go_on(site: Paged, name: str) -> None:
    """Let it go on."""
    os.kill(site.hub.stack.roles.running[name].process.pid, signal.SIGCONT)


@contextmanager
def stopped(site: Paged, *names: str) -> Iterator[None]:
    """Roles that are suspended for a while."""
    for name in names:
        stop(site, name)
    try:
        yield
    finally:
        for name in names:
            go_on(site, name)
