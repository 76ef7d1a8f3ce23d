"""The committed pages are what the tables say, and each row of docs/masks.md is what the helpdesk really sees."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas import judging, media, problems
from schemas.catalogue import ItemType, Mask, procedures
from schemas.document import NOTHING, main, masks_page, rules_page
from schemas.mask_reasons import REASONS
from schemas.masks import HIDDEN, mask
from schemas.rules import RULES
from schemas.sections import helpdesk_section, read_helpdesk_section
from tests.unit.schemas.support import good, smallest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "masks.md").read_text(encoding="utf-8")
HEADING = re.compile(r"## [1-9]\. .* \(`([a-z-]+)`\)")


def rows() -> list[tuple[str, list[str]]]:
    """Read the committed page: (slug, cells) of each row of each table of items."""
    found: list[tuple[str, list[str]]] = []
    slug = ""
    for line in PAGE.splitlines():
        heading = HEADING.fullmatch(line)
        if heading:
            slug = heading[1]
        elif slug and re.match(r"\| [0-9]+ \|", line):
            found.append((slug, [each.replace("\\|", "|") for each in line[2:-2].split(" | ")]))
    return found


ROWS = rows()
IDS = [f"{slug}-{cells[1].strip('`')}" for slug, cells in ROWS]


def test_the_committed_pages_are_what_the_tables_say(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    for name, page in (("rules.md", rules_page()), ("masks.md", masks_page())):
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page, f"docs/{name} is old: make docs"
        assert (tmp_path / name).read_text(encoding="utf-8") == page
    assert "python -m schemas.document" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_rule_of_every_table_stands_on_the_page_in_both_languages() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| `{rule.id}` | `{rule.severity}` |" in page
        assert f"| {rule.message} | {rule.message_ja} | {rule.source} |" in page
    for table in (media.RULES, judging.MESSAGES, judging.AT_THE_DESK):
        for name, (english, japanese) in table.items():
            assert f"| `{name}` | {english} | {japanese} |" in page
    for name, (english, japanese, _) in problems.RULES.items():
        assert f"| `{name}` | {english} | {japanese} |" in page


def test_no_program_makes_a_finding_that_is_not_on_the_page() -> None:
    """A finding is made in the table of rules or from one of the tables of messages, nowhere else."""
    made = [
        f"{file.relative_to(ROOT)}:{call}"
        for room in ("schemas", "portal", "consumers", "hub", "cli")
        for file in (ROOT / room).rglob("*.py")
        for call in re.findall(r"\bFinding\([^)]*\)?", file.read_text(encoding="utf-8"))
    ]
    assert sorted(each.partition(":")[0] for each in made) == [
        "consumers/review/desk.py",  # as it was stored
        "schemas/judging.py",
        "schemas/judging.py",
        "schemas/media.py",
        "schemas/rules/engine.py",
    ]


def test_the_page_has_a_row_for_each_of_the_144_items_in_order_of_the_forms() -> None:
    every = [(slug, item) for slug, each in procedures().items() for item in each.items]
    assert len(ROWS) == len(every) == 144
    for (slug, cells), (there, item) in zip(ROWS, every, strict=True):
        number, name, label, kind, masked, _, _, _ = cells
        assert (slug, number, name) == (there, str(item.seq), f"`{item.name}`")
        assert (label, kind, masked) == (item.label, item.type.value, f"`{item.mask}`")


@pytest.mark.parametrize(("slug", "cells"), ROWS, ids=IDS)
def test_the_helpdesk_sees_of_each_item_what_the_page_says_and_nothing_more(slug: str, cells: list[str]) -> None:
    _, quoted, _, kind, masked, example, shown, _ = cells
    name, item_mask = quoted.strip("`"), Mask(masked.strip("`"))
    assert mask(item_mask, example) == (None if shown == NOTHING else shown)
    item = next(each for each in procedures()[slug].items if each.name == name)
    value: object = int(example) if ItemType(kind).is_number else example
    items = {name: value} if item.group is None else {item.group: [{}, {name: value}]}
    section = helpdesk_section(good(smallest(procedure=slug, items=items)))
    seen = [(each.name, each.shown) for each in read_helpdesk_section(section).items]
    assert seen == ([] if shown == NOTHING else [(name, shown)])
    if item_mask is Mask.PLAIN:
        assert shown == example
        return
    for form in (example, json.dumps(example)[1:-1]):
        assert form.encode() not in section
    assert example not in shown


@pytest.mark.parametrize(("slug", "cells"), ROWS, ids=IDS)
def test_of_a_hidden_example_no_part_can_be_read(slug: str, cells: list[str]) -> None:
    """Beyond what the mask keeps: the first character, the ward, four digits."""
    masked, example, shown = Mask(cells[4].strip("`")), cells[5], cells[6]
    kept = shown.replace(HIDDEN, "")
    longest = {Mask.ABSENT: 0, Mask.HIDDEN: 0, Mask.NAME: 1, Mask.LAST_FOUR: 4}.get(masked)
    if masked is Mask.PLAIN:
        return
    if masked is Mask.ABSENT:
        assert shown == NOTHING
        return
    assert shown.count(HIDDEN) == 1
    if masked is Mask.WARD:
        assert (
            kept.endswith(("区", "市", "町", "村")) and example.startswith(kept) and len(kept) <= len(example) / 2 + 4
        )
        assert not any(each.isdecimal() for each in kept)
    else:
        assert longest is not None and len(kept) <= longest


def test_each_reason_is_its_own_and_says_what_it_speaks_of() -> None:
    reasons = [cells[7] for _, cells in ROWS]
    assert len(set(reasons)) == 144
    for (_, cells), reason in zip(ROWS, reasons, strict=True):
        assert 30 <= len(reason) <= 120 and reason.endswith(".")
        begins = {"`name`": ("First",), "`ward`": ("Ward", "City", "The ward"), "`last-four`": ("Last four",)}
        assert reason.startswith(begins.get(cells[4], ("",)))
        assert ("個人番号 never leaves" in reason) == (cells[4] == "`absent`")
    assert {slug: list(each) for slug, each in REASONS.items()} == {
        slug: [item.name for item in each.items] for slug, each in procedures().items() if each.items
    }
