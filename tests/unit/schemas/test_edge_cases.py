"""What lies at the edge is let through, comes back character for character, and is found or not found as it says."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.checks import MAX_ROWS, MAX_YEN
from schemas.edge_cases import EDGE_CASES, EdgeCase, edge_cases
from schemas.rules import findings
from schemas.sections import helpdesk_section, read_review_section, review_section
from schemas.submission import as_sent
from tests.unit.schemas.support import TENANTS, good

SEEDS = (1, 2, 3)
MADE: list[tuple[EdgeCase, dict[str, Any]]] = [each for seed in SEEDS for each in edge_cases(seed, TENANTS)]


@pytest.mark.parametrize("case", EDGE_CASES, ids=[case.name for case in EDGE_CASES])
def test_an_edge_case_passes_comes_back_as_it_was_and_has_the_findings_that_it_names(case: EdgeCase) -> None:
    documents = [made for each, made in MADE if each is case]
    assert len(documents) == len(SEEDS) * len(TENANTS)
    for made in documents:
        kept = good(made)
        assert as_sent(read_review_section(review_section(kept))) == made
        assert {each.rule for each in findings(kept)} == set(case.rules)
        helpdesk_section(kept)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def test_all_the_edges_are_there() -> None:
    every = [made for _, made in MADE]
    text = "\n".join(each for made in every for each in texts(made.get("items", {})))
    edges = ("髙", "﨑", "𠮷", "\U000e0100", "\ue000", "\U000f0000", "ﾐﾎﾝ", "㈱", "\u3099", "\u2212")
    for edge in (*edges, "令和元年", "昭和64年"):
        assert edge in text
    assert unicodedata.normalize("NFC", text) != text  # nobody may normalise on the way
    assert max(len(each) for made in every for each in texts(made.get("items", {}))) == 4_096
    assert any(len(made["items"].get("heirs", ())) == MAX_ROWS for made in every)
    assert any(made["items"].get("sale_price") == MAX_YEN for made in every)
    assert any("" in texts(made["items"]) for made in every)
    assert len({made["receipt_number"] for _, made in edge_cases(9, TENANTS)}) == len(EDGE_CASES) * len(TENANTS)


def test_the_same_seed_gives_the_same_edge_cases_and_names_are_unique() -> None:
    first, again = ([made for _, made in edge_cases(5, TENANTS)] for _ in range(2))
    assert first == again
    assert len({case.name for case in EDGE_CASES}) == len(EDGE_CASES)
    assert json.dumps(first) != json.dumps([made for _, made in edge_cases(6, TENANTS)])
