"""Makes the document of a basis: sections, tables and charts in the order in which an officer reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from monitoring.report import measures
from monitoring.report.document import Conclusion, Document, Heading, Part, Remark, Signatures, Table, Text
from monitoring.report.judging import Check, Verdict, judge, to_look_at
from monitoring.report.model import Basis
from monitoring.report.parts import clean
from monitoring.report.sections import filings, log, use
from monitoring.report.words import at, number, period

_SEALS: Final = ("承認", "確認", "作成")


def compose(basis: Basis) -> Document:
    """Return the whole report."""
    checks = judge(basis)
    kind = "月次" if basis.period.monthly else "日次"
    organisation = clean(basis.organisation)
    parts: list[Part] = [
        *_front(basis, checks),
        Heading("１　判定の内訳"),
        _checks(checks),
        Heading("２　個人情報保護対策チェックリスト（システム上の対策）との対応"),
        Table(
            "",
            ("対策（チェックリストの文言）", "期間内の記録", "判定"),
            measures.rows(basis, checks),
            (52, 34, 14),
        ),
        Heading("３　届出の流れ"),
        *filings.flow(basis),
        Heading("４　所要時間"),
        *filings.delays(basis),
        Heading("５　ネットワークの監視"),
        *use.network(basis),
        Heading("６　利用・アクセスの状況"),
        *use.access(basis),
        Heading("７　ログ分析の検出事項"),
        *log.findings(basis),
        Heading("８　隔離記録"),
        *filings.letters(basis),
        Heading("９　処理プロセス・警報・運用操作"),
        *use.running(basis),
        Heading("１０　操作ログの完全性"),
        *log.lines(basis),
        Heading("１１　保存期間・バックアップ"),
        *log.keeping(basis),
        Heading("１２　所見"),
        Remark("担当者の所見・対応", 4),
        Remark("承認者の指示", 2),
    ]
    return Document(
        title=f"定期分析報告書（{kind}）",
        subtitle="システム・ネットワークの監視及びログの分析",
        organisation=organisation,
        footer=f"{organisation}　定期分析報告書（{kind}）　{basis.period.name}",
        identity=basis.sha256,
        made_at_ms=basis.taken_at_ms,
        parts=tuple(parts),
    )


def _front(basis: Basis, checks: dict[str, Check]) -> Iterable[Part]:
    if basis.artificial or basis.namespace == "rehearsal":
        yield Text("【仮稼働テスト】架空のデータによる報告です。", strong=True)
    log, audit, span = basis.log, basis.audit, basis.period
    serials = [
        f"{label} 第{each}号"
        for label, each in (("信頼一覧", basis.trust_serial), ("構成宣言", basis.declaration_serial))
        if each is not None
    ]
    yield Table(
        "",
        (),
        (
            ("団体", f"{clean(basis.organisation)}（団体コード {clean(basis.tenant)}）"),
            ("対象期間", period(span.name, span.begin_ms, span.end_ms)),
            ("作成日時", f"{at(basis.taken_at_ms)}（日本標準時）"),
            ("システム", f"eltax-hub {clean(basis.version)}　環境 {clean(basis.namespace)}　{'、'.join(serials)}"),
            (
                "操作ログの基準",
                "資料なし"
                if log is None or log.checkpoint is None
                else f"チェックポイント {number(log.checkpoint.size)}行　{log.checkpoint.root}",
            ),
            ("監査記録の基準", "資料なし" if audit is None else f"{number(audit.size)}件　{audit.root}"),
            ("基礎資料の識別", f"SHA-256　{basis.sha256}"),
        ),
        (16, 84),
    )
    yield Signatures(_SEALS, "／　／")
    count = to_look_at(checks.values())
    said = [f"届出の到達：{checks['whole'].verdict.value}。{checks['whole'].said}"]
    if count:
        names = "、".join(each.name for each in checks.values() if each.verdict is not Verdict.GOOD)
        said.append(f"確認を要する項目：{names}")
    yield Conclusion("結論：異常なし" if not count else f"結論：要確認 {number(count)}件", tuple(said))


def _checks(checks: dict[str, Check]) -> Table:
    rows = tuple((each.name, each.verdict.value, each.said) for each in checks.values())
    bad = frozenset(number for number, row in enumerate(rows) if row[1] != Verdict.GOOD.value)
    return Table("", ("確認項目", "判定", "根拠となる数値"), rows, (23, 11, 66), strong=bad)
