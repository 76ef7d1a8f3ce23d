"""Every principal tries everything on everything: what is declared works, all else the broker itself refuses.

Expected is what `topics.access` reads out of the declaration, and docs/access-matrix.md shows. Requests are made by
hand (wire.py), so that nothing is refused by a client's manners.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from hub.transport import BatchWriter, Outgoing, TransportError
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.attacks import probes
from tests.attacks.laid_out import endpoint, laid_out, wired
from tests.attacks.probes import (
    CLUSTER_DENIED,
    GOOD,
    GROUP_DENIED,
    POLICY_VIOLATION,
    TOPIC_DENIED,
    TOPIC_EXISTS,
    TRANSACTION_DENIED,
)
from tests.attacks.wire import batch
from tests.kafka import TestKafka
from topics import names
from topics.access import ClusterDeed, Deed, GroupDeed, may_cluster, may_group, may_topic, may_transact
from topics.layout import Topology

pytestmark = [pytest.mark.broker, pytest.mark.one_broker]

RULER = "admin"
STRANGER = "stranger"
"""our authority signed its certificate; nobody gave it a right"""
INTERNAL = ("__consumer_offsets", "__transaction_state")
OWN, OTHER = "131041", "999997"
NOBODYS = 1_000_000
"""a producer id"""


@pytest.fixture(scope="module")
def topology(kafka: TestKafka) -> Topology:
    made = laid_out(kafka)
    with wired(kafka, RULER) as wire:
        probes.warm_up(wire)
    return made


@pytest.fixture(scope="module")
def everybody(topology: Topology) -> list[str]:
    """Every principal there is, and one that is none."""
    return [*(each.name for each in topology.principals), STRANGER]


@pytest.fixture(scope="module")
def transactional(kafka: TestKafka, topology: Topology) -> tuple[str, int, int]:
    """The router's transaction that is under way while everybody tries: its id, producer id and epoch."""
    name = f"{topology.principal('router').transactional_ids}submissions/0"
    with wired(kafka, "router") as wire:
        code, producer, epoch = wire.init_producer(name)
        assert code == GOOD
        assert probes.begin(wire, name, producer, epoch, names.review(topology.namespace, OWN)) == GOOD
    return name, producer, epoch


def own_world(topology: Topology, found: Iterable[str]) -> set[str]:
    """What is not another rehearsal's: tests share the node, and the same names have rights in each namespace."""
    return {name for name in found if name.startswith(topology.namespace) or not name.startswith("rehearsal-")}


def test_everybody_on_every_topic(kafka: TestKafka, topology: Topology, everybody: list[str], attack: Attack) -> None:
    ns = topology.namespace
    others = attack(Attacker.TENANT, "does anything at all to a topic of another city")
    sweep = attack(Attacker.CONTRACTOR, "tries each operation on each topic with each principal's certificate")
    internal = attack(Attacker.TENANT, "reads or writes the broker's own topics, where offsets and transactions stand")
    undeclared = attack(Attacker.TENANT, "creates a topic of its own")
    topics = [topic.name for topic in topology.topics]
    tried: dict[tuple[str, Deed, str], list[int]] = {}
    for principal in everybody:
        with wired(kafka, principal) as wire:
            for deed, answers in probes.on_topics(wire, topics, ruler=principal == RULER).items():
                for answer in answers:
                    assert answer.keys() == set(topics)
                    for topic, code in answer.items():
                        tried.setdefault((principal, deed, topic), []).append(code)
            if principal != RULER:
                assert set(probes.create(wire, [f"{ns}.mine", f"mine-{ns}"], ruler=False).values()) == {TOPIC_DENIED}
                codes = [*(code for code, _ in wire.fetch(INTERNAL).values()), *wire.metadata(INTERNAL).values()]
                codes += [*wire.produce(INTERNAL, batch()).values(), *probes.delete(wire, INTERNAL).values()]
                codes += [*probes.delete_records(wire, INTERNAL).values()]
                assert set(codes) == {TOPIC_DENIED}, principal
                shown = own_world(topology, wire.metadata(None))
                assert shown == {topic for topic in shown if may_topic(topology, principal, topic, Deed.DESCRIBE)}
    wrong = {
        what: codes
        for what, codes in tried.items()
        if set(codes) != {_expected(topology, what[0], what[2], what[1])}
    }  # fmt: skip
    assert not wrong, dict(list(wrong.items())[:20])
    assert len(tried) == len(topics) * (len(everybody) * len(Deed) - 1), "all but what would end it"
    tenants_own = {code for (who, deed, topic), codes in tried.items() for code in codes
                   if who.endswith(OWN) and f".{OTHER}." in topic}  # fmt: skip
    assert tenants_own == {TOPIC_DENIED}
    refused = "TOPIC_AUTHORIZATION_FAILED to whatever the declaration does not allow"
    for row in (sweep, others, internal, undeclared):
        row.prevented(by="broker", how=refused, within="the same request")


