"""What the demonstration's reviewers decide: possible decisions only, and some of every kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

from cli.demo_work import orders
from schemas.catalogue import TAX_ITEMS
from schemas.decisions import STATUS_AFTER, Decision, Order, check

TODAY = date(2026, 4, 1)


def rows(count: int) -> list[dict[str, object]]:
    return [
        {
            "event_id": f"event-{number}",
            "receipt_number": f"R-{number}",
            "tenant": "131041",
            "findings": number % 9 == 0,
            "replaces": f"R-{number - 1}" if number % 20 == 19 else None,
            "withdraws": f"R-{number - 1}" if number % 20 == 13 else None,
        }
        for number in range(count)
    ]


def test_every_order_is_allowed_in_its_turn_and_every_kind_occurs() -> None:
    status: dict[str, str] = defaultdict(lambda: "stored")
    kinds: Counter[str] = Counter()
    for line in orders(rows(120), TAX_ITEMS):
        what = Decision(line["decision"])
        order = Order(what, line["reason"], line.get("message"), tuple(line.get("tax_items", ())), None)
        check(order, status[line["receipt"]], TODAY)
        status[line["receipt"]] = STATUS_AFTER[what]
        kinds[line["decision"]] += 1
    assert set(kinds) == {each.value for each in Decision}
    assert len(status) == 120


def test_what_was_corrected_or_withdrawn_is_returned_for_that_reason() -> None:
    told = {line["receipt"]: line["reason"] for line in orders(rows(40), TAX_ITEMS)}
    assert [told[f"event-{number}"] for number in (18, 38)] == ["superseded"] * 2
    assert [told[f"event-{number}"] for number in (12, 32)] == ["withdrawn"] * 2


def test_acceptances_go_to_every_team_and_to_one_or_two() -> None:
    accepted = [line["tax_items"] for line in orders(rows(120), TAX_ITEMS) if line["decision"] == "accept"]
    assert {len(set(items)) for items in accepted} == {1, 2}
    assert {item for items in accepted for item in items} == set(TAX_ITEMS)
