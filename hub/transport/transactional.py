"""Writes outputs and the input's offset in one transaction, under an id that fences every earlier owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError
from aiokafka.structs import OffsetAndMetadata

from hub.transport.building import MAX_BATCH_BYTES, MAX_REQUEST_BYTES, batches
from hub.transport.endpoint import Endpoint
from hub.transport.errors import (
    FinalRefusal,
    ForeignProducer,
    TransactionFailed,
    TransactionRefused,
    TransportError,
    translate,
)
from hub.transport.records import Outgoing
from hub.transport.writer import _stop

Place = tuple[str, int]
Then = Callable[[Mapping[Place, Sequence[int]]], Mapping[Place, Sequence[Outgoing]]]
"""Offsets by place, in the order of the records, to further outputs. Its errors give the transaction up."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Called between the steps of a transaction; for tests that end the process there."""

    before_send: Callable[[], None] = _nothing
    after_send: Callable[[], None] = _nothing
    after_commit: Callable[[], None] = _nothing


class TransactionalWriter:
    """One transactional producer. `fence` before the committed offset is read; after a failure, `fence` again."""

    def __init__(
        self, endpoint: Endpoint, transactional_id: str, *, hooks: Hooks | None = None, timeout_ms: int = 30_000
    ) -> None:
        """Nothing is connected before `fence`. After `timeout_ms` the broker aborts what a dead process left open."""
        self._endpoint = endpoint
        self._id = transactional_id
        self._timeout_ms = timeout_ms
        self._hooks = hooks or Hooks()
        self._producer: AIOKafkaProducer | None = None

    async def fence(self) -> None:
        """Initialise the transactional id: earlier owners can no longer commit, their open transaction is aborted.

        Raises BrokerUnavailable, NotAuthorized.
        """
        await self.close()
        producer = AIOKafkaProducer(
            **self._endpoint.client_options(),
            transactional_id=self._id,
            acks="all",
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            transaction_timeout_ms=self._timeout_ms,
            request_timeout_ms=20_000,
            retry_backoff_ms=5,  # measured: 31 to 23 ms at the median; the client waits this long at every step
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await _stop(producer)
            raise translate(error, self._id) from error
        except BaseException:  # cancelled: the partition was taken away meanwhile
            await _to_the_end(_stop(producer))
            raise
        self._producer = producer

    async def commit(
        self,
        outputs: Mapping[Place, Sequence[Outgoing]],
        offsets: Mapping[Place, int],
        group: str,
        *,
        then: Then | None = None,
    ) -> None:
        """Write all outputs and the next input offsets of `group` (if any), visible together or not at all.

        `then` is told the offsets that the outputs were given, and returns what else belongs to the transaction.
        Every send is awaited before the commit: the client commits past a send that failed. Raises ForeignProducer
        (end this process) or TransactionFailed (nothing is visible; fence, read the committed offset, try again;
        its subclass TransactionRefused: some record will be refused every time).
        """
        producer = self._producer
        if producer is None:
            raise TransactionFailed(f"{self._id} is not fenced")
        sent: list[asyncio.Future[Any]] = []
        try:
            await producer.begin_transaction()
            self._hooks.before_send()
            placed = await _send(producer, outputs, sent)
            for failed in await _failures(sent):
                raise failed
            if then is not None:
                following = then({place: _offsets(batches_) for place, batches_ in placed.items()})
                await _send(producer, following, sent)
                for failed in await _failures(sent):
                    raise failed
            self._hooks.after_send()
            if offsets:
                await producer.send_offsets_to_transaction(
                    {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}, group
                )
            await producer.commit_transaction()
        except (KafkaError, OSError, IllegalOperation, AssertionError) as error:
            cause = _cause(producer, error)
            await _to_the_end(self._give_up(producer, sent))
            raise self._named(cause) from cause
        except BaseException:  # cancelled: nothing may stay open
            await _to_the_end(self._give_up(producer, sent))
            raise
        self._hooks.after_commit()

    async def probe(self, offsets: Mapping[Place, int], group: str) -> None:
        """Ask whether the id is still ours, by a transaction that writes nothing and is aborted.

        Raises ForeignProducer if another has taken over; where it cannot tell, the next commit will.
        """
        producer = self._producer
        if producer is None:
            return
        try:
            await producer.begin_transaction()
            await producer.send_offsets_to_transaction(
                {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}, group
            )
            await producer.abort_transaction()
        except (KafkaError, OSError, IllegalOperation, AssertionError) as error:
            cause = _cause(producer, error)
            await _to_the_end(self._give_up(producer, ()))
            named = self._named(cause)
            if isinstance(named, ForeignProducer):
                raise named from cause
        except BaseException:
            await _to_the_end(self._give_up(producer, ()))
            raise

    def _named(self, error: BaseException) -> TransportError:
        named = translate(error, self._id)
        if isinstance(named, ForeignProducer):
            return named
        return (TransactionRefused if isinstance(named, FinalRefusal) else TransactionFailed)(
            named.detail, cause=named.code
        )

    async def _give_up(self, producer: AIOKafkaProducer, sent: Sequence[asyncio.Future[Any]]) -> None:
        """Abort if that is still possible, and throw the producer away; the next fence aborts what stays open."""
        self._producer = None
        _read_error(producer)  # before an abort puts another future in its place
        try:
            await asyncio.wait_for(producer.abort_transaction(), 5.0)
        except Exception as error:  # noqa: BLE001 - whatever it is, the transaction is not committed
            del error
        await _stop(producer)
        await _failures(sent)
        _read_error(producer)

    async def close(self) -> None:
        """Disconnect; between transactions nothing is open."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _to_the_end(_stop(producer))


_Batches = list[tuple["asyncio.Future[Any]", int]]


async def _send(
    producer: AIOKafkaProducer, outputs: Mapping[Place, Sequence[Outgoing]], sent: list[asyncio.Future[Any]]
) -> dict[Place, _Batches]:
    """Send batches, adding their futures to `sent`; return them by place, with how many records each has."""
    await _know(producer, outputs)
    placed: dict[Place, _Batches] = {}
    for place, records in outputs.items():
        placed[place] = []
        for batch, count in batches(producer, records):
            future = await producer.send_batch(batch, place[0], partition=place[1])
            sent.append(future)
            placed[place].append((future, count))
    return placed


async def _know(producer: AIOKafkaProducer, outputs: Mapping[Place, Sequence[Outgoing]]) -> None:
    """Learn where new topics are, all at once: the client would ask for each by itself, and for all before it again.

    What cannot be learned now the client asks for at the send.
    """
    known = producer.client._topics
    wanted = {topic for topic, _ in outputs}
    if not wanted <= known:
        await producer.client.set_topics(known | wanted)


def _offsets(sent: _Batches) -> list[int]:
    """The offsets of acknowledged batches' records, in order."""
    return [future.result().offset + number for future, count in sent for number in range(count)]


async def _failures(sent: Sequence[asyncio.Future[Any]]) -> list[BaseException]:
    """Wait for every send and return what failed. Not by gather: cancelled, it cuts us off from the sends' errors."""
    if sent:
        await asyncio.wait(sent)
    return [error for each in sent if not each.cancelled() and (error := each.exception()) is not None]


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work`, bounded in time, even if we are cancelled meanwhile; then be cancelled."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _cause(producer: AIOKafkaProducer, error: Exception) -> Exception:
    """Return why the client is in a state in which it complains of a wrong call: what ended its sender."""
    if isinstance(error, (KafkaError, OSError)):
        return error
    sender = producer._sender.sender_task
    waiter = producer._txn_manager._transaction_waiter
    for each in (sender, waiter):
        if each is not None and each.done() and not each.cancelled():
            found = each.exception()
            if isinstance(found, Exception):
                return found
    return error


def _read_error(producer: AIOKafkaProducer) -> None:
    """Take note of the client's inner futures, which it leaves unread when it fails: we have the error already."""
    accumulator = producer._message_accumulator
    unsent = [batch for batches_ in accumulator._batches.values() for batch in batches_]
    waiters = [batch._drain_waiter for batch in (*unsent, *accumulator._pending_batches)]
    for waiter in (producer._txn_manager._transaction_waiter, *waiters):
        if waiter is not None and waiter.done() and not waiter.cancelled():
            waiter.exception()
