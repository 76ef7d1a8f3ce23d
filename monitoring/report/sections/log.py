"""Sections on the operations log: what its analysis found, whether it is whole, how long it is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hub.envelope.operations import CLASS_OF, Kind
from monitoring.report.document import Part, Table, Text
from monitoring.report.model import Basis, Use
from monitoring.report.parts import clean, table
from monitoring.report.words import CLASSES, KINDS, hours, number, short

_FINDINGS: Final = 60
_SEVERITIES: Final = {"page": "緊急", "ticket": "要対応", "notice": "参考"}


def findings(basis: Basis) -> Iterable[Part]:
    """What the analysis of the operations log found."""
    found = basis.findings
    if found is None:
        yield Text("分析結果の資料がありません。")
        return
    titles, counts = dict(found.rules), dict(found.by_rule)
    yield table(
        "適用した規則と検出件数",
        ("規則", "内容", "検出"),
        (
            (clean(rule), clean(titles.get(rule, "")), number(counts.get(rule, 0)))
            for rule in [*titles, *(rule for rule in counts if rule not in titles)]
        ),
        (34, 54, 12),
        {2},
    )
    if not found.listed:
        yield Text("検出事項はありません。")
        return
    rows = [
        (
            f"{clean(titles.get(each.rule, each.rule))}（{_SEVERITIES.get(each.severity, clean(each.severity))}）",
            f"{short(each.begin_ms)}～\n{short(each.end_ms)}",
            clean(each.subject),
            number(each.count),
            "\n".join(_line_name(one) for one in each.evidence[:3])
            + (f"\nほか{len(each.evidence) - 3}" if len(each.evidence) > 3 else ""),
            "",
        )
        for each in found.listed[:_FINDINGS]
    ]
    yield Table(
        "検出事項（根拠は操作ログの行番号の先頭。全ての値は基礎資料にあります）",
        ("規則", "期間", "対象", "件数", "根拠", "担当者の所見"),
        tuple(rows),
        (19, 22, 15, 7, 17, 20),
        frozenset({3}),
        small=True,
    )
    if found.total > len(rows):
        yield Text(f"ほか{number(found.total - len(rows))}件は基礎資料（JSON）を参照してください。")


def _line_name(event_id: str) -> str:
    """The beginning of a log's id and the number of the line; the whole id stands in the figures."""
    log, _, line = event_id.rpartition("-")
    return f"{clean(log, 8)}-{clean(line, 20)}" if log else clean(line, 20)


def lines(basis: Basis) -> Iterable[Part]:
    """Whether the operations log is whole."""
    log, use = basis.log, basis.use
    if log is None or use is None:
        yield Text("操作ログの資料がありません。")
        return
    yield _classes(basis, use)
    point = log.checkpoint
    signed = "－" if point is None or point.signed_at_ms is None else short(point.signed_at_ms)
    yield Text(
        f"署名の検証：{'済み' if log.verified else '未了'}　チェックポイントの署名日時：{signed}"
        f"　欠落：{number(log.missing)}行"
    )
    yield table(
        "欠落しているログ",
        ("処理", "ログの識別", "欠落した行"),
        (
            (clean(each.principal), clean(each.log, 16), f"{number(each.first)}～{number(each.last)}")
            for each in log.gaps
        ),
        (40, 30, 30),
    )
    if log.refused:
        yield table(
            "受け付けなかった行",
            ("理由", "件数"),
            ((clean(name), number(count)) for name, count in log.refused),
            (80, 20),
            {1},
        )


def _classes(basis: Basis, use: Use) -> Table:
    return Table(
        "種別ごとの行数",
        ("種別", "行数", "うち内訳"),
        tuple((CLASSES.get(name, name), number(sum(counts)), _kinds_of(use, name)) for name, counts in use.by_class),
        (20, 14, 66),
        frozenset({1}),
    )


def _kinds_of(use: Use, name: str) -> str:
    return "、".join(f"{KINDS[kind]} {number(n)}" for kind, n in use.by_kind if CLASS_OF[Kind(kind)].value == name)


def keeping(basis: Basis) -> Iterable[Part]:
    """How long records are kept, and what an officer writes of backups."""
    yield table(
        "記録の保存期間",
        ("記録", "保存期間"),
        ((clean(each.what), hours(each.hours)) for each in basis.retention),
        (60, 40),
    )
    yield Text("バックアップの取得及び復元の確認は本システムの外で行われます。担当者が次に記入してください。")
    yield Table(
        "バックアップの確認（担当者記入）",
        ("対象", "最終取得日", "復元の確認日", "確認者"),
        tuple((name, "", "", "") for name in ("窓口の保存データ・監査記録", "鍵及び証明書", "操作ログ")),
        (34, 22, 22, 22),
    )
