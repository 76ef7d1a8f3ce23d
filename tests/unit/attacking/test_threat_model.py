"""Each claim of docs/threat-model.md names tests that are there, and each attacker of the tests has a section."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.attacking import Attacker
from tests.attacking.rows import COMMITTED, loaded

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "threat-model.md").read_text("utf-8")
LINKS = re.findall(r"\[([^\]]+)\]\((\.\./tests/[^)]+\.py)\)", PAGE)


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((DOCS / path).read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name.removeprefix("test_").replace("_", " ") for function in functions}


@pytest.mark.parametrize(("name", "path"), sorted(set(LINKS)))
def test_a_test_that_is_named_is_there(name: str, path: str) -> None:
    assert name in names_in(path)


def test_every_attacker_has_a_section_and_no_section_is_nobodys() -> None:
    sections = {line.removeprefix("## ").lower() for line in PAGE.splitlines() if line.startswith("## ")}
    attackers = {attacker.value.lower() for attacker in Attacker}
    assert attackers <= sections
    assert sections - attackers == {"assets", "not covered"}


def test_every_claim_has_a_test_but_what_is_admitted() -> None:
    """A row without a test tells what somebody can do or learns, which is nothing to show."""
    rows = [line.split("|")[1:3] for line in PAGE.splitlines() if line.startswith("| ")]
    claims = [(claim, shown) for claim, shown in rows if claim.strip() and "shown by" not in shown]
    bare = [claim for claim, shown in claims if "../tests/" not in shown]
    section = PAGE.index("## Outsider")
    assert [
        claim for claim in bare if claim in PAGE[section:] and not re.search(r"\*\*(learns|can)\*\*|as `admin`", claim)
    ] == []


def test_the_page_and_the_attacks_speak_of_the_same_people() -> None:
    assert {row.attacker for row in loaded(COMMITTED)} <= {attacker.value for attacker in Attacker}
