"""A mirror's certificate against a real broker: it reads its source and writes its copy until that is taken over."""

from __future__ import annotations

import asyncio

import pytest

from hub.mirroring import CopyInUse, end_copying, lay_out_copy
from hub.transport.admin import Admin
from tests.attacks import probes
from tests.attacks.laid_out import PARTITIONS, endpoint, wired
from tests.attacks.probes import CLUSTER_DENIED, GOOD, GROUP_DENIED, TOPIC_DENIED, TRANSACTION_DENIED
from tests.kafka import TestKafka, fresh_namespace
from topics import names
from topics.access import Deed, GroupDeed, may_topic
from topics.copying import at_copy, mirror_of
from topics.declaration import parse, read
from topics.expanding import expand
from topics.layout import Topology
from topics.plan import plan

pytestmark = [pytest.mark.broker, pytest.mark.one_broker]

MIRRORED = read().replace("principals:\n", "principals:\n  mirror: {mirrors: true}\n")
REACH = {Deed.READ, Deed.WRITE, Deed.DESCRIBE}


@pytest.fixture(scope="module")
def source(kafka: TestKafka) -> Topology:
    """A hub's topics and rights, a mirror's among them."""
    wanted = expand(parse(MIRRORED), fresh_namespace(), partitions=PARTITIONS)

    async def lay_out() -> None:
        async with Admin(endpoint(kafka, "admin")) as admin:
            await admin.execute(plan(await admin.current(wanted), wanted))
            assert (await admin.settle(wanted)).empty

    asyncio.run(lay_out())
    with wired(kafka, "admin") as wire:
        probes.warm_up(wire)
    return wanted


@pytest.fixture(scope="module")
def copy(kafka: TestKafka) -> Topology:
    """What is declared at another site: the same broker, another namespace."""
    wanted = expand(parse(MIRRORED), fresh_namespace(), partitions=PARTITIONS)
    asyncio.run(lay_out_copy(wanted, endpoint(kafka, "admin")))
    return wanted


def _tried(kafka: TestKafka, topics: list[str]) -> dict[tuple[str, Deed], set[int]]:
    """What the mirror is told to each deed on each topic."""
    found: dict[tuple[str, Deed], set[int]] = {}
    with wired(kafka, "mirror") as wire:
        for deed, answers in probes.on_topics(wire, topics, ruler=False).items():
            for answer in answers:
                for topic, code in answer.items():
                    found.setdefault((topic, deed), set()).add(code)
    return found


def test_at_its_source_a_mirror_reads_what_is_copied_and_may_do_nothing_else(
    kafka: TestKafka, source: Topology
) -> None:
    topics = [topic.name for topic in source.topics]
    tried = _tried(kafka, topics)
    may = {(topic, deed): may_topic(source, "mirror", topic, deed) for topic in topics for deed in Deed}
    assert {what: codes for what, codes in tried.items() if codes != {GOOD if may[what] else TOPIC_DENIED}} == {}
    assert {deed for (_, deed), allowed in may.items() if allowed} == {Deed.READ, Deed.DESCRIBE}
    common = names.audiences(source.namespace)
    with wired(kafka, "mirror") as wire:
        for group in (source.principal("router").group, f"{source.namespace}.mirror"):
            assert group is not None
            assert {code for codes in probes.on_group(wire, group, common).values() for code in codes} == {GROUP_DENIED}
        for name in ("router/0", "operator/0", "mirror"):
            assert wire.init_producer(f"{source.namespace}.{name}")[0] == TRANSACTION_DENIED
    with pytest.raises(CopyInUse):  # the source by mistake
        asyncio.run(lay_out_copy(source, endpoint(kafka, "admin")))


def test_at_the_copy_it_reads_and_writes_until_somebody_goes_on_there(kafka: TestKafka, copy: Topology) -> None:
    mirror = mirror_of(copy)
    assert mirror is not None
    layout = at_copy(copy, mirror)
    topics, common = [topic.name for topic in layout.topics], names.audiences(copy.namespace)
    tried = _tried(kafka, topics)
    assert {what: codes for what, codes in tried.items() if (codes == {GOOD}) is not (what[1] in REACH)} == {}
    assert {code for what, codes in tried.items() for code in codes if what[1] not in REACH} == {TOPIC_DENIED}
    own, leader = f"{copy.namespace}.mirror", f"connect-cluster-{copy.namespace}.mirror"
    with wired(kafka, "mirror") as wire:
        assert probes.on_group(wire, own, common)[GroupDeed.JOIN][0] == GOOD
        assert {code for codes in probes.on_group(wire, f"{own}2", common).values() for code in codes} == {GROUP_DENIED}
        assert [wire.init_producer(name)[0] for name in (own, f"{own}-task-0", leader)] == [GOOD] * 3
        assert wire.init_producer(f"{leader}2")[0] == TRANSACTION_DENIED
        cluster = probes.on_cluster(wire, "mirror", common, 7, ruler=False)
        assert set(cluster.values()) - {GOOD} == {CLUSTER_DENIED}
        assert sum(code == GOOD for code in cluster.values()) == 1, "to produce idempotently, as all who may write"

        assert asyncio.run(end_copying(copy, endpoint(kafka, "admin"))) == len(layout.acls)
        left = probes.on_topics(wire, [topic.name for topic in copy.topics], ruler=False)
        codes = {(topic, code) for answers in left.values() for each in answers for topic, code in each.items()}
        not_copied = {topic.name for topic in copy.topics} - set(topics)
        assert {code for topic, code in codes if topic not in not_copied} == {TOPIC_DENIED}
        assert {wire.init_producer(name)[0] for name in (own, leader)} == {TRANSACTION_DENIED}
