"""Writes docs/logging-duty.md: `python -m monitoring.logging_duty [FILE]`.

Each measure on logging and monitoring → metrics, events, panels, alerts, retention. The page is committed; a test fails
when it is not what code says, or when something promised in monitoring/duties.py is no more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hub.envelope.operations import CLASS_OF, Class
from monitoring.declared import BY_NAME, METRICS
from monitoring.duties import DUTIES, ELSEWHERE, Duty
from monitoring.grafana.board import Row
from monitoring.grafana.boards import BOARDS
from monitoring.measures import Listed, diagram, lists, measures
from monitoring.operations.settings import OperationsSettings
from monitoring.prometheus.rules import all_alerts
from schemas.pages import write_page
from topics.declaration import load

PAGE: Final = Path("docs/logging-duty.md")
_FOLDED: Final = 12
BOXES: Final = {"operational": "運用上の対策", "system": "システム上の対策", "channel": "通信路"}

_INTRODUCTION: Final = """\
# ログ・監視の義務 / The logging duty

Written by `make docs` from `monitoring/duties.py`, the declared metrics, boards and rules; do not edit.

新宿区の個人情報保護対策チェックリスト（資料16）のうち、ログの取得と監視に関わる対策ごとに、本ソフトが何を計測し（メトリクス）、
何を記録し（操作記録）、どこに示し（画面）、何を通報し（警報）、どれだけ保存するかを示す。太字は、その対策を担うものとして
名指しされたものであり、なくなれば試験が失敗する。

Each measure on logging and monitoring: what is measured, what is logged, where it is shown, what is told, how long it
is kept. What is bold carries the duty by name; a test fails when it is no more. The rest declares itself to serve the
measure. Metrics: [metrics.md](metrics.md). Boards: [watching.md](watching.md). Runbooks: `docs/runbooks/alerts`.
"""


def rows() -> dict[tuple[str, str], Row]:
    """Return (board's slug, row's English title) → row, of all boards."""
    return {(board.slug, row.en): row for board in BOARDS for row in board.rows}


def retention_days() -> dict[Class, int]:
    """Return for how many days lines of a class are kept, as the settings have it where nobody sets them."""
    return OperationsSettings.model_construct().retention_days


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for duty in DUTIES:
        yield from _section(duty)
    yield from _retention()
    yield from _drawn()
    yield "## ログ・監視によらない対策 / Measures that logging does not fulfil\n"
    yield "| 対策 | 内容 | 担うもの / fulfilled by |"
    yield "|---|---|---|"
    for slug, why in ELSEWHERE.items():
        yield f"| `{slug}` | {measures()[slug].ja} | {why} |"


def _section(duty: Duty) -> Iterator[str]:
    measure = measures()[duty.measure]
    yield f"## `{duty.measure}`\n"
    yield f"> {measure.ja}\n"
    yield f"{measure.en}  "
    yield f"{_stands_in(measure.lines)}\n"
    yield f"**本ソフト**: {duty.ja}  "
    yield f"{duty.en}\n"
    also = [metric.name for metric in METRICS if duty.measure in metric.measures and metric.name not in duty.metrics]
    known = all_alerts()
    alerts = [name for name, alert in known.items() if duty.measure in alert.measures and name not in duty.alerts]
    yield "| | |"
    yield "|---|---|"
    yield f"| メトリクス / metrics | {_names((BY_NAME[name].name for name in duty.metrics), also)} |"
    kept = retention_days()
    classes = sorted({CLASS_OF[kind] for kind in duty.kinds})
    yield f"| 操作記録 / events | {_names((kind.value for kind in duty.kinds), ())} |"
    shown = [(board.slug, row) for board in BOARDS for row in board.rows if duty.measure in row.measures]
    promised = [(slug, rows()[slug, title]) for slug, title in duty.rows]
    rest = [each for each in shown if each not in promised]
    said = [f"**{slug}: {row.title}**" for slug, row in promised] + [f"{slug}: {row.title}" for slug, row in rest]
    yield f"| 画面 / panels | {'<br>'.join(said)} |"
    yield f"| 警報 / alerts | {_names((known[name].name for name in duty.alerts), alerts)} |"
    days = "、".join(f"`{each.value}` {kept[each]:,}日" for each in classes)
    yield f"| 保存期間 / retention | {days} |"
    yield ""


def _stands_in(found: tuple[Listed, ...]) -> str:
    said = (f"{lists()[line.list_id][0]}（{line.actor}）{line.number} {line.mark}" for line in found)
    return "資料16 " + "、".join(said)


def _names(promised: Iterable[str], also: Sequence[str]) -> str:
    """The promised ones in bold, then the others, folded where they are many."""
    rest = ", ".join(f"`{name}`" for name in also)
    if len(also) > _FOLDED:
        rest = f"<details><summary>ほか {len(also)}</summary>{rest}</details>"
    return ", ".join(filter(None, [*(f"**`{name}`**" for name in promised), rest]))


def _retention() -> Iterator[str]:
    yield "## 保存期間 / Retention\n"
    yield "| 区分 / class | 記録の種類 / kinds | 日数 / days | 設定 / setting |"
    yield "|---|---|---|---|"
    for each, days in retention_days().items():
        kinds = ", ".join(f"`{kind.value}`" for kind, of in CLASS_OF.items() if of is each)
        yield f"| `{each.value}` | {kinds} | {days:,} | `HUB_OPERATIONS_RETENTION_{each.name}` |"
    hours = load().topics["operations"].retention_hours
    assert hours is not None
    yield ""
    yield (
        f"収集されるまでの操作記録は、トピック `<ns>.operations` に{hours // 24}日残る（`topics/declaration.yaml`）。"
        "メトリクスはPrometheusの `--storage.tsdb.retention.time` で決める。  "
    )
    yield (
        f"Until it is collected, a line stays on `<ns>.operations` for {hours // 24} days. "
        "Metrics stay as Prometheus is told."
    )
    yield ""


def _drawn() -> Iterator[str]:
    yield "## 業務フロー図（資料16-1）の対策 / The measures in the flow diagram\n"
    yield "| 枠 / box | 図の記載 | 対策 / measure | |"
    yield "|---|---|---|---|"
    watched = {duty.measure for duty in DUTIES}
    for each in diagram():
        where = f"[上記](#{each.measure})" if each.measure in watched else "下表"
        yield f"| {BOXES[each.box]} | {each.ja} | `{each.measure}` | {where} |"
    yield ""


def main(arguments: list[str]) -> int:
    """Write the page to the file given, or to docs/logging-duty.md."""
    return write_page(page(), arguments, PAGE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
