"""What a changed declaration means for a cluster: pure, from what was applied, what is there and what is wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.standing.world import FIRST, NEW, SECOND, TEXT, WITH_NEW, WITHOUT_SECOND, laid_out
from tests.unit.topics.test_topics import as_found, kinds
from topics.layout import Acl, Operation, Quota, Resource
from topics.plan import (
    AddTenant,
    AllowAcl,
    CreateTopic,
    DeleteTopic,
    ForeignAcl,
    ForeignQuota,
    FoundTopic,
    RemoveAcl,
    RemoveQuota,
    RemoveTenant,
    SetQuota,
    plan,
)

NOW, LARGER, SMALLER = laid_out(TEXT), laid_out(WITH_NEW), laid_out(WITHOUT_SECOND)
BY_HAND = Acl("guest", Resource.TOPIC, f"rehearsal.{FIRST}.review", Operation.READ)


def test_a_new_tenant_is_only_added_to() -> None:
    made = plan(as_found(NOW), LARGER, applied=NOW)
    assert {type(step) for step in made.steps} == {AddTenant, CreateTopic, AllowAcl, SetQuota}
    assert [step.code for step in made.steps if isinstance(step, AddTenant)] == [NEW]
    assert {step.name for step in made.steps if isinstance(step, CreateTopic)} == {
        topic.name for topic in LARGER.topics
    } - {topic.name for topic in NOW.topics}
    assert made.drift == ()
    assert not any(step.deletes for step in made.steps)


def test_a_removed_tenants_rights_and_quotas_go_and_its_data_stay() -> None:
    made = plan(as_found(NOW), SMALLER, applied=NOW)
    (removed,) = [step for step in made.steps if isinstance(step, RemoveTenant)]
    assert removed.code == SECOND
    assert set(removed.principals) == {each.name for each in NOW.principals if each.tenant == SECOND}
    assert {step.acl for step in made.steps if isinstance(step, RemoveAcl)} == NOW.acls - SMALLER.acls
    assert {step.quota for step in made.steps if isinstance(step, RemoveQuota)} == {*NOW.quotas} - {*SMALLER.quotas}
    assert {type(step) for step in made.steps} == {RemoveTenant, RemoveAcl, RemoveQuota}
    kept = {step.name for step in made.drift if isinstance(step, DeleteTopic)}
    assert kept == {topic.name for topic in NOW.topics} - {topic.name for topic in SMALLER.topics}
    emptied = plan(as_found(NOW), SMALLER, applied=NOW, delete_data=True)
    assert {step.name for step in emptied.steps if isinstance(step, DeleteTopic)} == kept
    assert emptied.drift == ()


def test_what_nobody_declared_is_left_alone_when_a_tenant_goes() -> None:
    found = replace(as_found(NOW), acls=NOW.acls | {BY_HAND}, quotas=(*NOW.quotas, Quota("guest", 5)))
    made = plan(found, SMALLER, applied=NOW)
    assert RemoveAcl(BY_HAND) not in made.steps
    assert RemoveAcl(BY_HAND) in made.drift
    assert RemoveQuota(Quota("guest", 5)) in made.drift
    pruned = plan(found, SMALLER, applied=NOW, prune=True)
    assert RemoveAcl(BY_HAND) in pruned.steps
    assert RemoveQuota(Quota("guest", 5)) in pruned.steps
    assert kinds(pruned.drift) == ["DeleteTopic"] * len(pruned.drift)


def test_without_knowing_what_was_applied_nothing_is_taken_away() -> None:
    made = plan(as_found(NOW), SMALLER)
    assert made.empty
    assert {type(step) for step in made.drift} == {RemoveAcl, RemoveQuota, DeleteTopic}


def test_a_plan_that_was_carried_out_leaves_nothing_of_the_tenant_but_data() -> None:
    left = replace(as_found(NOW), acls=SMALLER.acls, quotas=SMALLER.quotas)
    again = plan(left, SMALLER, applied=SMALLER)
    assert again.empty
    assert {type(step) for step in again.drift} == {DeleteTopic}


@pytest.mark.parametrize("prune", [False, True])
def test_a_configuration_set_by_hand_is_kept_when_another_is_put_right(prune: bool) -> None:
    found = as_found(NOW)
    first = found.topics[0]
    bent = FoundTopic(first.name, first.partitions, {**first.configs, "segment.ms": "9", "retention.ms": "1"})
    made = plan(replace(found, topics=(bent, *found.topics[1:])), NOW, applied=NOW, prune=prune)
    (step,) = [each.describe() for each in made.steps]
    assert ("segment.ms" in step["configs"]) is not prune
    assert step["was"].keys() == ({"retention.ms", "segment.ms"} if prune else {"retention.ms"})
    assert kinds(made.drift) == ([] if prune else ["ResetConfig"])


def test_rights_and_limits_of_a_foreign_kind_are_said_and_pruned() -> None:
    denial = ForeignAcl("User:CN=portal", "*", "topic", "*", "literal", "write", "deny")
    limit = ForeignQuota((("user", ""),), "producer_byte_rate", 10.0)
    found = replace(as_found(NOW), foreign_acls=(denial,), foreign_quotas=(limit,))
    assert kinds(plan(found, NOW).drift) == ["RemoveForeignAcl", "RemoveForeignQuota"]
    assert plan(found, NOW).empty
    assert kinds(plan(found, NOW, prune=True).steps) == ["RemoveForeignAcl", "RemoveForeignQuota"]
