"""The page of rights is what the declaration says, and rights are read as Kafka reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from topics.access import ClusterDeed, Deed, GroupDeed, may, may_cluster, may_group, may_topic, may_transact
from topics.declaration import load
from topics.document import main, page
from topics.expanding import expand
from topics.layout import Operation, Resource, Topology

ROOT = Path(__file__).parents[3]
REVIEW = "eltax.131041.review"


@pytest.fixture(scope="module")
def topology() -> Topology:
    return expand(load(), "eltax")


def test_the_committed_page_is_what_the_declaration_says(tmp_path: Path) -> None:
    assert (ROOT / "docs" / "access-matrix.md").read_text(encoding="utf-8") == page(), "run `make docs`"
    assert main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page()


def test_each_topic_of_a_tenant_has_its_row_and_no_super_user_a_column() -> None:
    text = page()
    for topic in ("`eltax.submissions`", "`eltax.T.review`", "`eltax.U.review`", "`eltax.dead-letters.review-U`"):
        assert text.count(f"| {topic} |") == 1
    assert "| admin |" not in text
    (row,) = (line for line in text.splitlines() if line.startswith("| `eltax.U.review`"))
    assert [cell.strip() for cell in row.split("|")[2:-1]].count("W") == 2, "router and operator alone"
    assert "R" not in row.replace("review", "")


def test_reading_or_writing_implies_seeing_and_nothing_more(topology: Topology) -> None:
    assert may_topic(topology, "review-131041", REVIEW, Deed.READ)
    found = {deed for deed in Deed if may_topic(topology, "router", REVIEW, deed)}
    assert found == {Deed.WRITE, Deed.DESCRIBE}
    assert not may_topic(topology, "review-999997", REVIEW, Deed.DESCRIBE)
    assert may(topology, "router", Resource.TOPIC, REVIEW, Operation.DESCRIBE)


def test_a_prefix_reaches_what_begins_with_it_and_a_name_only_itself(topology: Topology) -> None:
    assert may_transact(topology, "router", "eltax.router/submissions/0")
    assert not may_transact(topology, "router", "eltax.router")
    assert not may_transact(topology, "operator", "eltax.router/submissions/0")
    assert may_group(topology, "router", "eltax.router", GroupDeed.JOIN)
    assert not may_group(topology, "router", "eltax.router2", GroupDeed.JOIN)
    assert not may_group(topology, "router", "eltax.router", GroupDeed.DELETE)


def test_the_super_user_may_do_all_and_nobody_else_anything_to_the_cluster(topology: Topology) -> None:
    for deed in ClusterDeed:
        who = {each.name for each in topology.principals if may_cluster(topology, each.name, deed)}
        everybody = {each.name for each in topology.principals} - {"prometheus"}
        assert who == (everybody if deed is ClusterDeed.PRODUCE_IDEMPOTENTLY else {"admin"})
        assert not may_cluster(topology, "stranger", deed)
    assert all(may_topic(topology, "admin", REVIEW, deed) for deed in Deed)


def test_who_has_nothing_but_a_certificate_may_scrape_and_nothing_else(topology: Topology) -> None:
    assert topology.scrapers == {"prometheus", "monitor", "admin"}
    assert {each.name for each in topology.principals} - {each.name for each in topology.roles} == {"prometheus"}
    assert not [acl for acl in topology.acls if acl.principal == "prometheus"]
    assert not [quota for quota in topology.quotas if quota.principal == "prometheus"]
    assert not any(may_topic(topology, "prometheus", topic.name, deed) for topic in topology.topics for deed in Deed)
