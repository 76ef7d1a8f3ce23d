"""Three brokers: what two have is acknowledged while one is gone; with two gone nothing is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.cluster import LocalCluster
from broker.errors import NotSettled
from hub.crypto.certificates import CertificateAuthority
from hub.transport import (
    BatchWriter,
    BrokerUnavailable,
    Endpoint,
    Outgoing,
    PartitionReader,
    TlsIdentity,
    TransportError,
)
from hub.transport.admin import Admin
from topics.brokers import in_the_way, missing
from topics.declaration import load
from topics.expanding import expand
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


@pytest.fixture
def endpoint(cluster: LocalCluster, tmp_path: Path) -> Endpoint:
    admin = CertificateAuthority.load(tmp_path / "authority").issue("admin", tmp_path / "certificates")
    return Endpoint(cluster.bootstrap, TlsIdentity(admin.certificate, admin.private_key, admin.ca), "test")


async def create(endpoint: Endpoint) -> None:
    async with Admin(endpoint) as client:
        await client.execute(Plan((CreateTopic(TOPIC, 1, 3, {"min.insync.replicas": "2"}),), ()))


async def write(writer: BatchWriter, value: bytes) -> None:
    """Until it is acknowledged; a request to a frozen broker is given up after a while, and made again."""
    for _ in range(5):
        with contextlib.suppress(BrokerUnavailable):
            await writer.write(TOPIC, 0, [Outgoing(b"", value)])
            return
    raise AssertionError("it was never acknowledged")


async def read(endpoint: Endpoint) -> list[bytes | None]:
    async with PartitionReader(endpoint, {(TOPIC, 0): None}) as reader:
        return [record.value for record in await reader.read_to_end()]


async def test_records_survive_one_broker_and_none_is_acknowledged_without_two(
    cluster: LocalCluster, endpoint: Endpoint
) -> None:
    await create(endpoint)
    async with BatchWriter(endpoint) as writer:
        await writer.write(TOPIC, 0, [Outgoing(b"", b"1")])
        first = cluster.controller()
        async with Admin(endpoint) as client:
            seen = await client.cluster()
            assert missing(seen) == ()
            assert (seen.registered, seen.controller) == ({1, 2, 3}, first.node_id)
            assert [each.node for each in seen.voters] == [1, 2, 3]
            assert seen.level == seen.possible > 0
            with pytest.raises(TransportError):
                await client.raise_level(seen.level - 1)
            with pytest.raises(TransportError):
                await client.raise_level(seen.level + 1)
        first.kill()
        await writer.write(TOPIC, 0, [Outgoing(b"", b"2")])
        second = cluster.controller()
        assert second is not first, "the others found a new one"
        async with Admin(endpoint) as client:
            assert (await client.current(expand(load(), "rehearsal"))).brokers == 3, "who is away belongs to it"
            seen = await client.cluster()
            assert (seen.registered - seen.live, seen.controller) == ({first.node_id}, second.node_id)
            assert in_the_way(missing(seen), seen, second.node_id), "one is away: no other is stopped"
            assert not in_the_way(missing(seen), seen, first.node_id)
        second.kill()
        unheard = asyncio.create_task(writer.write(TOPIC, 0, [Outgoing(b"", b"3")]))
        done, _ = await asyncio.wait([unheard], timeout=5)
        assert not done or unheard.exception() is not None, "one copy is not enough"
        with pytest.raises(NotSettled):
            cluster.controller(seconds=0)
        first.start()
        await asyncio.wait([unheard])
    found = await read(endpoint)
    assert found[:2] == [b"1", b"2"], "acknowledged is kept"
    assert set(found[2:]) <= {b"3"}, "what was not acknowledged may be there"
    assert found[2:] or unheard.exception() is not None, "and must be, once it was"


@pytest.mark.soak(target="soak")
async def test_a_frozen_controller_is_replaced_and_a_power_cut_of_all_keeps_what_was_acknowledged(
    cluster: LocalCluster, endpoint: Endpoint
) -> None:
    await create(endpoint)
    addresses = cluster.bootstrap
    async with BatchWriter(endpoint) as writer:
        for number in range(3):
            frozen = cluster.controller()
            frozen.freeze()
            assert cluster.controller() is not frozen
            await write(writer, b"%d" % number)
            frozen.thaw()
            cluster.settle()
        await write(writer, b"last")
    cluster.kill()
    cluster.start()
    cluster.settle()
    assert cluster.bootstrap == addresses
    found = await read(endpoint)
    assert set(found) == {b"0", b"1", b"2", b"last"}
    cluster.stop()
    cluster.start()
    assert await read(endpoint) == found
