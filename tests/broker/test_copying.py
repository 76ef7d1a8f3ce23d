"""Two partitions of a real broker are compared record by record, past the marks that transactions leave."""

from __future__ import annotations

import time

import pytest

from assurance.copying import DIFFERS, MISSING, Compared, in_order
from hub.transport import BatchWriter, Outgoing, TransactionalWriter
from hub.transport.verbatim import VerbatimReader, topics_shown
from tests.attacks.laid_out import endpoint, lay_out
from tests.kafka import TestKafka
from topics import names

pytestmark = pytest.mark.broker
TENANT = "131041"


class GivenUpError(Exception):
    """Somebody gives a transaction up in the midst of it."""


def _given_up(_: object) -> dict[tuple[str, int], list[Outgoing]]:
    raise GivenUpError


async def test_what_was_committed_is_compared_and_nothing_else(kafka: TestKafka, namespace: str) -> None:
    await lay_out(kafka, namespace)
    admin = endpoint(kafka, "admin")
    here, there = names.review(namespace, TENANT), names.helpdesk(namespace, TENANT)
    now_ms = time.time_ns() // 1_000_000
    a, b, c, d, aborted = (Outgoing(key, key * 100, now_ms) for key in (b"a", b"b", b"c", b"d", b"x"))

    async def compared() -> Compared:
        async with VerbatimReader(admin, here, 0) as source, VerbatimReader(admin, there, 0) as copy:
            return await in_order(source, copy, (here, 0), oldest_ms=0, seconds=0)

    transactions = TransactionalWriter(admin, f"{namespace}.trial")
    await transactions.fence()
    await transactions.commit({(here, 0): [a, b]}, {}, "")
    with pytest.raises(GivenUpError):
        await transactions.commit({(here, 0): [aborted]}, {}, "", then=_given_up)
    await transactions.fence()
    await transactions.commit({(here, 0): [c]}, {}, "")
    async with BatchWriter(admin) as plain:
        await plain.write(there, 0, [a, b])
        found = await compared()
        assert (found.trouble, found.records, found.at) == (MISSING, 2, 5), "behind two records and three that are none"
        await plain.write(there, 0, [c])
        assert await compared() == Compared(here, 0, 3)
        await transactions.commit({(here, 0): [d]}, {}, "")
        await plain.write(there, 0, [Outgoing(b"d", b"d" * 99, now_ms)])
        found = await compared()
        assert (found.trouble, found.records) == (DIFFERS, 3)
    await transactions.close()


async def test_a_certificate_is_shown_the_topics_on_which_it_has_a_right(kafka: TestKafka, namespace: str) -> None:
    topology = await lay_out(kafka, namespace)
    desk = topology.principal("helpdesk-131041")
    assert await topics_shown(endpoint(kafka, desk.name), namespace) == {*desk.reads, *desk.writes}
    assert await topics_shown(endpoint(kafka, "stranger"), namespace) == frozenset()
