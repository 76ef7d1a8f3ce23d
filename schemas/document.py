"""Writes docs/rules.md and docs/masks.md from their tables: `python -m schemas.document [FOLDER]`.

The pages are committed; a test fails when they are not what the tables say.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from schemas import judging, media, problems
from schemas.catalogue import Mask, Procedure, procedures
from schemas.mask_reasons import REASONS
from schemas.masks import mask
from schemas.rules import RULES, Rule, Severity
from schemas.rules.model import Parameter

FOLDER: Final = Path("docs")
NOTHING: Final = "—"
"""stands where not even the presence of an item is shown"""

_RULES: Final = """\
# Rules

Written by `make docs` from `schemas/rules/`, `schemas/media.py`, `schemas/judging.py` and `schemas/problems.py`;
do not edit.

In law the portal has accepted a filing before the hub sees it. So rules of substance refuse nothing: what they
find travels on inside the sealed review section, as JSON pointer and rule id, and never with the value. The portal
end and the review desk both judge; where they differ under the same table, that is a finding, too. Blank text
counts as absent. Text is kept as it was sent, whatever is found in it.

| severity | what it asks of the reviewer |
|---|---|
| `correct` | It cannot be right as it stands: ask the filer to correct it (補正). |
| `ask` | It may be right and rarely is: look again, or ask the filer (確認). |
| `note` | For the reviewer's information (参考). |

要確認 marks an article that was named from memory and not checked against the law; 地方税法第11条の9 was found in an
older text, and its number may have moved. 目録 is the catalogue of procedures (資料16-2), 本ハブ this product.
Procedures are numbered as in 資料16-2; E marks the nine existing ones (資料16-1).
"""

_MASKS: Final = """\
# Masks

Written by `make docs` from the contracts, `schemas/masks.py` and `schemas/mask_reasons.py`; do not edit.

What the helpdesk sees of each of the 144 items, and why. All people and numbers here are artificial. A test reads
this file and masks each example anew.

- `absent`: nothing, not even that something was filled in.
- `hidden`: ＊＊＊, of the same length whatever stands there.
- `name`: the first character (with its variation selector or sound mark), then ＊＊＊; of a name that begins with a
  digit, only ＊＊＊.
- `ward`: prefecture and ward or city, then ＊＊＊; only ＊＊＊ where none is recognised, or where a city stands without
  prefecture and house number and may be a family name.
- `last-four`: ＊＊＊ and the last four digits; only ＊＊＊ of what is not 8 to 11 digits (11 or 12 with +81) and
  separators.
- `plain`: the value; ＊＊＊ if it is longer than 40 characters, or has more than seven digits and is neither a date
  nor a 法人番号 with its check digit.

No mask trusts the item's name alone: people type numbers into the wrong place (decision 0011). An empty item is
shown as empty.
"""


def rules_page() -> str:
    """Return docs/rules.md."""
    return "\n".join(_rules_lines()) + "\n"


def masks_page() -> str:
    """Return docs/masks.md."""
    return "\n".join(_masks_lines()) + "\n"


def _rules_lines() -> Iterator[str]:
    counts = {each: sum(rule.severity is each for rule in RULES) for each in Severity}
    yield _RULES
    yield (
        f"{len(RULES)} rules of substance: " + ", ".join(f"{number} `{each}`" for each, number in counts.items()) + "."
    )
    yield ""
    yield "| rule | severity | procedures | finding | 指摘 | source |"
    yield "|---|---|---|---|---|---|"
    for rule in RULES:
        cells = (f"`{rule.id}`", f"`{rule.severity}`", _where(rule), rule.message, rule.message_ja, rule.source)
        yield _line(cells)
    yield "\n## Parameters\n"
    yield "A rule's parameters are part of the fingerprint by which the two ends know whether they judge alike.\n"
    yield "| rule | parameter | value |"
    yield "|---|---|---|"
    for rule in RULES:
        for name, value in rule.parameters.items():
            yield _line((f"`{rule.id}`", f"`{name}`", _value(value)))
    yield from _findings("Attachments", "Judged by first bytes and name; nothing is opened.", media.RULES)
    yield from _findings("Findings of both ends", "The portal's findings against the desk's.", judging.MESSAGES)
    desk = "They need what the desk has stored, and are judged anew whenever somebody looks."
    yield from _findings("Findings of the desk", desk, judging.AT_THE_DESK)
    yield "\n## Refusals\n"
    yield "What is no submission at all is refused at the portal end, before anything is sealed.\n"
    yield "| rule | problem | 理由 | what to do |"
    yield "|---|---|---|---|"
    for name, (english, japanese, hint) in problems.RULES.items():
        yield _line((f"`{name}`", english, japanese, hint))


def _findings(title: str, introduction: str, table: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """A table of findings that are no rules of substance; all of them have the severity `ask`."""
    yield f"\n## {title}\n"
    yield f"{introduction} Severity `{Severity.ASK}`.\n"
    yield "| rule | finding | 指摘 |"
    yield "|---|---|---|"
    for name, (english, japanese) in table.items():
        yield _line((f"`{name}`", english, japanese))


def _where(rule: Rule) -> str:
    """The numbers of the procedures in which a rule has something to say."""
    bound = [each for each in procedures().values() if rule.check(each) is not None]
    if len(bound) == len(procedures()):
        return "all"
    new, existing = [each for each in bound if each.items], [each for each in bound if not each.items]
    if len(new) == sum(bool(each.items) for each in procedures().values()) and not existing:
        return "1–9"
    return " ".join([*(str(each.number) for each in new), *(f"E{each.number}" for each in existing)])


def _value(value: Parameter) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f"`{''.join(map(_visible, value))}`"
    return " · ".join(value)


def _visible(character: str) -> str:
    """A character that a page can show, else its escape."""
    shown = unicodedata.category(character)[0] not in "CM"
    return character if shown else character.encode("ascii", "backslashreplace").decode()


def _masks_lines() -> Iterator[str]:
    yield _MASKS
    yield _counts()
    for procedure in procedures().values():
        if procedure.items:
            yield f"\n## {procedure.number}. {procedure.label} (`{procedure.slug}`)\n"
            yield "| no. | item | 項目 | type | mask | example | shown | why |"
            yield "|---|---|---|---|---|---|---|---|"
            yield from map(_line, _mask_rows(procedure))


def _counts() -> str:
    every = [item.mask for procedure in procedures().values() for item in procedure.items]
    return f"{len(every)} items: " + ", ".join(f"{every.count(each)} `{each}`" for each in Mask) + "."


def _mask_rows(procedure: Procedure) -> Iterator[tuple[str, ...]]:
    for item in procedure.items:
        example, reason = REASONS[procedure.slug][item.name]
        shown = mask(item.mask, example)
        yield (
            str(item.seq),
            f"`{item.name}`",
            item.label,
            item.type.value,
            f"`{item.mask}`",
            example,
            NOTHING if shown is None else shown,
            reason,
        )


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(each.replace("|", "\\|").replace("\n", " ") for each in cells) + " |"


def main(arguments: list[str]) -> int:
    """Write the pages to the folder given, or to docs."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.md").write_text(rules_page(), encoding="utf-8")
    (folder / "masks.md").write_text(masks_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
