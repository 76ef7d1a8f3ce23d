"""A topology of its own on the shared node, made once for a file of tests."""

from __future__ import annotations

import asyncio
import json

from hub.transport import Endpoint, TlsIdentity
from hub.transport.admin import Admin
from tests.attacks.wire import Wire
from tests.kafka import TestKafka, fresh_namespace
from topics import declaration
from topics.expanding import expand
from topics.layout import Topology
from topics.plan import plan

PARTITIONS = 2


def endpoint(kafka: TestKafka, principal: str) -> Endpoint:
    issued = kafka.identity(principal)
    return Endpoint(kafka.bootstrap, TlsIdentity(issued.certificate, issued.private_key, issued.ca), principal)


async def lay_out(kafka: TestKafka, namespace: str) -> Topology:
    """Topics and rights as declared, and the broker answering for them."""
    wanted = expand(declaration.load(), namespace, partitions=PARTITIONS)
    async with Admin(endpoint(kafka, "admin")) as admin:
        await admin.execute(plan(await admin.current(wanted), wanted))
        assert (await admin.settle(wanted)).empty
    return wanted


def laid_out(kafka: TestKafka) -> Topology:
    """`lay_out` in a fresh namespace, for fixtures of a whole file."""
    return asyncio.run(lay_out(kafka, fresh_namespace()))


def ports(kafka: TestKafka) -> dict[str, int]:
    """The ports of the node's two listeners, `client_port` and `controller_port`."""
    said = json.loads((kafka.node.directory / "node.json").read_text())
    return {name: int(said[name]) for name in ("client_port", "controller_port")}


def wired(kafka: TestKafka, principal: str, *, listener: str = "client_port", seconds: float = 60) -> Wire:
    """A connection with a principal's certificate."""
    return Wire(ports(kafka)[listener], kafka.identity(principal), seconds=seconds)
