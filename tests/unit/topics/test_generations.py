"""A generation of topics: its names, who may do what with it, and how a declaration comes to have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topics import names
from topics.declaration import PACKAGED, Generation, parse
from topics.errors import DeclarationInvalid, GenerationChanged, GrowthRefused
from topics.expanding import expand
from topics.generations import grown, paused, resumed
from topics.layout import Acl, Operation, Resource, Topology
from topics.plan import Current, check_generation, plan

TEXT = PACKAGED.read_text(encoding="utf-8")
NS, TENANT = "eltax", "131041"
FIRST = expand(parse(TEXT), NS, partitions=3)
SECOND = expand(parse(grown(TEXT, 3, 6)), NS)
DATASETS = ("review", "helpdesk", "audit", "status", "accepted", "sessions")


def may(topology: Topology, operation: Operation, topic: str) -> set[str]:
    wanted = {(Resource.TOPIC, topic, operation)}
    return {acl.principal for acl in topology.acls if (acl.resource, acl.name, acl.operation) in wanted}


def test_a_declaration_without_a_word_of_it_is_of_the_first_generation() -> None:
    declared = parse(TEXT)
    assert (declared.generation, declared.earlier, declared.growing) == (1, (), False)
    assert FIRST.generations == (Generation(1, 3),)
    assert not [topic.name for topic in FIRST.topics if ".g" in topic.name]


def test_only_the_lines_of_it_change_in_the_text() -> None:
    lines, made = TEXT.splitlines(), grown(TEXT, 3, 12).splitlines()
    assert [line for line in lines if line not in made] == ["partitions: 6"]
    assert [line for line in made if line not in lines] == [
        "partitions: 12",
        "generation: 2",
        "earlier: [{generation: 1, partitions: 3}]",
    ]
    again = parse(grown(grown(TEXT, 3, 12), 12, 24))
    assert (again.generation, again.partitions) == (3, 24)
    assert again.earlier == (Generation(1, 3), Generation(2, 12))


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 400))
def test_it_can_only_grow_and_again(present: int, second: int, third: int) -> None:
    if second <= present:
        with pytest.raises(GrowthRefused):
            grown(TEXT, present, second)
        return
    made = grown(TEXT, present, second)
    if third <= second:
        with pytest.raises(GrowthRefused):
            grown(made, second, third)
        return
    topology = expand(parse(grown(made, second, third)), NS)
    assert [each.partitions for each in topology.generations] == [present, second, third]


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("partitions: 6\n", "{partitions}\n").replace("{partitions}", "partitions  : 6"),
        TEXT.replace("partitions: 6\n", "partitions: 6\ngeneration: 2\nearlier:\n  - {generation: 1, partitions: 3}\n"),
        TEXT.replace("partitions: 6\n", "partitions: 0x6\n"),
    ],
)
def test_a_text_of_unusual_form_is_left_to_people(text: str) -> None:
    with pytest.raises((GrowthRefused, DeclarationInvalid)):
        grown(text, 6, 12)


def test_a_pause_is_a_line_at_the_end_and_goes_without_a_trace() -> None:
    held = paused(TEXT)
    assert parse(held).growing
    assert expand(parse(held), NS).growing
    assert paused(held) == held
    assert resumed(held) == TEXT
    assert resumed(TEXT) == TEXT
    with pytest.raises(GrowthRefused):
        grown(held, 6, 12)


BAD = [
    ("generation: 0", "generation"),
    ("generation: 1000", "generation"),
    ("generation: true", "generation"),
    ("growing: 1", "growing"),
    ("earlier: 3", "earlier"),
    ("generation: 2\nearlier: [{generation: 2, partitions: 3}]", "generation"),
    ("generation: 2\nearlier: [{generation: 1, partitions: 6}]", "partitions"),
    ("generation: 2\nearlier: [{generation: 1, partitions: 0}]", "earlier[0].partitions"),
    ("generation: 2\nearlier: [{generation: 1}]", "earlier[0].partitions"),
    ("generation: 4\nearlier: [{generation: 2, partitions: 2}, {generation: 1, partitions: 3}]", "earlier[1]"),
    ("generation: 4\nearlier: [{generation: 1, partitions: 3}, {generation: 2, partitions: 2}]", "earlier[1]"),
]


@pytest.mark.parametrize(("line", "path"), BAD)
def test_generations_that_do_not_agree_are_refused(line: str, path: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        parse(TEXT.replace("partitions: 6\n", f"partitions: 6\n{line}\n"))
    assert refused.value.path.startswith(path)


def test_no_topic_is_named_like_a_generation() -> None:
    with pytest.raises(DeclarationInvalid):
        parse(TEXT.replace('name: "{ns}.{T}.status"', 'name: "{ns}.{T}.status.g2"'))


def test_the_second_generation_has_topics_of_its_own_beside_the_first() -> None:
    first = {topic.name: topic for topic in FIRST.topics}
    second = {topic.name: topic for topic in SECOND.topics}
    assert first.items() <= second.items()  # nothing of what there is changes
    grew = {topic.name for topic in FIRST.topics if topic.partitions == 3 and topic.key != "operations"}
    grew -= {topic.name for topic in FIRST.topics if topic.key.startswith("analysis")}
    grew |= {names.sessions(NS)} | {names.desk_sessions(NS, tenant.code) for tenant in FIRST.tenants}
    assert second.keys() - first.keys() == {f"{name}.g2" for name in grew}
    assert {second[f"{name}.g2"].partitions for name in grew} == {1, 6}
    assert SECOND.every(lambda number: names.review(NS, TENANT, number)) == (
        "eltax.131041.review",
        "eltax.131041.review.g2",
    )
    assert {route.topic for route in SECOND.routes_of(TENANT)} == {
        f"eltax.{TENANT}.{each}.g2" for each in ("review", "helpdesk", "audit")
    }
    assert {route.source for route in SECOND.routes} == {"eltax.submissions.g2"}


def test_nobody_writes_to_an_earlier_generation_but_who_sends_refused_records_back_to_desks() -> None:
    for topic in FIRST.topics:
        if topic.name not in {f"{each.name.removesuffix('.g2')}" for each in SECOND.topics if each.generation == 2}:
            continue
        writers = may(SECOND, Operation.WRITE, topic.name)
        back = topic.key in ("review", "helpdesk", "audit", "status", "accepted")
        assert writers == ({"operator"} if back else set()), topic.name
        assert may(SECOND, Operation.WRITE, f"{topic.name}.g2") == may(FIRST, Operation.WRITE, topic.name)


def test_who_read_a_topic_reads_all_its_generations() -> None:
    for topic in FIRST.topics:
        readers = may(FIRST, Operation.READ, topic.name)
        assert may(SECOND, Operation.READ, topic.name) == readers
        if topic.name in {each.name.removesuffix(".g2") for each in SECOND.topics if each.generation == 2}:
            assert may(SECOND, Operation.READ, f"{topic.name}.g2") == readers


def test_letters_are_written_to_the_present_generation_and_known_in_all() -> None:
    router = SECOND.principal("router")
    assert router.dead_letters == "eltax.dead-letters.router.g2"
    assert router.all_dead_letters == ("eltax.dead-letters.router", "eltax.dead-letters.router.g2")
    assert FIRST.principal("router").all_dead_letters == ("eltax.dead-letters.router",)
    assert SECOND.principal("admin").all_dead_letters == ()


def test_a_trial_s_number_does_not_reach_a_topic_that_has_grown() -> None:
    assert expand(parse(grown(TEXT, 3, 6)), NS, partitions=3).partitions == 6


def test_a_plan_alone_begins_no_generation() -> None:
    for applied, wanted in ((FIRST, SECOND), (SECOND, FIRST)):
        with pytest.raises(GenerationChanged):
            check_generation(applied, wanted)
    check_generation(None, SECOND)
    check_generation(SECOND, SECOND)


def test_the_rights_that_end_are_those_to_write() -> None:
    found = plan(Current(1, acls=FIRST.acls), SECOND, applied=FIRST)
    gone = {step.acl for step in found.steps if hasattr(step, "acl") and step.deletes}
    assert gone == FIRST.acls - SECOND.acls
    assert {acl.operation for acl in gone} == {Operation.WRITE, Operation.DESCRIBE}
    assert Acl("portal", Resource.TOPIC, "eltax.submissions", Operation.WRITE) in gone
    assert Acl("portal", Resource.TOPIC, "eltax.sessions", Operation.WRITE) in gone
    assert Acl("portal", Resource.TOPIC, "eltax.sessions", Operation.DESCRIBE) not in gone


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("generation", [1, 2, 12])
def test_a_name_goes_from_generation_to_generation(dataset: str, generation: int) -> None:
    name = names.of_tenant(NS, TENANT, dataset, generation)
    assert name == f"eltax.{TENANT}.{dataset}" + (f".g{generation}" if generation > 1 else "")
    assert names.in_generation(name, 1) == f"eltax.{TENANT}.{dataset}"
    assert names.in_generation(name, 3) == f"eltax.{TENANT}.{dataset}.g3"
