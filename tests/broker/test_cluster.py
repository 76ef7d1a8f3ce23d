"""Three brokers: what two have is acknowledged while one is gone; with two gone nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.cluster import LocalCluster
from broker.errors import NotSettled
from hub.crypto.certificates import CertificateAuthority
from hub.transport import BatchWriter, Endpoint, Outgoing, PartitionReader, TlsIdentity
from hub.transport.admin import Admin
from topics.declaration import load
from topics.layout import expand
from topics.plan import CreateTopic, Plan

pytestmark = pytest.mark.broker

TOPIC = "kept-by-three"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    made = LocalCluster(tmp_path / "brokers", CertificateAuthority.create(tmp_path / "authority"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


async def test_records_survive_one_broker_and_none_is_acknowledged_without_two(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    authority = CertificateAuthority.load(tmp_path / "authority")
    admin = authority.issue("admin", tmp_path / "certificates")
    endpoint = Endpoint(cluster.bootstrap, TlsIdentity(admin.certificate, admin.private_key, admin.ca), "test")
    async with Admin(endpoint) as client:
        await client.execute(Plan((CreateTopic(TOPIC, 1, 3, {"min.insync.replicas": "2"}),), ()))
    async with BatchWriter(endpoint) as writer:
        await writer.write(TOPIC, 0, [Outgoing(b"", b"1")])
        first = cluster.controller()
        first.kill()
        await writer.write(TOPIC, 0, [Outgoing(b"", b"2")])
        second = cluster.controller()
        assert second is not first, "the others found a new one"
        async with Admin(endpoint) as client:
            assert (await client.current(expand(load(), "rehearsal"))).brokers == 3, "who is away belongs to it"
        second.kill()
        unheard = asyncio.create_task(writer.write(TOPIC, 0, [Outgoing(b"", b"3")]))
        done, _ = await asyncio.wait([unheard], timeout=5)
        assert not done or unheard.exception() is not None, "one copy is not enough"
        with pytest.raises(NotSettled):
            cluster.controller(seconds=0)
        first.start()
        await asyncio.wait([unheard])
    async with PartitionReader(endpoint, {(TOPIC, 0): None}) as reader:
        found = [record.value for record in await reader.read_to_end()]
    assert found[:2] == [b"1", b"2"], "acknowledged is kept"
    assert set(found[2:]) <= {b"3"}, "what was not acknowledged may be there"
    assert found[2:] or unheard.exception() is not None, "and must be, once it was"
