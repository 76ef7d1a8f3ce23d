"""The index of the runbooks: `python -m monitoring.prometheus.runbooks [FILE]`; the pages are written by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from monitoring.prometheus.base import Alert, Severity, in_seconds
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.rules import groups
from schemas.pages import write_page

PAGE: Final = Path("docs/runbooks/alerts/README.md")
_WORDS: Final = {Severity.PAGE: "page 即時", Severity.TICKET: "ticket 勤務時間内", Severity.NOTICE: "notice 報告時"}
_INTRODUCTION: Final = """\
# Alerts

Written by `make docs` from `monitoring/prometheus`; do not edit. Each alert has a page: what it means, likely causes,
what to look at, what to do, when to escalate. `page` is told at any hour, `ticket` in service hours, `notice` with the
reports. The last column names what explains an alert: while that fires, nobody is told of this one.
"""


def page() -> str:
    """Return the index as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for group in groups(Limits.packaged()):
        yield f"## {group.name.capitalize()}"
        yield ""
        yield "| alert | severity | team | after | meaning | 意味 | explained by |"
        yield "|---|---|---|---|---|---|---|"
        yield from (_row(rule) for rule in group.rules if isinstance(rule, Alert))
        yield ""


def _row(alert: Alert) -> str:
    explained = ", ".join(f"[{each.by}]({each.by}.md)" for each in alert.silenced_by)
    cells = (
        f"[{alert.name}]({alert.name}.md)",
        _WORDS[alert.severity],
        alert.team.value,
        alert.lasts if in_seconds(alert.lasts) else "",
        _plain(alert.summary_en),
        _plain(alert.summary_ja),
        explained,
    )
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """A summary with what is filled in as `<label>`."""
    for before, after in (("{{ $labels.", "<"), ("{{ $value | ", "<"), ("{{ $value", "<value"), (" }}", ">")):
        text = text.replace(before, after)
    return text.replace("<", "‹").replace(">", "›")


def main(arguments: list[str]) -> int:
    """Write the index."""
    return write_page(page(), arguments, PAGE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
