"""Whether a cluster is whole, who may be stopped, and in which order."""

from __future__ import annotations

import math

import pytest

from topics.brokers import Cluster, Lack, Missing, Partition, Voter, in_the_way, missing

ALL = frozenset({1, 2, 3})


def cluster(
    *partitions: Partition,
    live: frozenset[int] = ALL,
    controller: int = 2,
    voters: tuple[Voter, ...] = (Voter(1, 0.2), Voter(2, 0.0), Voter(3, 0.4)),
) -> Cluster:
    whole = Partition("a", 0, 1, (1, 2, 3), (1, 2, 3))
    return Cluster(ALL, live, controller, voters, frozenset({whole, *partitions}))


def lacking(found: Cluster) -> list[tuple[Lack, str, tuple[int, ...]]]:
    return [(each.lack, each.about, each.brokers) for each in missing(found)]


def test_a_whole_cluster_lacks_nothing_and_anybody_may_be_stopped() -> None:
    found = cluster(Partition("b", 1, 3, (1, 3), (3, 1)))
    assert missing(found) == ()
    assert [in_the_way((), found, each) for each in ALL] == [(), (), ()]


def test_what_is_missing_is_named_with_those_whose_return_ends_it() -> None:
    found = cluster(
        Partition("b", 0, 1, (1, 2, 3), (1, 2)),
        Partition("b", 1, -1, (1, 3), (1,)),
        live=frozenset({1, 2}),
        voters=(Voter(1, 0.0), Voter(2, 0.0), Voter(3, math.inf)),
    )
    assert lacking(found) == [
        (Lack.BEHIND, "b/0", (3,)),
        (Lack.AWAY, "3", (3,)),
        (Lack.NO_LEADER, "b/1", (3,)),
        (Lack.VOTER, "3", (3,)),
    ]


def test_what_one_broker_says_counts_though_another_says_it_is_whole() -> None:
    stale, now = Partition("b", 0, 1, (1, 2, 3), (1, 2, 3)), Partition("b", 0, 1, (1, 2, 3), (1, 3))
    assert lacking(cluster(stale, now)) == [(Lack.BEHIND, "b/0", (2,))]


def test_no_leader_of_the_quorum_stands_in_the_way_of_everybody() -> None:
    found = cluster(controller=-1, voters=())
    assert lacking(found) == [(Lack.NO_CONTROLLER, "", ())]
    assert all(in_the_way(missing(found), found, each) for each in ALL)


@pytest.mark.parametrize(
    "voter", [Voter(3, 5.1), Voter(3, math.inf), Voter(3, math.nan)], ids=["late", "never", "not a number"]
)
def test_a_controller_that_does_not_follow_protects_the_others(voter: Voter) -> None:
    found = cluster(voters=(Voter(1, 0.0), Voter(2, 0.0), voter))
    assert lacking(found) == [(Lack.VOTER, "3", (3,))]
    assert in_the_way(missing(found), found, 1)
    assert in_the_way(missing(found), found, 2)
    assert not in_the_way(missing(found), found, 3)


def test_who_is_behind_may_be_stopped_and_who_has_the_other_copies_not() -> None:
    found = cluster(Partition("b", 0, 1, (1, 2, 3), (1, 2)))
    assert not in_the_way(missing(found), found, 3)
    assert in_the_way(missing(found), found, 1) == missing(found)
    assert in_the_way(missing(found), found, 2) == missing(found)


def test_two_that_are_behind_may_not_be_stopped_one_may_make_the_other_worse() -> None:
    found = cluster(Partition("b", 0, 1, (1, 2, 3), (1,)))
    assert all(in_the_way(missing(found), found, each) for each in ALL)


def test_a_live_broker_is_not_stopped_over_a_partition_without_a_leader() -> None:
    found = cluster(Partition("b", 0, -1, (1, 3), (1,)))
    assert all(in_the_way(missing(found), found, each) for each in ALL)


def test_one_that_is_away_may_always_be_started() -> None:
    found = cluster(Partition("b", 0, -1, (1, 3), (3,)), live=frozenset({1, 2}), controller=-1, voters=())
    assert in_the_way(missing(found), found, 3) == ()
    assert in_the_way(missing(found), found, 1)


@pytest.mark.parametrize(("controller", "order"), [(1, (2, 3, 1)), (2, (1, 3, 2)), (3, (1, 2, 3)), (-1, (1, 2, 3))])
def test_the_active_controller_is_the_last(controller: int, order: tuple[int, ...]) -> None:
    assert cluster(controller=controller).order == order


@pytest.mark.parametrize("lack", list(Lack))
def test_each_lack_has_words_that_name_what_it_is_about(lack: Lack) -> None:
    said = str(Missing(lack, "eltax.submissions/4", (2, 3)))
    assert "eltax.submissions/4" in said or lack is Lack.NO_CONTROLLER
