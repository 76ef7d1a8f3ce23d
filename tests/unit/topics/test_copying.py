"""A mirror reads what is copied, writes it at the copy, and has no key: as declared, and no wider."""

from __future__ import annotations

import pytest

from topics.access import ClusterDeed, Deed, may_cluster, may_topic
from topics.copying import at_copy, copied, leader_rights, mirror_of
from topics.declaration import parse, read
from topics.errors import DeclarationInvalid
from topics.expanding import expand
from topics.layout import Acl, Operation, Resource, Topology

MIRRORED = read().replace("principals:\n", "principals:\n  mirror:\n    mirrors: true\n")
LEFT = {"eltax.resolutions", "eltax.analysis-marks", "eltax.analysis-state"}


@pytest.fixture(scope="module")
def topology() -> Topology:
    return expand(parse(MIRRORED), "eltax")


def test_nobody_mirrors_unless_it_is_declared() -> None:
    assert mirror_of(expand(parse(read()), "eltax")) is None


def test_it_has_a_certificate_and_no_key_and_no_directory(topology: Topology) -> None:
    mirror = mirror_of(topology)
    assert mirror is not None and mirror.keyless
    assert mirror.audience is None and not mirror.produces and mirror.dead_letters is None
    assert "mirror" not in {each.name for each in topology.roles}
    assert {each.name for each in topology.roles} == {each.name for each in expand(parse(read()), "eltax").roles}
    assert "mirror" not in topology.scrapers


def test_at_the_source_it_reads_and_does_nothing_else(topology: Topology) -> None:
    every = {topic.name for topic in topology.topics}
    may = {(topic, deed) for topic in every for deed in Deed if may_topic(topology, "mirror", topic, deed)}
    assert may == {(topic, deed) for topic in every - LEFT for deed in (Deed.READ, Deed.DESCRIBE)}
    assert {acl.resource for acl in topology.acls_of("mirror")} == {Resource.TOPIC}
    assert not any(may_cluster(topology, "mirror", deed) for deed in ClusterDeed)
    assert {topic.name for topic in copied(topology)} == every - LEFT


def test_all_others_keep_their_rights(topology: Topology) -> None:
    without = expand(parse(read()), "eltax")
    assert {acl for acl in topology.acls if acl.principal != "mirror"} == without.acls


def test_at_the_copy_it_alone_has_rights_and_they_stay_in_the_namespace(topology: Topology) -> None:
    mirror = mirror_of(topology)
    assert mirror is not None
    layout = at_copy(topology, mirror)
    assert {acl.principal for acl in layout.acls} == {"mirror"}
    assert {acl.name for acl in layout.acls if not acl.name.startswith("eltax.")} == set()
    own = {"eltax.mirror-offsets", "eltax.mirror-status", "eltax.mirror-configs"}
    assert {topic.name for topic in layout.topics} == {topic.name for topic in copied(topology)} | own
    declared = {topic.name: topic for topic in topology.topics}
    assert all(topic == declared[topic.name] for topic in layout.topics if topic.name not in own)
    assert {topic.configs["cleanup.policy"] for topic in layout.topics if topic.name in own} == {"compact"}
    assert not any(may_topic(layout, "mirror", topic.name, Deed.CREATE) for topic in layout.topics)
    assert not any(may_topic(layout, "mirror", topic.name, Deed.ALTER_CONFIGS) for topic in layout.topics)
    name = "connect-cluster-eltax.mirror"
    right = [Acl("mirror", Resource.TRANSACTIONAL_ID, name, each) for each in (Operation.WRITE, Operation.DESCRIBE)]
    assert list(leader_rights(topology, "mirror")) == right


@pytest.mark.parametrize(
    "more",
    [
        "reads: [submissions]",
        "writes: [status]",
        "audience: mirror",
        'group: "{ns}.x"',
        "dead_letters: true",
        "scrapes: true",
        "certificate_only: true\n    scrapes: true",
        "super_user: true",
    ],
)
def test_a_mirror_is_nothing_else(more: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        parse(MIRRORED.replace("mirrors: true", f"mirrors: true\n    {more}"))
    assert "principals.mirror" in str(refused.value)


def test_there_is_one_and_it_is_nobodys_of_a_tenant() -> None:
    for wrong in ("  mirror-2: {mirrors: true}\n", "  copy-{T}: {mirrors: true}\n"):
        with pytest.raises(DeclarationInvalid):
            parse(MIRRORED.replace("principals:\n", f"principals:\n{wrong}"))
    with pytest.raises(DeclarationInvalid):
        parse(MIRRORED.replace("mirrors: true", "mirrors: 1"))
