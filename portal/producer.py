"""The portal end as one object: role directory in, submissions in, answers out.

It composes the journal, the sealed producer and the reader of receipts for the role `portal`; the rules are
in `portal.submitting`, the guarantees in `hub.producing`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from hub.crypto.identity import IdentityKey
from hub.envelope.names import ROUTER
from hub.envelope.records import ReportEntry
from hub.envelope.trust import Trust
from hub.facts import Observer, Ready, ignore
from hub.loop import TaskGroup
from hub.producing.delivery import Delivery, Writer
from hub.producing.journal import Journal
from hub.producing.key_directory import KeyDirectory
from hub.producing.producer import Place, SessionProducer, now_utc
from hub.producing.receipts import OVERDUE_SECONDS, ReceiptReader, StatusReader
from hub.producing.sealing import Signer
from hub.settings import is_rehearsal
from hub.transport import BatchWriter, Endpoint, PartitionReader, TlsIdentity
from portal.index import load_or_make_key
from portal.report import report_entries
from portal.results import Result
from portal.submitting import Journaled, Submitter
from schemas.submission import Refused
from topics import names
from topics.layout import Topology

JOURNAL: Final = "journal.db"
JOURNAL_KEY: Final = "journal.key"


class PortalRole(Protocol):
    """What is needed of a `hub.role.Role`: names, keys and addresses of the principal `portal`."""

    @property
    def principal(self) -> str:
        """Name of the principal."""

    @property
    def instance(self) -> str:
        """Name of this machine or process of the principal; one journal each."""

    @property
    def namespace(self) -> str:
        """`eltax` or `rehearsal…`."""

    @property
    def bootstrap(self) -> str:
        """`host:port[,host:port…]` of the brokers."""

    @property
    def tls(self) -> TlsIdentity:
        """Certificate, key and authority."""

    @property
    def identity(self) -> IdentityKey:
        """The key that signs."""

    @property
    def trust(self) -> Trust:
        """The verified trust file."""

    @property
    def topology(self) -> Topology:
        """Topics, tenants and routes of the namespace."""

    @property
    def state_directory(self) -> Path:
        """Where the journal lives."""

    def holds_back(self) -> bool:
        """Whether nothing is begun now, for the topics are growing."""

    async def catch_up(self) -> None:
        """Learn what the administrator has published by now. Raises a retriable HubError."""


def journal_owner(role: PortalRole) -> str:
    """Return whom a journal belongs to: principal, instance and namespace."""
    return f"{role.principal}/{role.instance}/{role.namespace}"


class PortalProducer:
    """`async with PortalProducer(role) as portal: result = await portal.submit(document)`.

    Entering finishes what a crash left open; leaving waits for what is under way and closes the sessions.
    A second process on the same role directory is refused with `JournalBusy`.
    """

    def __init__(
        self,
        role: PortalRole,
        observer: Observer = ignore,
        *,
        wall: Callable[[], datetime] = now_utc,
        max_journal_bytes: int | None = None,
        close_seconds: float = 30.0,
        overdue_seconds: float = OVERDUE_SECONDS,
    ) -> None:
        """Nothing is opened before entering. `wall` gives aware UTC times.

        An event without its receipt after `overdue_seconds` is an alarm.
        """
        self._role = role
        self._observer = observer
        self._wall = wall
        self._max_journal_bytes = max_journal_bytes
        self._close_seconds = close_seconds
        self._overdue_seconds = overdue_seconds
        self._stack = AsyncExitStack()
        self._submitter: Submitter | None = None

    async def __aenter__(self) -> Self:
        """Open journal and connections, recover, start.

        Raises `JournalBusy`, `JournalForeign`, `JournalUnavailable`; `BrokerUnavailable` if no broker answers now.
        """
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        self._observer(Ready("journal", True))
        return self

    async def _open(self, stack: AsyncExitStack) -> None:
        role, namespace = self._role, self._role.namespace
        state = Path(role.state_directory)
        journal = Journal.open(state / JOURNAL, owner=journal_owner(role), max_bytes=self._max_journal_bytes)
        stack.callback(journal.close)
        key = load_or_make_key(state / JOURNAL_KEY)
        endpoint = Endpoint(role.bootstrap, role.tls, f"{role.principal}-{role.instance}")
        audiences = await stack.enter_async_context(PartitionReader(endpoint, {(names.audiences(namespace), 0): None}))
        directory = KeyDirectory(audiences, lambda: role.trust, journal.highest_epoch, self._observer)
        generation, partitions = role.topology.generation, role.topology.partitions  # another one is another process's

        laid_out: Topology | None = None
        by_topic: dict[str, str] = {}

        def tenants() -> dict[str, str]:
            """Asked at each poll; the answer changes with the topology."""
            nonlocal laid_out, by_topic
            if role.topology is not laid_out:
                laid_out = role.topology
                by_topic = {
                    topic: tenant.code
                    for tenant in laid_out.tenants
                    for topic in laid_out.every(partial(names.status, namespace, tenant.code))
                }
            return by_topic

        async def new_status_reader(whole: bool) -> StatusReader:
            reader = PartitionReader(endpoint, _starts(journal, list(tenants()), role.topology.partitions_of, whole))
            await reader.start()
            return reader

        async def new_writer() -> Writer:
            writer = BatchWriter(endpoint)
            await writer.start()
            return writer

        producer = await stack.enter_async_context(
            SessionProducer(
                Place(names.submissions(namespace, generation), names.sessions(namespace, generation), partitions),
                signer=Signer(role.principal, role.instance, role.identity),
                journal=journal,
                new_writer=new_writer,
                keys=directory,
                audiences=self._audiences,
                observer=self._observer,
                wall=self._wall,
                close_seconds=self._close_seconds,
                holds_back=role.holds_back,
            )
        )
        letters = Delivery(new_writer, self._observer)
        stack.push_async_callback(letters.close)
        receipts = ReceiptReader(
            new_status_reader,
            tenants=tenants,
            trust=lambda: role.trust,
            journal=journal,
            delivery=letters,
            keys=directory,
            principal=role.principal,
            dead_letters=names.dead_letters(namespace, role.principal, generation),
            confirmed=producer.confirmed,
            observer=self._observer,
            wall=self._wall,
            overdue_seconds=self._overdue_seconds,
        )
        await stack.enter_async_context(_background(receipts))
        self._submitter = Submitter(
            producer,
            journal,
            key,
            rehearsal=is_rehearsal(namespace),
            tenants=lambda: role.topology.codes,
            catch_up=role.catch_up,
            observer=self._observer,
            wall=self._wall,
        )
        stack.push_async_callback(self._submitter.settle)

    def _audiences(self, tenant: str) -> list[str]:
        """Return whom a tenant's session is sealed to: the router, and the audience of each route."""
        routed = {route.audience for route in self._role.topology.routes_of(tenant) if route.audience is not None}
        return sorted(routed | {ROUTER})

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what is under way, close the sessions, let go of the journal."""
        self._observer(Ready("journal", False))
        await self._stack.__aexit__(kind, error, trace)

    async def submit(self, document: bytes, journaled: Journaled | None = None) -> Result:
        """Answer one JSON document: `accepted`, `duplicate` or `refused`.

        Returns when the event is journaled and acknowledged by all in-sync replicas; `journaled` is called
        with the event id before, once the sealed bytes have survived a power cut here. Waits while too much
        is under way. Raises a retriable `HubError` if nothing can be accepted at the moment.
        """
        assert self._submitter is not None
        return await self._submitter.submit(document, journaled)

    async def refuse(self, refusal: Refused) -> Result:
        """Journal (time and rule ids, no content) and answer what could not even be cut into documents."""
        assert self._submitter is not None
        return await self._submitter.refuse(refusal)

    def report(self) -> Iterator[ReportEntry]:
        """Yield what this portal sent, for the signed reconciliation report."""
        return report_entries(self._role.state_directory / JOURNAL)


def _starts(
    journal: Journal, topics: list[str], partitions: Mapping[str, int], whole: bool
) -> dict[tuple[str, int], int | None]:
    """Return where to go on reading each status partition; None: from its beginning, all of them if `whole`."""
    starts: dict[tuple[str, int], int | None] = {}
    for topic in topics:
        known = {} if whole else journal.positions(topic)
        starts |= {(topic, partition): known.get(partition) for partition in range(partitions[topic])}
    return starts


@contextlib.asynccontextmanager
async def _background(receipts: ReceiptReader) -> AsyncIterator[None]:
    """Read receipts for as long as the context is open; an error there ends the context."""
    await receipts.start()
    raised: Exception | None = None
    try:
        async with TaskGroup() as group:
            task = group.create_task(receipts.run(), name="receipts")
            try:
                yield
            except Exception as problem:  # noqa: BLE001 - the caller's own; raised again below, in no group
                raised = problem
            finally:
                task.cancel()
    finally:
        await receipts.close()
    if raised is not None:
        raise raised
