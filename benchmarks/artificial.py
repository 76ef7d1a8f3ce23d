"""Municipalities that do not exist, as many as wanted, in the packaged declaration."""

from __future__ import annotations

from typing import Final

from topics.declaration import municipality_check_digit, read

_FIRST: Final = 90_000
"""no prefecture has a number above 47: nobody's code"""


def codes(count: int) -> list[str]:
    """The codes of so many artificial municipalities, each with its check digit."""
    return [f"{five}{municipality_check_digit(five)}" for five in (str(_FIRST + n) for n in range(count))]


def declared(count: int, teams: int | None = None) -> str:
    """The packaged declaration with so many artificial municipalities in place of its own, and `teams` tax items."""
    text = read()
    head, rest = text.split("tenants:\n", 1)
    tail = rest[rest.index("tax_items:") :]
    rows = "".join(
        f'  - {{code: "{code}", name: 架空市{n:04d}, name_en: Artificial City {n:04d}, artificial: true}}\n'
        for n, code in enumerate(codes(count))
    )
    if teams is not None:
        before, behind = tail.split("tax_items: [", 1)
        items, after = behind.split("]", 1)
        tail = f"{before}tax_items: [{', '.join(items.split(', ')[:teams])}]{after}"
    return f"{head}tenants:\n{rows}\n{tail}"
