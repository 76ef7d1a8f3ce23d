"""Every rule with what breaks it and what nearly does; every rule changed, and a case that notices."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue import procedures
from schemas.generator import START, document, generate
from schemas.rules import RULES, Finding, Rule, Severity, Table, findings, fingerprint, rules_fingerprint, severity
from schemas.submission import Submission, parse
from tests.unit.schemas import rule_table, rule_table_partly, rule_table_texts
from tests.unit.schemas.rule_cases import Case, changed, sound, submission

CASES: list[Case] = [*rule_table.cases(), *rule_table_texts.cases(), *rule_table_partly.cases()]
BY_RULE: dict[str, list[Case]] = {rule.id: [case for case in CASES if case.rule == rule.id] for rule in RULES}
BASES = {slug: sound(slug) for slug in procedures()}


def made(case: Case) -> Submission:
    return submission(changed(BASES[case.slug], case.changes))


def said(found: tuple[Finding, ...]) -> Counter[tuple[str, str]]:
    return Counter((each.path, each.rule) for each in found)


def meant(case: Case) -> Counter[tuple[str, str]]:
    return Counter([*((path, case.rule) for path in case.paths), *case.also])


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_every_rule_finds_what_breaks_it_and_nothing_else_is_found(rule: Rule) -> None:
    cases = BY_RULE[rule.id]
    assert any(case.paths for case in cases), "no case breaks this rule"
    assert any(not case.paths for case in cases), "no case comes near to breaking this rule"
    for case in cases:
        assert said(findings(made(case))) == meant(case), case


def test_every_case_is_of_a_rule() -> None:
    assert {case.rule for case in CASES} == {rule.id for rule in RULES}


def mutants(rule: Rule) -> Iterator[tuple[str, Rule | None]]:
    """Yield the rule taken away, never and always finding, and each of its parameters moved by one."""
    yield "removed", None
    yield "never", replace(rule, bind=lambda procedure, **parameters: None)
    yield "always", replace(rule, bind=lambda procedure, **parameters: lambda facts: ("/items",))
    for name, value in rule.parameters.items():
        if isinstance(value, int):
            for moved in (value - 1, value + 1):
                yield f"{name}={moved}", replace(rule, parameters={**rule.parameters, name: moved})
        elif isinstance(value, tuple):
            for left_out in value:
                rest = tuple(each for each in value if each != left_out)
                yield f"{name} without {left_out}", replace(rule, parameters={**rule.parameters, name: rest})


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_no_change_of_a_rule_goes_unnoticed_by_its_cases(rule: Rule) -> None:
    survivors = []
    for what, mutant in mutants(rule):
        table = Table(() if mutant is None else (mutant,))
        if all(
            said(table.findings(made(case))) == Counter({(path, rule.id): 1 for path in case.paths})
            for case in BY_RULE[rule.id]
        ):
            survivors.append(what)
    assert survivors == []


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_every_rule_has_a_source_a_severity_and_two_languages(rule: Rule) -> None:
    assert rule.source
    assert severity(rule.id) is rule.severity
    assert rule.message.isascii() and rule.message.endswith(".")
    assert rule.message_ja.endswith("。")
    assert any("\u3040" <= each <= "\u30ff" for each in rule.message_ja)


def test_ids_are_unique_and_unknown_ones_have_no_severity() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert severity("findings.differ") is None


def test_the_fingerprint_changes_with_ids_sources_severities_parameters_and_revisions_only() -> None:
    first, *others = RULES
    assert fingerprint(RULES) == fingerprint(reversed(RULES)) == rules_fingerprint()
    changes: list[dict[str, Any]] = [
        {"id": "other.id"},
        {"source": "another law"},
        {"severity": next(each for each in Severity if each is not first.severity)},
        {"parameters": {"least": 1}},
        {"revision": 2},
    ]
    seen = {fingerprint((replace(first, **change), *others)) for change in changes} | {fingerprint(others)}
    assert len(seen) == len(changes) + 1 and rules_fingerprint() not in seen
    assert fingerprint((replace(first, message="Otherwise said."), *others)) == rules_fingerprint()


SLUGS = sorted(procedures())


def filing(slug: str, seed: int, most_rows: int = 4, as_attachments: bool = False) -> dict[str, Any]:
    rng = random.Random(seed)
    number = f"R7-13104-{seed:020d}"
    return document(rng, procedures()[slug], "131041", number, START, True, as_attachments, most_rows)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(SLUGS), st.integers(0, 2**32), st.sampled_from((2, 4, 12)), st.sampled_from((False, False, True))
)
def test_no_rule_finds_anything_in_a_generated_submission(slug: str, seed: int, rows: int, attached: bool) -> None:
    read = parse(json.dumps(filing(slug, seed, rows, attached)).encode(), rehearsal=True)
    assert isinstance(read, Submission)
    assert findings(read) == ()


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(CASES), st.integers(0, 2**32))
def test_a_fault_planted_into_any_generated_submission_is_found_and_nothing_else(case: Case, seed: int) -> None:
    planted = submission(changed(filing(case.slug, seed), case.changes))
    assert said(findings(planted)) == meant(case)


def values(of: Any) -> Iterator[str]:
    """Yield every value of a document, at any depth."""
    if isinstance(of, dict):
        for each in of.values():
            yield from values(each)
    elif isinstance(of, list):
        for each in of:
            yield from values(each)
    elif isinstance(of, str | int) and not isinstance(of, bool):
        yield str(of)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([case for case in CASES if case.paths]), st.integers(0, 2**32))
def test_no_finding_says_any_value_of_the_submission(case: Case, seed: int) -> None:
    """Not even where the value stands in a row of a repeated group."""
    planted = changed(filing(case.slug, seed), case.changes)
    table = {each for rule in RULES for each in (rule.id, rule.message, rule.message_ja)}
    names = {item.name for item in procedures()[case.slug].items} | set(procedures()[case.slug].groups)
    for each in findings(submission(planted)):
        assert {each.rule, each.message, each.message_ja} <= table
        for part in each.path.split("/")[1:]:
            assert part in names or part.isdecimal() or part in HEADER
            assert not part.isdecimal() or int(part) < 200
    fixed = "\n".join(sorted(table))  # a message may name a kind of security or of number
    personal = [value for value in values(planted.get("items", {})) if len(value) > 3 and value not in fixed]
    text = json.dumps([(each.path, each.message, each.message_ja) for each in findings(submission(planted))])
    assert personal or "items" not in planted
    assert not any(json.dumps(value)[1:-1] in text for value in personal)


HEADER = {"items", "tenant", "accepted_at", "tax_item", "replaces", "withdraws", "attachments"}


def test_the_same_findings_come_in_the_same_order() -> None:
    for case in CASES[::7]:
        assert findings(made(case)) == findings(made(case))


def test_attachments_alone_are_judged_by_their_header() -> None:
    alone = {key: each for key, each in sound("retained-title-light-vehicle-report").items() if key != "items"}
    judged = findings(submission({**alone, "tax_item": "tobacco-tax", "tenant": "131042"}))
    assert said(judged) == Counter({("/tenant", "header.tenant"): 1, ("/tax_item", "header.tax-item"): 1})


def test_what_no_parser_has_seen_makes_no_rule_raise() -> None:
    """A section is read by its contract alone: texts may be anything, and rows may be empty."""
    rng = random.Random(3)
    odd = ("", " ", "\x00", "𠮷" * 50, "1/0", "9" * 4_000, "令和元年" * 9, "/", "\ud7ff", "-1", "年度", "分の")
    for slug, procedure in procedures().items():
        for _ in range(60):
            items: dict[str, Any] = {group: [{} for _ in range(rng.randrange(3))] for group in procedure.groups}
            for item in procedure.items:
                value = rng.choice((-(10**15), 0, 9_999, 10**15)) if item.type.is_number else rng.choice(odd)
                if item.group is None:
                    items[item.name] = value
                else:
                    for row in items[item.group]:
                        row[item.name] = value
            time = rng.choice(("", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "x", "2025-12-01"))
            findings(submission({**BASES[slug], "items": items, "accepted_at": time, "tenant": rng.choice(odd)}))


def test_the_demonstration_has_no_findings() -> None:
    for each in generate(131041, 900, ("131041", "999997")):
        assert findings(submission(each)) == ()
