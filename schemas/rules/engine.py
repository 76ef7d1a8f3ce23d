"""The table of rules and the one function that applies them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Final

from schemas.catalogue import procedures
from schemas.rules import (
    amounts,
    composites,
    contact,
    dates,
    expected,
    filing,
    groups,
    heirs,
    numbers,
    text,
    years,
)
from schemas.rules.facts import Facts
from schemas.rules.model import Check, Finding, Rule, Severity
from schemas.submission_model import Submission

_FILES: Final = (filing, expected, numbers, contact, dates, years, amounts, text, composites, groups, heirs)
RULES: Final[tuple[Rule, ...]] = tuple(rule for each in _FILES for rule in each.RULES)


class Table:
    """A table of rules, bound to each procedure when its first submission comes."""

    __slots__ = ("_bound", "_rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Nothing is bound yet."""
        self._rules = tuple(rules)
        self._bound: dict[str, tuple[tuple[Rule, Check], ...]] = {}

    def bound(self, slug: str) -> tuple[tuple[Rule, Check], ...]:
        """Return the rules that have something to say of a procedure, with their checks."""
        known = self._bound.get(slug)
        if known is None:
            procedure = procedures()[slug]
            checks = [(rule, rule.check(procedure)) for rule in self._rules]
            known = self._bound[slug] = tuple((rule, check) for rule, check in checks if check is not None)
        return known

    def findings(self, submission: Submission) -> tuple[Finding, ...]:
        """Apply all rules; the same submission gives the same findings, in order of the rules."""
        facts = Facts(submission)
        return tuple(
            Finding(path, rule.id, rule.message, rule.message_ja)
            for rule, check in self.bound(submission.procedure)
            for path in check(facts)
        )


_TABLE: Final = Table(RULES)


def findings(submission: Submission) -> tuple[Finding, ...]:
    """Apply all rules to a submission; the same submission gives the same findings, in order of the rules."""
    return _TABLE.findings(submission)


@cache
def _severities() -> dict[str, Severity]:
    return {rule.id: rule.severity for rule in RULES}


def severity(rule_id: str) -> Severity | None:
    """Return what a finding of a rule asks for; None for ids of other tables (attachments, links)."""
    return _severities().get(rule_id)


def fingerprint(rules: Iterable[Rule]) -> str:
    """Return 16 hex digits that change with ids, sources, severities, parameters and revisions of rules."""
    said = sorted(
        (rule.id, rule.source, rule.severity.value, rule.revision, sorted(rule.parameters.items())) for rule in rules
    )
    return sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()[:16]


@cache
def rules_fingerprint() -> str:
    """Return 16 hex digits that change with the table of rules."""
    return fingerprint(RULES)
