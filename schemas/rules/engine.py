"""The table of rules and the one function that applies them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from schemas.catalogue import Item, ItemType, Procedure, procedures
from schemas.numbers import is_corporate_number, is_my_number
from schemas.submission_model import Submission


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: where (JSON pointer), which rule, in two languages; never the value."""

    path: str
    rule: str
    message: str
    message_ja: str


Paths = Iterator[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: `paths(procedure, items)` yields where it is broken."""

    id: str
    source: str
    message: str
    message_ja: str
    paths: Callable[[Procedure, Mapping[str, Any]], Paths]


def _values(procedure: Procedure, items: Mapping[str, Any], kind: ItemType) -> Iterator[tuple[str, Item, str]]:
    for item in procedure.items:
        if item.type is not kind:
            continue
        if item.group is None:
            if item.name in items:
                yield f"/items/{item.name}", item, items[item.name]
        else:
            for number, row in enumerate(items.get(item.group, ())):
                if item.name in row:
                    yield f"/items/{item.group}/{number}/{item.name}", item, row[item.name]


def _my_number(procedure: Procedure, items: Mapping[str, Any]) -> Paths:
    return (path for path, _, value in _values(procedure, items, ItemType.MY_NUMBER) if not is_my_number(value))


def _corporate_number(procedure: Procedure, items: Mapping[str, Any]) -> Paths:
    found = _values(procedure, items, ItemType.CORPORATE_NUMBER)
    return (path for path, _, value in found if not is_corporate_number(value))


def _one_number(procedure: Procedure, items: Mapping[str, Any]) -> Paths:
    numbers = [item.name for item in procedure.items if item.type in (ItemType.MY_NUMBER, ItemType.CORPORATE_NUMBER)]
    if len(numbers) == 2 and sum(bool(items.get(name)) for name in numbers) != 1:
        yield "/items"


RULES: Final = (
    Rule(
        "number.individual",
        "平成26年総務省令第85号第5条",
        "The individual number is not 12 digits with its check digit.",
        "個人番号が検査用数字を含む12桁として正しくありません。",
        _my_number,
    ),
    Rule(
        "number.corporate",
        "平成26年財務省令第70号第2条",
        "The corporate number is not 13 digits with its check digit.",
        "法人番号が検査用数字を含む13桁として正しくありません。",
        _corporate_number,
    ),
    Rule(
        "number.exactly-one",
        "地方税法施行規則の様式（個人番号又は法人番号）",
        "Exactly one of individual number and corporate number belongs here.",
        "個人番号と法人番号はいずれか一方だけを記載します。",
        _one_number,
    ),
)


def findings(submission: Submission) -> tuple[Finding, ...]:
    """Apply all rules to a submission; the same submission gives the same findings, in order of the rules."""
    if submission.items is None:
        return ()
    procedure = procedures()[submission.procedure]
    return tuple(
        Finding(path, rule.id, rule.message, rule.message_ja)
        for rule in RULES
        for path in rule.paths(procedure, submission.items)
    )


def rules_fingerprint() -> str:
    """Return 16 hex digits that change with the table of rules."""
    return sha256("\n".join(sorted(rule.id for rule in RULES)).encode()).hexdigest()[:16]
