"""A declaration that does not agree with itself is refused where it is wrong, before any broker hears of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import TAX_ITEMS
from schemas.errors import HubError
from schemas.numbers import is_municipality_code
from topics import names
from topics.declaration import PACKAGED, load, municipality_check_digit, parse
from topics.errors import DeclarationInvalid
from topics.expanding import expand

TEXT = PACKAGED.read_text(encoding="utf-8")
AUDIENCES = 'name: "{ns}.audiences"'
LETTERS = "retention_hours: 720, max_mib: 16}"
RESOLUTIONS = '{name: "{ns}.resolutions", partitions: 1, retention_hours: 2160, max_mib: 1}'
HELPDESK_ROUTE = '{name: helpdesk, source: submissions, topic: helpdesk, keeps: "helpdesk-{T}"}'

BAD = [
    # single values
    ("version: 1", "version: 2", "version"),
    ("version: 1", "version: true", "version"),
    ("version: 1", "version: 1.0", "version"),
    ("version: 1\n", "", "file.version"),
    ("version: 1", "version: 1\nsurprise: 1", "file.surprise"),
    ("version: 1", "version: 1\nversion: 1", "line 5"),
    ("version: 1", "? [a]\n: 1\nversion: 1", "line 4"),
    ("version: 1", "{a: 1}: 2\nversion: 1", "line 4"),
    ("version: 1", "7: 2\nversion: 1", "line 4"),
    ("version: 1", "version: 1\n---\nversion: 1", "line"),
    ("version: 1", "version: [", "line"),
    ("version: 1", "version: !!python/object/apply:os.getcwd []", "line"),
    ("partitions: 6", "partitions: 0", "partitions"),
    ("partitions: 6", "partitions: 1001", "partitions"),
    ("partitions: 6", "partitions: 6.0", "partitions"),
    ("partitions: 6", "partitions: '6'", "partitions"),
    ("partitions: 6", "partitions: true", "partitions"),
    ("factor: 3", "factor: 0", "replication.factor"),
    ("min_in_sync: 2", "min_in_sync: 4", "replication.min_in_sync"),
    ("replication: {factor: 3, min_in_sync: 2}", "replication: 3", "replication"),
    ("partitions: 6", "partitions: 2025-99-99", "file"),
    # tenants and tax items
    ('code: "131041"', 'code: "131042"', "tenants[0].code"),
    ('code: "131041"', "code: 131041", "tenants[0].code"),
    ('code: "131041"', 'code: "１３１０４１"', "tenants[0].code"),
    ('code: "131041"', 'code: "13104"', "tenants[0].code"),
    ('code: "999997"', 'code: "131041"', "tenants"),
    ("name_en: Shinjuku City", "nome: x", "tenants[0].nome"),
    ("name: 新宿区, ", "", "tenants[0].name"),
    ("name: 新宿区", 'name: ""', "tenants[0].name"),
    ("artificial: true", 'artificial: "true"', "tenants[1].artificial"),
    ("artificial: true", "artificial: 1", "tenants[1].artificial"),
    ("tax_items: [resident-tax", "tax_items: [resident-tax, resident-tax", "tax_items[1]"),
    ("tax_items: [resident-tax", "tax_items: [Resident tax", "tax_items[0]"),
    ("tax_items: [resident-tax", "tax_items: [7", "tax_items[0]"),
    ("tax_items: [", "tax_items: {a: [", "line"),
    # topics
    (AUDIENCES, 'name: "{ns}.sessions"', "topics.audiences.name"),
    (AUDIENCES, 'name: "audiences"', "topics.audiences.name"),
    (AUDIENCES, 'name: "{ns}.aud iences"', "topics.audiences.name"),
    (AUDIENCES, 'name: "{ns}.{X}.audiences"', "topics.audiences.name"),
    (AUDIENCES, 'name: "{ns}..audiences"', "topics.audiences.name"),
    (AUDIENCES, 'name: "{ns}.audiences."', "topics.audiences.name"),
    (AUDIENCES, 'name: "{ns}.Audiences"', "topics.audiences.name"),
    (AUDIENCES, 'name: "{ns}.{principal}"', "topics.audiences.name"),
    ('"{ns}.dead-letters.{principal}"', '"{ns}.dead-letters"', "topics.dead-letters.name"),
    ("  audiences:    {", "  Audiences:    {", "topics.audiences"),
    ("  operations:   {", "  operation:   {", "topics.operations"),
    ("compacted: true", "compacted: false", "topics.audiences"),
    ("compacted: true", 'compacted: "no"', "topics.audiences.compacted"),
    ("compacted: true", "compacted: true, retention_hours: 5", "topics.audiences"),
    ("compacted: true", "retention_hours: 5", "topics.audiences"),
    ("retention_hours: 2160", "retention_hours: 0", "topics.operations.retention_hours"),
    ("retention_hours: 2160", "retention_hours: soon", "topics.operations.retention_hours"),
    ("partitions: 3, ", "partitions: many, ", "topics.operations.partitions"),
    ("partitions: 3, ", "", "topics.operations.partitions"),
    ("retention_hours: 960, max_mib: 1}", "retention_hours: 936, max_mib: 1}", "topics.sessions.retention_hours"),
    (LETTERS, "retention_hours: 744, max_mib: 16}", "topics.sessions.retention_hours"),
    (LETTERS, "retention_hours: 720, max_mib: 15}", "topics.dead-letters.max_mib"),
    (LETTERS, "retention_hours: 720, max_mib: 0}", "topics.dead-letters.max_mib"),
    (RESOLUTIONS, RESOLUTIONS.replace("2160", "768"), "topics.resolutions.retention_hours"),
    (RESOLUTIONS, RESOLUTIONS.replace("retention_hours: 2160", "compacted: true"), "topics.resolutions"),
    (RESOLUTIONS, RESOLUTIONS.replace("partitions: 1", "partitions: 2"), "topics.resolutions.partitions"),
    (RESOLUTIONS, RESOLUTIONS.replace("{ns}.", "{ns}.{T}."), "topics.resolutions.partitions"),
    (RESOLUTIONS, "", "topics.resolutions"),
    (
        '"{ns}.{T}.audit", partitions: route, retention_hours: 168, max_mib: 8',
        '"{ns}.{T}.audit", partitions: route, retention_hours: 168, max_mib: 7',
        "topics.audit.max_mib",
    ),
    # principals
    ("reads: [submissions]", "reads: [nothing]", "principals.router.reads"),
    ("reads: [submissions]", "reads: submissions", "principals.router.reads"),
    ("reads: [submissions]", "reads: [submissions, submissions]", "principals.router.reads"),
    ("writes: [review, helpdesk, audit]", "writes: [review, 7]", "principals.router.writes"),
    ("writes: [review, helpdesk, audit]", "rights: all", "principals.router.rights"),
    ("produces: [submissions]", "produces: [submissions, review]", "principals.portal.produces"),
    ("instances: [portal-1]", "instances: [portal-1, portal-1]", "principals.portal.instances"),
    ("audience: portal", "audience: 7", "principals.portal.audience"),
    ("audience: portal", "audience: [portal]", "principals.portal.audience"),
    ("audience: portal", 'audience: ""', "principals.portal.audience"),
    ("audience: portal", "audience: Portal", "principals.portal.audience"),
    ("audience: portal", "audience: portal-{T}", "principals.portal.audience"),
    ("audience: review-{T}", "audience: review", "principals.review-{T}.audience"),
    ("audience: helpdesk-{T}", "audience: review-{T}", "principals.helpdesk-{T}.audience"),
    ("audience: quarantine", "audience: router", "principals.operator.audience"),
    ("scrapes: true", "scrapes: 1", "principals.monitor.scrapes"),
    ("certificate_only: true\n    scrapes: true", "certificate_only: true", "principals.prometheus.certificate_only"),
    (
        "certificate_only: true",
        "certificate_only: true\n    reads: [control]",
        "principals.prometheus.certificate_only",
    ),
    (
        "certificate_only: true",
        "certificate_only: true\n    super_user: true",
        "principals.prometheus.certificate_only",
    ),
    (
        "certificate_only: true",
        "certificate_only: true\n    dead_letters: true",
        "principals.prometheus.certificate_only",
    ),
    ("super_user: true", 'super_user: "false"', "principals.admin.super_user"),
    ("super_user: true", "super_user: true\n    reads: [review]", "principals.admin.super_user"),
    ("dead_letters: true", 'dead_letters: "no"', "principals.portal.dead_letters"),
    ("produce_mib_per_second: 64", "produce_mib_per_second: 0", "principals.portal.produce_mib_per_second"),
    ('group: "{ns}.router"', "group: 5", "principals.router.group"),
    ('group: "{ns}.router"', "group: router", "principals.router.group"),
    ('group: "{ns}.monitor"', 'group: "{ns}.router"', "principals.monitor.group"),
    ('transactional_ids: "{ns}.router/"', "transactional_ids: [x]", "principals.router.transactional_ids"),
    ('transactional_ids: "{ns}.router/"', 'transactional_ids: ""', "principals.router.transactional_ids"),
    ('transactional_ids: "{ns}.router/"', "transactional_ids: router/", "principals.router.transactional_ids"),
    ("  monitor:\n", "  Monitor:\n", "principals.Monitor"),
    ("  monitor:\n", '  "monitor/x":\n', "principals.monitor/x"),
    ("tax-{tax_item}-{T}:", "tax-{item}-{T}:", "principals.tax-{item}-{T}"),
    ("  admin:\n    super_user: true", "  admin:", "principals.admin"),
    # routes
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace("name: helpdesk", "name: review"), "routes[1].name"),
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace("topic: helpdesk", "topic: review"), "routes[1].topic"),
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace("topic: helpdesk", "topic: nothing"), "routes[1]"),
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace("topic: helpdesk", "topic: submissions"), "routes[1].topic"),
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace("topic: helpdesk", "topic: desk-sessions"), "topics.desk-sessions"),
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace("source: submissions", "source: status"), "routes[1].source"),
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace("source: submissions", "source: dead-letters"), "routes[1].source"),
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace("helpdesk-{T}", "nobody"), "routes[1].keeps"),
    (HELPDESK_ROUTE, HELPDESK_ROUTE.replace(', keeps: "helpdesk-{T}"', ""), "routes[1].keeps"),
    ("keeps: null", "keeps: 3", "routes[2].keeps"),
    (TEXT[TEXT.index("routes:\n") :], "routes: []\n", "routes"),
    (TEXT[TEXT.index("routes:\n") :], "routes: {}\n", "routes"),
]


@pytest.mark.parametrize(("old", "new", "path"), BAD, ids=[f"{n}-{path}" for n, (_, _, path) in enumerate(BAD)])
def test_a_declaration_that_is_wrong_is_refused_at_its_place(old: str, new: str, path: str) -> None:
    assert old in TEXT
    with pytest.raises(DeclarationInvalid) as refused:
        parse(TEXT.replace(old, new, 1))
    assert refused.value.path.startswith(path), refused.value
    assert refused.value.path in str(refused.value)
    assert refused.value.code == "topics.invalid"


@pytest.mark.parametrize("text", ["", "[]", "x", "- 1", "\x00", "a: b: c", "version: 1", "{" * 500, "a: &a [*a]"])
def test_what_is_no_declaration_at_all_is_refused(text: str) -> None:
    with pytest.raises(DeclarationInvalid):
        parse(text)


@given(st.data())
def test_no_change_of_the_file_raises_anything_else(data: st.DataObject) -> None:
    rows = TEXT.splitlines(keepends=True)
    at = data.draw(st.integers(4, len(rows) - 1))
    rows[at] = data.draw(
        st.sampled_from(["", "  x: 1\n", rows[at].replace(":", ""), rows[at].replace("[", "{"), rows[at] * 2])
        | st.text(max_size=20).map(lambda each: rows[at].rstrip() + each + "\n")
    )
    try:
        expand(parse("".join(rows)), "eltax")
    except HubError as refused:
        assert isinstance(refused, DeclarationInvalid)


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TEXT.replace("partitions: 6", "partitions: 12"), encoding="utf-8")
    assert load(path).partitions == 12
    assert load() is load()
    path.write_bytes(TEXT.encode("cp932", "ignore"))
    for unreadable in (path, tmp_path / "absent.yaml"):
        with pytest.raises(DeclarationInvalid) as refused:
            load(unreadable)
        assert refused.value.path == "file"


def test_the_packaged_declaration_has_the_two_first_tenants_and_the_tax_items_of_the_catalogue() -> None:
    declared = load()
    assert [(each.code, each.artificial) for each in declared.tenants] == [("131041", False), ("999997", True)]
    assert declared.tax_items == TAX_ITEMS


@given(st.from_regex(r"[0-9]{5}", fullmatch=True))
def test_both_ways_to_the_check_digit_of_a_municipality_agree(first: str) -> None:
    assert is_municipality_code(first + str(municipality_check_digit(first)))


def test_declared_topics_are_those_that_the_code_names() -> None:
    ns, code = "eltax", "131041"
    named = {names.submissions(ns), names.sessions(ns), names.audiences(ns), names.control(ns)}
    named |= {names.operations(ns), names.resolutions(ns), names.analysis_marks(ns), names.analysis_state(ns)}
    named |= {names.of_tenant(ns, t, each) for t in (code, "999997") for each in ("review", "helpdesk", "audit")}
    named |= {names.of_tenant(ns, t, each) for t in (code, "999997") for each in ("status", "accepted", "sessions")}
    topology = expand(load(), ns)
    named |= {names.dead_letters(ns, each.name) for each in topology.principals if each.dead_letters}
    assert {each.name for each in topology.topics} == named
    assert names.review(ns, code) == "eltax.131041.review"
    assert names.helpdesk(ns, code) == "eltax.131041.helpdesk"
    assert names.audit(ns, code) == "eltax.131041.audit"
    assert names.status(ns, code) == "eltax.131041.status"
    assert names.accepted(ns, code) == "eltax.131041.accepted"
    assert names.desk_sessions(ns, code) == "eltax.131041.sessions"
