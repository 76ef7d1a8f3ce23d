"""The judge of a bad day sees each way in which a promise can be broken, and the plan is the same for a seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.judging import Judgement, judge
from tests.chaos.plan import MEANING, SMOKE, Fault, kept_back, plan

FILED = {0: ["a", "b", "c", "b"], 1: ["d", "e"]}
TENANTS = {"a": "131041", "b": "999997", "c": "131041", "d": "131041", "e": "999997"}
TOPICS = {"review-1": "131041", "audit-1": "131041", "review-9": "999997"}
Outputs = dict[str, dict[int, list[str]]]


def good() -> Outputs:
    mine = {0: ["a", "c"], 1: ["d"]}
    return {"review-1": dict(mine), "audit-1": dict(mine), "review-9": {0: ["b"], 1: ["e"]}}


def said(outputs: Outputs, acknowledged: str = "abcd") -> Judgement:
    return judge(acknowledged, FILED, outputs, TENANTS, TOPICS)


def test_a_day_on_which_everything_held_is_good() -> None:
    found = said(good())
    assert found.good and found.examples == []


def test_what_was_not_acknowledged_may_be_there_and_then_everywhere() -> None:
    assert said(good(), "ab").good
    outputs = good()
    outputs["review-9"][1] = []
    assert said(outputs, "ab").lost == 1


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda out: out["audit-1"][0].remove("c"), "lost"),
        (lambda out: out["audit-1"][0].append("a"), "doubled"),
        (lambda out: out["review-1"][1].append("d"), "doubled"),
        (lambda out: out["review-1"][1].append("z"), "invented"),
        (lambda out: out["review-1"][1].append("e"), "invented"),
        (lambda out: out["review-1"][0].reverse(), "misplaced"),
        (lambda out: out["review-1"].update({0: ["a"], 1: ["d", "c"]}), "misplaced"),
        (lambda out: out["review-1"].update({0: [], 1: [], 2: ["a", "c", "d"]}), "misplaced"),
    ],
    ids=["lost", "twice", "twice in another", "invented", "of another tenant", "order", "partition", "a new partition"],
)
def test_each_broken_promise_is_seen(change: Callable[[Outputs], object], broken: str) -> None:
    outputs = {topic: {partition: list(ids) for partition, ids in found.items()} for topic, found in good().items()}
    change(outputs)
    found = said(outputs)
    assert getattr(found, broken) > 0 and found.examples


def test_what_a_portal_sent_again_may_be_there_twice_and_no_more() -> None:
    outputs = good()
    outputs["review-9"][0] = ["b", "b"]
    found = said(outputs)
    assert found.good and found.again == 1
    outputs["review-9"][0] = ["b", "b", "b"]
    assert said(outputs).doubled == 1


def test_acknowledged_and_on_no_topic_is_lost() -> None:
    assert said(good(), "abcdx").lost == 1


def test_a_plan_is_the_same_for_a_seed_and_another_for_another() -> None:
    found = plan(7, 20_000, tuple(Fault))
    assert found == plan(7, 20_000, tuple(reversed(Fault)))
    assert {moment.fault for moment in found} == {*Fault}
    assert [each.after for each in found] == sorted({each.after for each in found})
    assert found[0].after > 0 and found[-1].after < 20_000 * 19 // 20
    assert [each.fault for each in plan(8, 20_000, tuple(Fault))] != [each.fault for each in found]
    with pytest.raises(ValueError, match="too few"):
        plan(7, 20, tuple(Fault))


def test_every_fault_is_explained_and_the_smoke_has_five() -> None:
    assert MEANING.keys() == {*Fault} and len({*SMOKE}) == 5


def test_each_fault_has_something_left_to_file() -> None:
    filed = 0
    for left in range(22, 0, -1):
        healed, over = kept_back(100_000, 22, left)
        assert filed < healed < over
        filed = over
    assert filed == 100_000
    assert kept_back(100_000, 22, 22)[0] > 75_000
    assert kept_back(10, 22, 1) == (9, 10)