def _expected(topology: Topology, principal: str, topic: str, deed: Deed) -> int:
    if not may_topic(topology, principal, topic, deed):
        return TOPIC_DENIED
    compacted = {each.name for each in topology.topics if each.configs["cleanup.policy"] == "compact"}
    if deed is Deed.DELETE_RECORDS and topic in compacted:
        return POLICY_VIOLATION  # compacted: allowed, and there is nothing to be deleted in order
    return TOPIC_EXISTS if deed is Deed.CREATE else GOOD


def test_everybody_on_every_group(kafka: TestKafka, topology: Topology, everybody: list[str], attack: Attack) -> None:
    join = attack(Attacker.TENANT, "joins the router's group and takes its partitions over")
    commit = attack(Attacker.TENANT, "commits the router's offsets forward, so that it skips submissions")
    forget = attack(Attacker.HELPDESK, "deletes the router's group or its offsets, so that it begins again")
    own = attack(Attacker.TENANT, "makes a group of its own")
    common = names.audiences(topology.namespace)
    groups = [each.group for each in topology.principals if each.group]
    assert len(groups) == 3
    for principal in everybody:
        with wired(kafka, principal) as wire:
            for group in [*groups, f"{topology.namespace}.{principal}.own"]:
                for deed, codes in probes.on_group(wire, group, common).items():
                    expected = GOOD if may_group(topology, principal, group, deed) else GROUP_DENIED
                    assert set(codes) == {expected}, (principal, group, deed, codes)
            told = own_world(topology, probes.listed_groups(wire))
            assert [group for group in told if not may_group(topology, principal, group, GroupDeed.DESCRIBE)] == [], (
                principal
            )
    for row in (join, commit, forget, own):
        row.prevented(by="broker", how="GROUP_AUTHORIZATION_FAILED", within="the same request")


def test_everybody_on_every_transactional_id(
    kafka: TestKafka, topology: Topology, everybody: list[str], transactional: tuple[str, int, int], attack: Attack
) -> None:
    fence = attack(Attacker.TENANT, "fences the router by beginning anew under its transactional id")
    abort = attack(Attacker.CONTRACTOR, "aborts the router's open transaction, knowing its id, producer and epoch")
    mix = attack(Attacker.PORTAL, "slips records or offsets into the router's open transaction")
    near = attack(Attacker.ROUTER, "uses the operator's transactional ids, or one that only begins like its own")
    name, producer, epoch = transactional
    ns, topic = topology.namespace, names.operations(topology.namespace)
    group = topology.principal("router").group
    assert group is not None
    for principal in everybody:
        with wired(kafka, principal) as wire:
            if not may_transact(topology, principal, name):
                codes = probes.in_transaction(wire, name, producer, epoch, group, topic)
                assert set(codes) == {TRANSACTION_DENIED}, (principal, codes)
                assert name not in probes.listed_transactions(wire)
            for ids in ("router/own", "operator/own", "router", "operator", f"{principal}/own", "routerx/own"):
                allowed = may_transact(topology, principal, f"{ns}.{ids}")
                code, _, _ = wire.init_producer(f"{ns}.{ids}")
                assert code == (GOOD if allowed else TRANSACTION_DENIED), (principal, ids, code)
    with wired(kafka, "router") as wire:
        assert probes.end(wire, name, producer, epoch, commit=True) == GOOD, "nobody fenced it, nobody ended it"
    for row in (fence, abort, mix, near):
        row.prevented(by="broker", how="TRANSACTIONAL_ID_AUTHORIZATION_FAILED", within="the same request")


