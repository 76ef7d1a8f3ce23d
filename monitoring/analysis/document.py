"""Writes docs/analysis.md from the rules' table: `python -m monitoring.analysis.document [FILE]`.

The page is committed; a test fails when it is not what the table says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from monitoring.analysis.rules import RULES
from monitoring.analysis.rules.base import DAY, PROBING, Measure, Rule
from monitoring.analysis.settings import AnalysisSettings
from monitoring.analysis.silence import RULE, SEVERITY
from monitoring.analysis.windows import KEPT_MS, MAX_HOURS, MAX_MARKS
from schemas.pages import write_page

PAGE: Final = Path("docs/analysis.md")

_INTRODUCTION: Final = """\
# Analysis of the operations log

Written by `make docs` from `monitoring/analysis`; do not edit.

`eltax-hub monitor analyse` reads `<ns>.operations` as the principal `analysis` (`pip install 'eltax-hub[analysis]'`:
Faust) and looks for what people and peers should not do. It sees lines, never a submission: a finding names an account,
a principal, an address or a fingerprint. Whether there was a reason, a person finds out. `eltax-hub up` runs it beside
the rest (`--no-analysis` leaves it out).

```
<ns>.operations ─> signatures and chains ─> marks ─> <ns>.analysis-marks ─> windows ─> findings
 (each line)         (hub.envelope)        by subject                       │  ^
                                                       <ns>.analysis-state ─┘──┘ (their state, compacted)
```

A finding is written three times: as a line `finding` on `<ns>.operations` (`about` is the rule, `code` the finding's
id), as a row of `state/findings.sqlite3` that the periodic report (定期分析報告) reads, and in
`hub_analysis_findings_total{rule}`, which rings. It has the same id however often it is found: rule, subject, and the
clock hour or day (Japan) in which the threshold was reached. One that goes on is one finding for each such period.

## Rules
"""

_AFTER: Final = """\

## Time

Windows slide over the times at which lines say that things happened, not over when they came. A line counts once, by
log and sequence. The watermark (`hub_analysis_watermark_seconds`) is the time up to which everything must have come:
the newest line of each partition less `HUB_ANALYSIS_LATENESS_SECONDS`, or the present where nothing waits, and of all
partitions the least. What comes later is counted in `hub_analysis_late_total` and changes its windows all the same
while they are kept ({kept} hours behind the watermark); after that it is looked at by itself. A line from the future
moves nothing, nor do the lines of the analysis itself. Silence is judged when the watermark has passed it.

`monitor analyse --until 2026-02-01T00:00:00+09:00` analyses all that is there up to a moment, and ends.

## After a stop or a crash

The state of the windows lies in Kafka (`<ns>.analysis-state`); memory is filled from it at the start. (Faust could
keep it in RocksDB as well; that package is not installed, and the state is small: {hours:,} subject hours of {marks:,}
lines at most. Subjects beyond are seen together as `other`.) A batch is acknowledged when its findings are told and its
state is on all in-sync replicas, in this order; after `kill -9` it is done again, and what was found is recognised. A
process under the same instance name is given its partitions back at once. One instance runs at a time.

Where Kafka is away the analysis waits. Where its own operations log cannot be written it stops too: a finding that
nobody can look up later is none.

## What it does not see

Whoever may write `<ns>.analysis-marks` or `<ns>.analysis-state` (the principal `analysis`, and who operates the
brokers) can hide findings: neither is signed. The lines themselves are signed and chained: with both topics emptied and
the group `<ns>.analysis` deleted everything is found again. A log that somebody withholds as a whole shows as a silent
peer, if that peer is watched.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "| rule | 名称 | severity | subject | looks at | found from | within | once per |"
    yield "|---|---|---|---|---|---|---|---|"
    for rule in RULES:
        yield _row(rule)
    minutes = ", ".join(f"{name} {count} minutes" for name, count in AnalysisSettings().silent_minutes.items())
    yield (
        f"| `{RULE}` | 無応答 | {SEVERITY.value} | a principal that must be heard | any line of it | "
        f"silence longer than declared ({minutes}) | | silence |"
    )
    yield ""
    yield "## What they mean, and what to do"
    for rule in RULES:
        yield ""
        yield f"**`{rule.name}` ({rule.ja})** {rule.en} {rule.do} Measures: {', '.join(rule.measures)}."
    yield ""
    yield (
        f"**`{RULE}` (無応答)** A principal that must be heard wrote no line for longer than declared, and did not say "
        "that it stopped. Look whether its process, its machine and its way to the brokers are there. Measures: "
        "monitoring-and-access-log, redundancy-and-backup."
    )
    yield ""
    yield "## Settings"
    yield ""
    yield "| setting | default | meaning |"
    yield "|---|---|---|"
    defaults = AnalysisSettings()
    for name, field in AnalysisSettings.model_fields.items():
        value = getattr(defaults, name)
        shown = ", ".join(sorted(value)) if isinstance(value, frozenset) else "" if value is None else str(value)
        yield f"| `HUB_ANALYSIS_{name.upper()}` | {f'`{shown}`' if shown and value else ''} | {field.description} |"
    yield ""
    yield (
        f"Lists and mappings are JSON. Principals and addresses in `HUB_ANALYSIS_PROBING` are refused all the time, on "
        f"purpose: for them `refused-handshakes` and `denials` begin at {PROBING} times the threshold."
    )
    yield _AFTER.format(kept=KEPT_MS // 3_600_000, hours=MAX_HOURS, marks=MAX_MARKS)


def _row(rule: Rule) -> str:
    kinds = " ".join(f"`{kind.value}`" for kind in sorted(rule.kinds))
    subject = {"access": "account", "administration": "account", "handshake": "address", "peer": "principal"}
    about = subject.get(rule.family.value, "principal that wrote")
    group = f", {rule.group.value}" if rule.group.value else ""
    each = rule.measure is Measure.EACH
    start = "the first line" if each else f"{rule.threshold:,} {rule.measure.value}"
    return (
        f"| `{rule.name}` | {rule.ja} | {rule.severity.value} | {about}{group} | {kinds} | {start} | "
        f"{'' if each else _span(rule.window)} | {'day' if rule.period == DAY else 'hour'} |"
    )


def _span(window: timedelta) -> str:
    minutes = window // timedelta(minutes=1)
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def main(arguments: list[str]) -> int:
    """Write the page to the file given, or to docs/analysis.md."""
    return write_page(page(), arguments, PAGE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
