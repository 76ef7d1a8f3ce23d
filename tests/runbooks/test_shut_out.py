"""docs/runbooks/shut-out.md: a desk's certificate is in other hands, its connections open; then the desk comes back."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from cli.stack import Stack
from hub.transport import (
    BatchWriter,
    BrokerUnavailable,
    Endpoint,
    NotAuthorized,
    Outgoing,
    PartitionReader,
    TlsIdentity,
)
from tests.broker.documents import document
from tests.broker.hub import Hub, eventually, running
from tests.runbooks.steps import execute, headings
from topics import names

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
TENANT, DESK = "131041", "helpdesk-131041"
BEFORE, WHILE, AFTER = "R7-13104-000000841", "R7-13104-000000842", "R7-13104-000000843"
A_MINUTE = 60


def _stolen(hub: Hub, copy: Path) -> Endpoint:
    """A copy of the desk's certificate and its key, on another machine."""
    copy.mkdir()
    for name in ("tls.crt", "tls.key", "ca.crt"):
        shutil.copy(hub.home.role(DESK) / name, copy / name)
    identity = TlsIdentity(copy / "tls.crt", copy / "tls.key", copy / "ca.crt")
    return Endpoint(hub.stack.bootstrap, identity, "thief")


async def _is_out_within_a_minute(hub: Hub, thief: Endpoint) -> None:
    """The thief reads and writes all the while, on connections of before; then everything is refused, anew too."""
    namespace = hub.stack.topology.namespace
    topic, operations = names.helpdesk(namespace, TENANT), names.operations(namespace)
    read = written = 0
    async with PartitionReader(thief, {(topic, 0): None, (topic, 1): None}) as reader, BatchWriter(thief) as writer:

        async def reading() -> None:
            nonlocal read
            while True:
                read += len(await reader.poll(2**20, 500))

        async def writing() -> None:
            nonlocal written
            while True:
                await writer.write(operations, 1, [Outgoing(b"thief", b"thief")])
                written += 1
                await asyncio.sleep(0.05)

        tasks = [asyncio.create_task(reading()), asyncio.create_task(writing())]
        while not (read and written):
            await asyncio.sleep(0.1)
            assert not any(task.done() for task in tasks)
        (done,) = await asyncio.to_thread(execute, "shut-out", "Shut out", hub.home.path, PRINCIPAL=DESK)
        assert f"shut out {DESK} since" in done.out
        async with asyncio.timeout(A_MINUTE):
            for task in tasks:
                with pytest.raises(NotAuthorized):
                    await task
    with pytest.raises(NotAuthorized):
        async with PartitionReader(thief, {(topic, 0): None}):
            pass


def _looked_up(hub: Hub, receipt: str) -> bool:
    return hub.run("helpdesk", "lookup", receipt, "--json").returncode == 0


def test_a_compromised_client_is_out_within_a_minute_and_comes_back_under_a_new_authority(tmp_path: Path) -> None:
    assert headings("shut-out") == [
        "Shut out",
        "What it may have done",
        "Let in again",
        "A new authority",
        "Let in under the new authority",
    ]
    with running(tmp_path, partitions=2) as hub:
        hub.submit(document(BEFORE))
        hub.stored(BEFORE)
        eventually(lambda: _looked_up(hub, BEFORE), pause=1)
        thief = _stolen(hub, tmp_path / "elsewhere")
        asyncio.run(_is_out_within_a_minute(hub, thief))
        hub.stack.follow()
        assert DESK not in hub.stack.roles.running
        hub.submit(document(WHILE))
        hub.stored(WHILE)  # nobody else stops
        (said,) = execute("shut-out", "What it may have done", hub.home.path, good=False)
        assert "verified" in said.out and "131041" in said.out
        execute("shut-out", "Let in again", hub.home.path, PRINCIPAL=DESK)
        hub.stack.follow()
        eventually(lambda: _looked_up(hub, WHILE), pause=1)
        execute("shut-out", "Shut out", hub.home.path, PRINCIPAL=DESK)  # it was out after all
        hub.stack.follow()
    execute("shut-out", "A new authority", hub.home.path)
    with Stack(hub.home, namespace="rehearsal", partitions=2, broker_metrics=False) as stack:
        hub = Hub(stack)
        assert DESK not in stack.roles.running
        execute("shut-out", "Let in under the new authority", hub.home.path, PRINCIPAL=DESK)
        stack.follow()
        hub.submit(document(AFTER))
        hub.stored(AFTER)
        eventually(lambda: _looked_up(hub, AFTER), pause=1)
        assert hub.json("topics", "plan") == []
        with pytest.raises(BrokerUnavailable):
            asyncio.run(_connects(Endpoint(stack.bootstrap, thief.tls, "thief"), hub.stack.topology.namespace))
        lines = (hub.home.path / "shut-out.jsonl").read_text().splitlines()
        assert [json.loads(line)["done"] for line in lines] == ["shut-out", "let-in", "shut-out", "let-in"]


async def _connects(thief: Endpoint, namespace: str) -> None:
    async with PartitionReader(thief, {(names.helpdesk(namespace, TENANT), 0): None}):
        pass
