"""The declaration is checked whole, rights are exactly the table's, a plan takes nothing away unasked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import pytest
from aiokafka.partitioner import murmur2 as reference

from topics.declaration import PACKAGED, load, municipality_check_digit, parse
from topics.errors import DeclarationInvalid, PartitionsChanged
from topics.expanding import expand
from topics.layout import Acl, Operation, Resource, Topology
from topics.partition import murmur2, partition_for
from topics.plan import CreateTopic, Current, FoundTopic, SetQuota, Step, additions, plan

TEXT = PACKAGED.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("version: 1", "version: 2", "version"),
        ("partitions: 6", "partitions: 0", "partitions"),
        ('code: "131041"', 'code: "131042"', "tenants[0].code"),
        ('code: "131041"', "code: 131041", "tenants[0].code"),
        ('code: "999997"', 'code: "131041"', "tenants"),
        ("name_en: Shinjuku City", "nome: x", "tenants[0].nome"),
        ("min_in_sync: 2", "min_in_sync: 4", "replication.min_in_sync"),
        ("retention_hours: 960, max_mib: 1}", "retention_hours: 900, max_mib: 1}", "topics.sessions.retention_hours"),
        ("reads: [submissions]", "reads: [nothing]", "principals.router.reads"),
        ('keeps: "review-{T}"', 'keeps: "nobody"', "routes[0].keeps"),
        ("topic: audit, keeps", "topic: sessions, keeps", "topics.sessions.partitions"),
        ("tax_items: [", "tax_items: [{", "line"),
        ("partitions: 6", "partitions: 6\npartitions: 7", "line"),
    ],
)
def test_a_wrong_declaration_is_refused_at_its_place(old: str, new: str, path: str) -> None:
    assert old in TEXT
    with pytest.raises(DeclarationInvalid) as refused:
        parse(TEXT.replace(old, new, 1))
    assert refused.value.path.startswith(path)


def test_check_digit_of_shinjuku() -> None:
    assert municipality_check_digit("13104") == 1


@pytest.fixture
def topology() -> Topology:
    """The packaged declaration, laid out."""
    return expand(load(), "eltax")


EVERYONE = {"eltax.audiences", "eltax.sessions", "eltax.control"}


@pytest.mark.parametrize(
    ("principal", "reads", "writes"),
    [
        (
            "portal",
            {"131041.status", "999997.status"},
            {"submissions", "sessions", "operations", "dead-letters.portal"},
        ),
        (
            "router",
            {"submissions"},
            {f"{t}.{d}" for t in ("131041", "999997") for d in ("review", "helpdesk", "audit")}
            | {"operations", "dead-letters.router"},
        ),
        (
            "review-131041",
            {"131041.review"},
            {"131041.status", "131041.accepted", "131041.sessions", "operations", "dead-letters.review-131041"},
        ),
        ("helpdesk-131041", {"131041.helpdesk", "131041.status"}, {"operations", "dead-letters.helpdesk-131041"}),
        (
            "audit-999997",
            {"999997.audit", "999997.status", "999997.accepted"},
            {"operations", "dead-letters.audit-999997"},
        ),
        ("tax-resident-tax-131041", {"131041.accepted"}, {"operations", "dead-letters.tax-resident-tax-131041"}),
    ],
)
def test_each_principal_may_do_exactly_what_the_table_says(
    topology: Topology, principal: str, reads: set[str], writes: set[str]
) -> None:
    held = [acl for acl in topology.acls if acl.principal == principal and acl.resource is Resource.TOPIC]
    may_read = {acl.name for acl in held if acl.operation is Operation.READ}
    may_write = {acl.name for acl in held if acl.operation is Operation.WRITE}
    desks = {name for name in may_read if name.endswith(".sessions") and name != "eltax.sessions"}
    assert may_read - desks == {f"eltax.{each}" for each in reads} | EVERYONE
    assert may_write == {f"eltax.{each}" for each in writes}


def test_who_handles_dead_letters_reads_all_of_them_and_only_the_operator_says_what_became_of_them(
    topology: Topology,
) -> None:
    held = [acl for acl in topology.acls if acl.resource is Resource.TOPIC and acl.operation is not Operation.DESCRIBE]
    letters = {topic.name for topic in topology.topics if topic.key == "dead-letters"}
    readers = {acl.principal for acl in held if acl.operation is Operation.READ and acl.name in letters}
    assert readers == {"operator", "monitor"}
    writers = {acl.principal for acl in held if acl.operation is Operation.WRITE and acl.name == "eltax.resolutions"}
    assert writers == {"operator"}
    may_write = {acl.name for acl in held if acl.principal == "operator" and acl.operation is Operation.WRITE}
    desks = {
        f"eltax.{t}.{d}" for t in ("131041", "999997") for d in ("review", "helpdesk", "audit", "status", "accepted")
    }
    assert may_write == desks | {"eltax.submissions", "eltax.resolutions", "eltax.operations"}
    monitored = {acl.name for acl in held if acl.principal == "monitor" and acl.operation is Operation.WRITE}
    assert monitored == {"eltax.operations"}


def test_transactional_ids_are_the_routers_and_the_operators_and_the_administrator_has_no_rights_to_list(
    topology: Topology,
) -> None:
    ids = {(acl.principal, acl.name) for acl in topology.acls if acl.resource is Resource.TRANSACTIONAL_ID}
    assert ids == {("router", "eltax.router/"), ("operator", "eltax.operator/")}
    assert not [acl for acl in topology.acls if acl.principal == "admin"]


def as_found(topology: Topology, brokers: int = 1) -> Current:
    """A cluster as a plan would leave it."""
    steps = plan(Current(brokers), topology).steps
    topics = tuple(
        FoundTopic(step.name, step.partitions, step.configs, step.replication_factor)
        for step in steps
        if isinstance(step, CreateTopic)
    )
    return Current(brokers, topics, topology.acls, topology.quotas)


def kinds(steps: Sequence[Step]) -> list[str]:
    return [type(step).__name__ for step in steps]


def test_a_plan_that_was_carried_out_leaves_nothing_to_do(topology: Topology) -> None:
    for brokers in (1, 3):
        assert plan(as_found(topology, brokers), topology).empty


def test_what_is_not_declared_is_shown_and_left_alone_unless_pruned(topology: Topology) -> None:
    extra = Acl("portal", Resource.TOPIC, "eltax.131041.review", Operation.READ)
    found = as_found(topology)
    found = replace(found, acls=found.acls | {extra}, topics=(*found.topics, FoundTopic("eltax.old", 1, {})))
    left_alone = plan(found, topology)
    assert left_alone.empty
    assert kinds(left_alone.drift) == ["RemoveAcl", "DeleteTopic"]
    pruned = plan(found, topology, prune=True)
    assert (kinds(pruned.steps), kinds(pruned.drift)) == (["RemoveAcl"], ["DeleteTopic"]), "data goes only by name"
    emptied = plan(found, topology, delete_data=True)
    assert (kinds(emptied.steps), kinds(emptied.drift)) == (["DeleteTopic"], ["RemoveAcl"])
    assert all(step.deletes for step in (*pruned.steps, *emptied.steps))


def test_what_is_made_ahead_of_an_upgrade_takes_nothing_away_and_changes_nothing(topology: Topology) -> None:
    found = as_found(topology)
    mixed = replace(
        found,
        topics=(replace(found.topics[0], configs={}), *found.topics[2:]),
        acls=frozenset(list(found.acls)[1:]) | {Acl("review-131041", Resource.TOPIC, "eltax.old", Operation.READ)},
        quotas=(),
    )
    planned = plan(mixed, topology, prune=True)
    assert {"AlterTopic", "RemoveAcl"} <= set(kinds(planned.steps))
    known = {each.principal for each in topology.quotas} - {"portal"}
    ahead = additions(planned, known)
    assert sorted(kinds(ahead.steps)) == ["AllowAcl", "CreateTopic", "SetQuota"]
    assert [step.quota.principal for step in ahead.steps if isinstance(step, SetQuota)] == ["portal"]


def test_a_changed_configuration_is_put_right(topology: Topology) -> None:
    found = as_found(topology)
    first = found.topics[0]
    bent = FoundTopic(first.name, first.partitions, {**first.configs, "compression.type": "zstd"})
    (step,) = plan(replace(found, topics=(bent, *found.topics[1:])), topology).steps
    assert step.describe()["was"] == {"compression.type": "zstd"}


def test_a_broker_that_is_away_lowers_nothing(topology: Topology) -> None:
    """Or what is applied on a bad day would let one copy be enough for good."""
    whole = as_found(topology, 3)
    assert {topic.configs["min.insync.replicas"] for topic in whole.topics} == {"2"}
    assert plan(replace(whole, brokers=2), topology).empty
    assert plan(replace(whole, brokers=1), topology).empty


def test_copies_that_are_missing_since_there_were_fewer_brokers_are_shown_and_not_claimed(topology: Topology) -> None:
    grown = plan(replace(as_found(topology, 1), brokers=3), topology)
    assert grown.empty, "of one copy two cannot be in sync: asking for it would stop every writer"
    assert kinds(grown.drift) == ["AddCopies"] * len(topology.topics)
    assert (grown.drift[0].describe()["copies"], grown.drift[0].describe()["wanted"]) == (1, 3)


def test_the_number_of_partitions_never_changes(topology: Topology) -> None:
    with pytest.raises(PartitionsChanged):
        plan(as_found(topology), expand(load(), "eltax", partitions=7))


def test_partitions_are_kafkas_own() -> None:
    for length in range(64):
        data = os.urandom(length)
        assert murmur2(data) == reference(data) & 0xFFFFFFFF
    assert partition_for("R7-13104-000000017", 6) == (reference(b"R7-13104-000000017") & 0x7FFFFFFF) % 6
