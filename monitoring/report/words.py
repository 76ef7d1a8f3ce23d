"""Dates, numbers and names as officers of a city read them: 和暦 with 西暦, Japan Standard Time, Japanese labels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from hub.envelope.operations import Class, Kind
from hub.envelope.times import from_ms, in_japan
from monitoring.network.judgement import WORDS
from schemas.dates import ERAS

_WEEKDAYS: Final = "月火水木金土日"

PLACES: Final[Mapping[str, str]] = {
    "portal": "受付（ポータル側）",
    "audit": "振分・監査記録",
    "review": "審査部門 保存",
    "helpdesk": "問合せ窓口 保存",
}
CLASSES: Final[Mapping[str, str]] = {
    Class.SYSTEM: "システム状態",
    Class.NETWORK: "ネットワーク",
    Class.ACCESS: "利用・アクセス",
    Class.ADMINISTRATION: "運用操作",
}
KINDS: Final[Mapping[str, str]] = {
    Kind.STARTED: "起動",
    Kind.STOPPED: "停止",
    Kind.FAILED: "異常終了",
    Kind.CONFIGURED: "設定の適用",
    Kind.ALARM: "警報",
    Kind.PAUSED: "処理の中断",
    Kind.RESUMED: "処理の再開",
    Kind.CONNECTED: "接続",
    Kind.DISCONNECTED: "切断",
    Kind.DENIED: "権限外操作の拒否",
    Kind.HANDSHAKE_REFUSED: "接続（TLS）の拒否",
    Kind.PROBED: "ネットワーク検査",
    Kind.PEER_UNEXPECTED: "想定外の相手",
    Kind.VIEWED: "閲覧",
    Kind.LISTED: "一覧表示",
    Kind.LOOKED_UP: "照会（窓口）",
    Kind.EXPORTED: "ファイル出力",
    Kind.DECIDED: "審査結果の登録",
    Kind.KEY_USED: "鍵の使用",
    Kind.PROVED: "証明の発行",
    Kind.LETTER_ENDED: "隔離記録の処理",
    Kind.COMMANDED: "運用コマンド",
    Kind.FINDING: "分析の検出",
}
CONTROLS: Final[Mapping[str, str]] = {
    **{control.value: japanese for control, (_, japanese) in WORDS.items()},
    "round": "検査の巡回（全項目・全経路）",
}
"""what the network watch tries and must find refused"""


def japanese_year(day: date) -> str:
    """Return 令和8年 for a day of 2026; before the eras that are known the year of the Common Era."""
    for era, (_, first, last) in reversed(ERAS.items()):
        if first <= day <= last:
            year = day.year - first.year + 1
            return f"{era}{'元' if year == 1 else year}年"
    return f"{day.year}年"


def on(day: date) -> str:
    """Return 令和8年11月26日（2026年11月26日 木）."""
    return (
        f"{japanese_year(day)}{day.month}月{day.day}日"
        f"（{day.year}年{day.month}月{day.day}日 {_WEEKDAYS[day.weekday()]}曜日）"
    )


def at(ms: int) -> str:
    """Return a moment, with the era and to the second: 令和8年11月26日（2026-11-26） 14:03:07."""
    local = _local(ms)
    return f"{japanese_year(local.date())}{local.month}月{local.day}日（{local:%Y-%m-%d}） {local:%H:%M:%S}"


def short(ms: int) -> str:
    """Return a moment for a table: 2026-11-26 14:03:07."""
    return f"{_local(ms):%Y-%m-%d %H:%M:%S}"


def period(name: str, begin_ms: int, end_ms: int) -> str:
    """Return the period in words: the day, or the month from its first to its last day."""
    begin = _local(begin_ms).date()
    if len(name) != len("YYYY-MM"):
        return on(begin)
    last = _local(end_ms - 1).date()
    return (
        f"{japanese_year(last)}{last.month}月分（{last.year}年{last.month}月、"
        f"{begin.month}月{begin.day}日から{last.month}月{last.day}日まで）"
    )


def number(value: int) -> str:
    """Return 1,234."""
    return f"{value:,}"


def seconds(ms: int) -> str:
    """Return milliseconds as seconds with two digits: 0.42秒."""
    return f"{ms / 1_000:,.2f}秒"


def share(part: int, whole: int) -> str:
    """Return a share in percent, rounded down so that 100.00 % means all."""
    return "－" if not whole else f"{part * 10_000 // whole / 100:.2f}％"


def hours(value: int | None) -> str:
    """Return a time of keeping: 90日, 36時間; None is until a person erases it."""
    if value is None:
        return "職員が消去するまで"
    return f"{value // 24:,}日" if value % 24 == 0 else f"{value:,}時間"


def slots(name: str, begin_ms: int, end_ms: int) -> tuple[str, ...]:
    """Return the captions of the parts that a period is counted in: hours of a day, days of a month."""
    if len(name) != len("YYYY-MM"):
        return tuple(f"{hour}時" for hour in range(24))
    begin, last = _local(begin_ms).date(), _local(end_ms - 1).date()
    days = [begin + timedelta(days=number) for number in range((last - begin).days + 1)]
    return tuple(f"{day.day}日" for day in days)


def slot_of(ms: int, begin_ms: int, *, monthly: bool) -> int:
    """Return in which part of the period a moment lies; Japan has no summer time, so all parts are equally long."""
    return (ms - begin_ms) // (86_400_000 if monthly else 3_600_000)


def hour_of(ms: int) -> int:
    """Return the hour of the day in Japan."""
    return _local(ms).hour


def _local(ms: int) -> datetime:
    return in_japan(from_ms(ms))
