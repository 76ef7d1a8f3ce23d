"""Writes docs/export.md from the columns: `python -m consumers.review.export.document [FILE]`.

The page is committed; a test fails when it is not what the columns say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from consumers.review.export.characters import TWINS
from consumers.review.export.columns import (
    ERASED_FORM,
    FIXED,
    PREFIX,
    REPLACED_FORM,
    VERSION,
    WITHDRAWN_FORM,
    Column,
    FileForm,
    digest,
    forms_of,
)
from schemas.catalogue import procedures
from schemas.pages import write_page

PAGE: Final = Path("docs/export.md")

_INTRODUCTION: Final = """\
# Files for other systems

Written by `make docs` from `consumers/review/export/`; do not edit.

`eltax-hub review export --to DIR --series NAME --password-file FILE` hands accepted submissions over as CSV
in one encrypted ZIP, `<namespace>-<tenant>-<series>-<run>.zip`.

## What is handed over, and how often

- A *series* is one receiving system. Each acceptance goes to each series **once**, in the order of
  decisions. A *run* is one file; it has a number, counted over all series of a desk, and names in
  `previous` the run of its series before it.
- An acceptance that is revoked later stands in `withdrawn.csv` of the next run of the series, with the run
  and revision that hold no more. Accepted anew, the submission is a new row with a higher `hub_revision`.
- A run is fixed when its rows are claimed. Decisions that come while the file is written belong to the next
  run.
- The file appears under its name whole, or not at all. An interrupted run is finished first by the next
  export of its series, with the same rows; if its file was in its place already, it is left as it is.
- `review export --again RUN` gives the same CSV, byte for byte. Rows whose content was erased since are
  left out, listed in `erased.csv` and said; the command then ends with 1.
- A row that cannot be written (characters, damage) is left out and told; it waits, the others go. The
  command then ends with 1.
- To its receiver a file is known by tenant, series and run: a run that was taken in already is put aside.
- `review exports` lists the runs and who took out which file when.

## Text

RFC 4180: comma, CRLF after every line, quotes doubled. The first line names the columns. A field that is
absent is empty; a text that is empty is `""`. Text is what was filed, character for character, line breaks
included.

A **text** that begins with one of `= + - @`, tab, CR, LF or `＝ ＋ － ＠ −` (U+2212), which a spreadsheet may
take for a formula, has one apostrophe `'` in front; so has a text that begins with an apostrophe. **To get
the text back, take one apostrophe away from the start of every text field that has one.** Numbers never
have it: -500 yen is `-500`. Leading zeros of numbers that are texts (個人番号, codes) are in the file; a
spreadsheet that opens it without being told drops them.

## Characters

UTF-8 files begin with a byte order mark. CP932 files (Windows-31J, no mark) cannot hold every character:

- `--on-missing refuse` (the default) leaves the row out and tells receipt, file, row, column and code
  point, never the text.
- `--on-missing replace` writes 〓 (U+3013, or `--replacement`) for each code point, and lists every place in
  `replaced.csv`. Characters that CP932 has as a full-width twin become that twin: {twins}. A variation
  selector is a code point of its own.
- U+E000 to U+E757 (外字, user-defined) are written as themselves and listed in `replaced.csv`: what they show
  depends on the font.

## The archive

Every member is deflated and encrypted with AES-256 (WinZip AE-2: 7-Zip and other programs that know
WinZip's encryption open it, the ZIP folders of Windows do not). The format derives its key with 1,000
rounds only: the password has 16 to 128 characters, at random, and goes another way than the file. Names and
sizes of members can be seen without it. `manifest.json`:

| key | meaning |
|---|---|
| `format` | `eltax-hub-export/1` |
| `namespace`, `tenant`, `series`, `run`, `previous` | which file this is; `rehearsal…` holds artificial people only |
| `claimed_at` | when the run was fixed |
| `encoding`, `on_missing`, `replacement` | as declared |
| `columns` | version and SHA-256 of this page's columns |
| `rows`, `withdrawn`, `erased` | submissions, withdrawals, rows left out because they were erased |
| `files` | name, rows (without the first line), bytes and SHA-256 of each CSV |

`eltax-hub review export --verify FILE --password-file FILE` checks a file against its manifest and needs
nothing else.

## Columns, version {version}

SHA-256 `{digest}`. Another version adds, drops or moves columns; within a version they stay as they are.
Dates are written as filed, and beside it in `<name>_parsed` as YYYY-MM-DD; times are Japan's.
"""

_COLUMNS: Final = "| | column | form | at most | meaning | 意味 |\n|---:|---|---|---:|---|---|"


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join(_lines()).rstrip("\n") + "\n"


def _lines() -> Iterator[str]:
    twins = ", ".join(f"{was} (U+{ord(was):04X}) → {becomes}" for was, becomes in TWINS.items())
    yield _INTRODUCTION.format(twins=twins, version=VERSION, digest=digest())
    yield "### Fixed columns of `<procedure>.csv`"
    yield ""
    yield from _table(FIXED, 1)
    items = [each for each in procedures().values() if each.items]
    for procedure in items:
        main, *groups = forms_of(procedure.slug)
        yield f"### `{main.name}`: {procedure.label}"
        yield ""
        yield f"The {len(FIXED)} fixed columns, then"
        yield ""
        yield from _table(main.columns[len(FIXED) :], len(FIXED) + 1)
        for group in groups:
            yield from _whole(group, f"one line for each row of `{group.group}`; belongs to the submission of the same")
    yield "### Procedures without items"
    yield ""
    yield "They are filed as attachments; their files have the fixed columns alone: " + ", ".join(
        f"`{each.slug}.csv` ({each.label})" for each in procedures().values() if not each.items
    )
    yield ""
    yield from _whole(WITHDRAWN_FORM, "")
    yield from _whole(REPLACED_FORM, "")
    yield from _whole(ERASED_FORM, "")


def _whole(form: FileForm, about: str) -> Iterator[str]:
    yield f"### `{form.name}`"
    yield ""
    if about:
        yield f"{about[0].upper()}{about[1:]} `{PREFIX}event_id` and `{PREFIX}revision`."
        yield ""
    yield from _table(form.columns, 1)


def _table(columns: tuple[Column, ...], first: int) -> Iterator[str]:
    yield _COLUMNS
    for number, column in enumerate(columns, first):
        most = str(column.longest) if column.longest else ""
        yield f"| {number} | `{column.name}` | {column.form.value} | {most} | {column.meaning} | {column.meaning_ja} |"
    yield ""


def main(arguments: list[str]) -> int:
    """Write the page to the file given, or to docs/export.md."""
    return write_page(page(), arguments, PAGE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
