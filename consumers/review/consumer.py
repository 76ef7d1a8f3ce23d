"""The review desk as a process: `ReviewConsumer(...).run(stop)`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from consumers.assembly import Surroundings
from consumers.desk import DeskJudge
from consumers.review.cases import Dossiers
from consumers.review.deadlines import SERVICE_DAYS, due_on
from consumers.review.desk import ReviewDesk
from consumers.review.export.watch import ExportWatch
from consumers.review.outbox import DecisionOutbox, Lane, utc
from hub.envelope.names import Kind
from hub.loop import TaskGroup
from hub.producing.delivery import Writer
from hub.producing.journal import Journal
from hub.producing.key_directory import KeyDirectory
from hub.producing.producer import Place, SessionProducer
from hub.producing.sealing import Signer
from hub.transport import BatchWriter, PartitionReader
from topics import names

_CLOSE_SECONDS = 10.0


class ReviewConsumer:
    """Reads `<ns>.<T>.review`, keeps submissions, signs receipts and tells decisions to `<ns>.<T>.status`,
    hands accepted submissions over on `<ns>.<T>.accepted`.
    """

    def __init__(self, surroundings: Surroundings, *, service_days: int = SERVICE_DAYS) -> None:
        """Nothing is opened before `run`. `service_days` are calendar days from acceptance to decision."""
        self._around = surroundings
        self._service_days = service_days

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; raises what cannot heal."""
        async with TaskGroup() as tasks:
            tasks.create_task(self._receive(stop), name="receive")
            tasks.create_task(self._tell(stop), name="tell")
            tasks.create_task(self._watch_exports(stop), name="exports")

    async def _receive(self, stop: asyncio.Event) -> None:
        around = self._around
        role, tenant = around.role, around.tenant
        expected = around.routed("review", role.principal)
        keys = around.keys()
        sessions_at_hand = around.sessions()
        desk = ReviewDesk(
            role.principal,
            tenant,
            role.identity,
            names.status(role.namespace, tenant, role.topology.generation),
            partial(due_on, service_days=self._service_days),
        )
        judge = DeskJudge(
            role.principal,
            desk,
            around.intake(sessions_at_hand, role.principal, expected),
            around.vault(keys),
            around.letters(),
            sessions_at_hand.prepare,
        )
        await around.run(judge, list(expected), stop, keys)

    async def _watch_exports(self, stop: asyncio.Event) -> None:
        around = self._around
        watch = ExportWatch(around.role.principal, around.store, around.observer, around.clocks.now_ms)
        await watch.run(around.patience("exports"), stop)

    async def _tell(self, stop: asyncio.Event) -> None:
        around = self._around
        role, tenant = around.role, around.tenant
        async with AsyncExitStack() as stack:
            status = await self._lane(stack, stop, Kind.STATUS, ["portal", f"helpdesk-{tenant}"])
            teams = sorted(
                each.audience
                for each in role.topology.principals
                if each.audience and each.tenant == tenant and each.name.startswith("tax-")
            )
            accepted = await self._lane(stack, stop, Kind.ACCEPTED, teams)
            if status is None or accepted is None:
                return
            outbox = DecisionOutbox(
                role.principal,
                tenant,
                around.store,
                Dossiers(around.store, around.vault(around.keys())),
                around.observer,
                status=status,
                accepted=accepted,
                now_ms=around.clocks.now_ms,
                generation=role.topology.generation,
            )
            await outbox.run(stop)

    async def _lane(self, stack: AsyncExitStack, stop: asyncio.Event, kind: Kind, audiences: list[str]) -> Lane | None:
        """Open the producer of one topic with its journal; None if `stop` was set while no broker answered."""
        around = self._around
        role, dataset, topology = around.role, kind.value, around.role.topology
        place = Place(
            names.of_tenant(role.namespace, around.tenant, dataset, topology.generation),
            names.desk_sessions(role.namespace, around.tenant, topology.generation),
            topology.partitions,
        )
        journal = Journal.open(
            role.state_directory / f"{dataset}.db",
            owner=f"{role.principal}/{role.instance}/{role.namespace}/{dataset}",
        )
        stack.callback(journal.close)

        async def new_writer() -> Writer:
            writer = BatchWriter(role.endpoint)
            await writer.start()
            return writer

        async def opened() -> SessionProducer:
            reader = PartitionReader(role.endpoint, {(names.audiences(role.namespace), 0): None})
            await reader.start()
            stack.push_async_callback(reader.close)
            return await stack.enter_async_context(
                SessionProducer(
                    place,
                    signer=Signer(role.principal, role.instance, role.identity),
                    journal=journal,
                    new_writer=new_writer,
                    keys=KeyDirectory(reader, lambda: role.trust, journal.highest_epoch, around.observer),
                    audiences=lambda _: audiences,
                    observer=around.observer,
                    wall=utc(around.clocks.now_ms),
                    close_seconds=_CLOSE_SECONDS,
                    holds_back=role.holds_back,
                )
            )

        producer = await around.patience("outbox").until_done("outbox", opened, stop)
        return None if producer is None else Lane(dataset, producer, journal)