async def test_who_knows_anothers_producer_id_fences_it_where_both_may_write_and_once(
    kafka: TestKafka, topology: Topology, attack: Attack
) -> None:
    """Producer ids are small numbers and nobody's own: an epoch that is higher fences who bears one, per partition."""
    fence = attack(Attacker.HELPDESK, "fences others on the one topic that all write, with their producer ids guessed",
                   Verdict.CONTAINED)  # fmt: skip
    elsewhere = attack(Attacker.HELPDESK, "fences the router on a topic that it does not write, with its producer id")
    operations, review = names.operations(topology.namespace), names.review(topology.namespace, OWN)
    async with BatchWriter(endpoint(kafka, "portal")) as writer:
        await writer.write(operations, 0, [Outgoing(b"report", b"1")])
        with wired(kafka, "helpdesk-131041") as wire:
            _, newest, _ = wire.init_producer(None)
            guesses = [probes.batch(producer=each, epoch=7, sequence=0) for each in range(newest)]
            assert GOOD in {wire.produce([operations], guess)[operations] for guess in guesses}
            assert {wire.produce([review], guess)[review] for guess in guesses} == {TOPIC_DENIED}
        with pytest.raises(TransportError):
            await writer.write(operations, 0, [Outgoing(b"report", b"2")])
        await writer.write(operations, 0, [Outgoing(b"report", b"2")])
    with wired(kafka, "portal") as wire:
        assert wire.produce([operations], batch()) == {operations: GOOD}
    elsewhere.prevented(by="broker", how="TOPIC_AUTHORIZATION_FAILED", within="the same request")
    fence.contained(by="the writer", how="one report fails, and is sent by a new producer", within="the next report")


def test_everybody_on_the_cluster(kafka: TestKafka, topology: Topology, everybody: list[str], attack: Attack) -> None:
    rights = attack(Attacker.TENANT, "gives itself a right, or reads who has which")
    limits = attack(Attacker.PORTAL, "lifts its own quota, or alters the broker's configuration")
    markers = attack(Attacker.CONTRACTOR, "ends another's transaction with markers of its own, or moves partitions")
    gone = attack(Attacker.TAX, "takes the broker out of the cluster")
    nobody = attack(Attacker.OUTSIDER, "gets a producer id with a certificate that has no rights")
    topic = names.operations(topology.namespace)
    for principal in everybody:
        with wired(kafka, principal) as wire:
            for deed, code in probes.on_cluster(wire, principal, topic, NOBODYS, ruler=principal == RULER).items():
                expected = GOOD if may_cluster(topology, principal, deed) else CLUSTER_DENIED
                assert code == expected, (principal, deed, code)
    assert not may_cluster(topology, STRANGER, ClusterDeed.PRODUCE_IDEMPOTENTLY)
    for row in (rights, limits, markers, gone, nobody):
        row.prevented(by="broker", how="CLUSTER_AUTHORIZATION_FAILED", within="the same request")


def test_the_controllers_listener_is_for_brokers_alone(
    kafka: TestKafka, topology: Topology, everybody: list[str], attack: Attack
) -> None:
    envelope = attack(Attacker.CONTRACTOR, "sends the controller a request wrapped in the administrator's name")
    broker = attack(Attacker.CONTRACTOR, "speaks to the controller as if it were a broker")
    topic = names.submissions(topology.namespace)
    for principal in everybody:
        if principal != RULER:
            with wired(kafka, principal, listener="controller_port") as wire:
                answers = probes.to_controller(wire, topic)
                assert set(answers.values()) == {CLUSTER_DENIED}, (principal, answers)
                assert probes.delete(wire, [topic]) == {topic: TOPIC_DENIED}
    for row in (envelope, broker):
        row.prevented(by="controller", how="CLUSTER_AUTHORIZATION_FAILED", within="the same request")


def test_the_super_user_may_take_everything_away(kafka: TestKafka, topology: Topology) -> None:
    """Last in this file: the one cell that cannot be tried before the others."""
    topics = [topic.name for topic in topology.topics]
    assert all(may_topic(topology, RULER, topic, Deed.DELETE) for topic in topics)
    with wired(kafka, RULER) as wire:
        assert probes.delete(wire, topics) == dict.fromkeys(topics, GOOD)
    assert {deed for deed in GroupDeed if may_group(topology, RULER, "any", deed)} == set(GroupDeed)
