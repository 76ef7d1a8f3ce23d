"""Draws a glance for a terminal, in Japanese; nothing is told by colour alone, no text from outside is obeyed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.output import visible
from hub.envelope.times import in_japan
from monitoring.glance.state import UNKNOWN, Answer, Glance, Process, Row, Stage, Whole

_ANSWERS: Final = {
    Answer.YES: ("✔ 全て到達", "bold green"),
    Answer.UNDER_WAY: ("… 処理中", "bold cyan"),
    Answer.NO: ("✘ 要確認", "bold red"),
    Answer.UNKNOWN: ("? 不明", "bold yellow"),
}
_REASONS: Final = {
    "unconfirmed": "未確認あり",
    "missing": "未着あり",
    "dead-letters": "隔離記録あり",
    "conflicts": "内容の異なる同一番号あり",
    "process-away": "応答しない処理あり",
    "no-lag": "遅れが不明",
    "behind": "処理待ちあり",
    "not-ready": "準備中の処理あり",
}
_STAGES: Final = {"router": "振分", "review": "審査", "helpdesk": "窓口", "audit": "監査"}
_OPERATIONS: Final = {
    "waiting": "送信待ち",
    "stopped": "閲覧・出力の停止",
    "missing": "欠落",
    "refused": "受付拒否",
    "unexpected-peers": "想定外の相手",
    "denials": "権限外の拒否",
    "late": "遅着",
}
_KINDS: Final = {"certificate": "証明書", "key": "鍵", "epoch": "鍵の期間", "peer": "相手の証明書"}
_REFUSES: Final = {1.0: ("✔ 拒否", "green"), UNKNOWN: ("? 判定できず", "yellow")}
_LISTED: Final = 8
WIDE: Final = 100
"""columns from which on tables stand side by side"""


def draw(glance: Glance, width: int) -> RenderableType:
    """Return what fills a terminal of that many columns."""
    parts: list[RenderableType] = [_whole(glance.whole, glance.at), _stages(glance.stages), _processes(glance)]
    boxes = [
        _rows("検出事項", glance.findings),
        _rows("警報", glance.alarms),
        _rows("隔離記録", glance.letters, note=_ago("最古", glance.letters_oldest)),
        _controls(glance),
        _expiries(glance.expiries),
        _operations(glance.operations),
    ]
    if width >= WIDE:
        for start in range(0, len(boxes), 3):
            line = Table.grid(expand=True, padding=(0, 1))
            for _ in range(3):
                line.add_column(ratio=1)
            line.add_row(*boxes[start : start + 3])
            parts.append(line)
    else:
        parts += boxes
    if glance.refused_lines:
        parts.append(Text(f"! 読めないメトリクス行 {glance.refused_lines:,}", style="yellow"))
    return Group(*parts)


def sentence(whole: Whole) -> str:
    """Return the answer in one line, with the numbers."""
    said = [
        f"受付 {_count(whole.accepted)}",
        f"振分 {_count(whole.routed)}",
        *(f"{_STAGES[desk]} {_count(count)}" for desk, count in whole.stored.items()),
        f"確認 {_count(whole.confirmed)}",
        f"待ち {whole.behind:,}",
        f"未確認 {whole.unconfirmed:,}",
        f"未着 {whole.missing:,}",
        f"隔離 {whole.letters:,}",
    ]
    reasons = "、".join(_REASONS.get(each, _shown(each)) for each in whole.reasons)
    return f"{_ANSWERS[whole.answer][0]}{f'（{reasons}）' if reasons else ''}　" + "　".join(said)


def _whole(whole: Whole, at: float) -> Panel:
    moment = in_japan(datetime.fromtimestamp(at, UTC))
    text = Text(sentence(whole), style=_ANSWERS[whole.answer][1], overflow="fold")
    text.append("\n受付はジャーナルの累計、振分から確認までは各処理の起動以降", style="not bold dim")
    return Panel(text, title=f"届出は全て在るべき所に在るか　{moment:%Y-%m-%d %H:%M:%S}", title_align="left")


def _stages(stages: Iterable[Stage]) -> Table:
    made = _table("流れ", ("段階", "件/秒", "累計", "遅れ", "p50", "p99"), right=range(1, 6))
    for each in stages:
        made.add_row(
            _STAGES.get(each.name) or _text(each.name),
            "-" if each.rate is None else f"{each.rate:,.1f}",
            f"{each.total:,}",
            f"{each.lag:,}",
            _seconds(each.p50),
            _seconds(each.p99),
        )
    return made


def _processes(glance: Glance) -> Table:
    made = _table("処理", ("処理", "状態", "CPU", "メモリ", "ループ遅れ", "稼働"), right=range(2, 6))
    for each in glance.processes:
        made.add_row(
            _text(each.name),
            _state(each),
            "-" if each.cpu is None else f"{each.cpu * 100:.0f}%",
            f"{each.memory / 2**20:,.0f} MiB" if each.up else "-",
            "-" if each.loop_lag is None else f"{each.loop_lag * 1_000:.1f} ms",
            _span(each.uptime) if each.up else "-",
        )
    return made


def _state(each: Process) -> Text:
    if not each.up:
        return Text("✘ 応答なし", style="red")
    if each.paused:
        return Text(f"! 中断 {_shown('、'.join(each.paused))}", style="yellow")
    if each.not_ready:
        return Text(f"… 準備中 {_shown('、'.join(each.not_ready))}", style="cyan")
    return Text("✔ 稼働", style="green")


def _rows(title: str, rows: Sequence[Row], note: str = "") -> Table:
    made = _table(title + note, ("名称", "対象", "件数"), right=(2,))
    for each in rows[:_LISTED]:
        made.add_row(_text(each.name), _text(each.about), f"{each.value:,.0f}")
    return _ended(made, rows, 3)


def _controls(glance: Glance) -> Table:
    ago = "（未実施）" if glance.watch_age is None else f"（前回 {_span(glance.watch_age)}前）"
    made = _table(f"拒否の検査{ago}", ("検査", "結果"))
    for each in glance.controls[:_LISTED]:
        said, style = _REFUSES.get(each.value, ("✘ 拒否しない", "bold red"))
        made.add_row(_text(each.name), Text(said, style=style))
    for each in glance.paths_down[:_LISTED]:
        made.add_row(_text(f"{each.name} → {each.about}"), Text("✘ 不通", style="red"))
    return _ended(made, (*glance.controls, *glance.paths_down), 2)


def _expiries(rows: Sequence[Row]) -> Table:
    made = _table("期限（種類ごとに最も近いもの）", ("種類", "対象", "残り日数"), right=(2,))
    for each in rows[:_LISTED]:
        kind, _, purpose = each.name.partition(" ")
        text = f"{each.value:,.1f}" if each.value >= 0 else f"✘ 期限切れ {each.value:,.1f}"
        made.add_row(_text(f"{_KINDS.get(kind, kind)} {purpose}".strip()), _text(each.about), text)
    return _ended(made, rows, 3)


def _operations(rows: Sequence[Row]) -> Table:
    made = _table("操作ログ", ("項目", "値"), right=(1,))
    for each in rows:
        made.add_row(_OPERATIONS.get(each.name) or _text(each.name), f"{each.value:,.0f}")
    return _ended(made, rows, 2)


def _ended(made: Table, rows: Sequence[Row], columns: int) -> Table:
    """No table is empty, and one that is cut says so."""
    if not rows:
        made.add_row("なし", *[""] * (columns - 1))
    elif len(rows) > _LISTED:
        made.add_row(f"ほか {len(rows) - _LISTED}", *[""] * (columns - 1))
    return made


def _table(title: str, columns: Sequence[str], right: Iterable[int] = ()) -> Table:
    made = Table(title=title, title_justify="left", header_style="bold", expand=True, box=None, pad_edge=False)
    wanted = set(right)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number in wanted else "left", overflow="fold", ratio=None)
    return made


def _text(value: str) -> Text:
    return Text(_shown(value))


def _shown(value: str) -> str:
    """A name from another process: shown, never obeyed, never long."""
    shown = visible(value).replace("\n", "\\n").replace("\t", " ")
    return shown if len(shown) <= 48 else f"{shown[:47]}…"


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return "> 5 分" if math.isinf(value) else f"≤ {value:g} s"


def _ago(word: str, seconds: float) -> str:
    return f"（{word} {_span(seconds)}）" if seconds else ""


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "日"), (3_600, "時間"), (60, "分")):
        if seconds >= size:
            return f"{seconds / size:.1f}{unit}"
    return f"{seconds:.0f}秒"
