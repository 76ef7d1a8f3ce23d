"""Makes the document of a basis: sections, tables and charts in the order in which an officer reads them. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from hub.envelope.operations import CLASS_OF, Class, Kind
from monitoring.report import measures
from monitoring.report.charts import Chart, Series
from monitoring.report.document import (
    Conclusion,
    Document,
    Heading,
    Part,
    Picture,
    Remark,
    Signatures,
    Table,
    Text,
)
from monitoring.report.judging import Check, Verdict, judge, place, to_look_at
from monitoring.report.model import DELAY_EDGES_MS, OTHERS, Basis, Counted, Use
from monitoring.report.words import (
    CLASSES,
    CONTROLS,
    KINDS,
    PLACES,
    at,
    hours,
    number,
    period,
    seconds,
    share,
    short,
    slots,
)

_ROWS: Final = 30
"""rows of a table at most; what is more is counted in its last row and stands in the JSON file"""
_FINDINGS: Final = 60
_SEALS: Final = ("承認", "確認", "作成")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SEVERITIES: Final = {"page": "緊急", "ticket": "要対応", "notice": "参考"}
_OUTCOMES: Final = {
    "ok": "適合",
    "refused": "適合",
    "accepted": "不適合",
    "failed": "不適合あり",
    "unknown": "判定できず",
}
_ATTACHMENT: Final = ("attachment-part", "添付ファイルの分割部分")


def clean(text: str, most: int = 80) -> str:
    """Return a text from outside as it may be drawn: nothing invisible or steering, and not endless."""
    shown = "".join(
        each if unicodedata.category(each) not in _UNSEEN else f"[U+{ord(each):04X}]" for each in text[: most + 1]
    )
    return shown if len(text) <= most else f"{shown[:most]}…"


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
        *_flow(basis),
        Heading("４　所要時間"),
        *_delays(basis),
        Heading("５　ネットワークの監視"),
        *_network(basis),
        Heading("６　利用・アクセスの状況"),
        *_access(basis),
        Heading("７　ログ分析の検出事項"),
        *_findings(basis),
        Heading("８　隔離記録"),
        *_letters(basis),
        Heading("９　処理プロセス・警報・運用操作"),
        *_running(basis),
        Heading("１０　操作ログの完全性"),
        *_log(basis),
        Heading("１１　保存期間・バックアップ"),
        *_keeping(basis),
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


def _flow(basis: Basis) -> Iterable[Part]:
    held = [(label, place(basis, kind)) for kind, label in PLACES.items()]
    yield Table(
        "受付から保存までの件数（受付時刻が対象期間のもの）",
        ("箇所", "保有", "未確認", "60秒超", "送信中", "無効", "隔離", "内容の識別（ハッシュ値の合計）"),
        tuple(
            (label, *(["資料なし"] + ["－"] * 6))
            if found is None
            else (
                label,
                *(
                    number(each)
                    for each in (
                        found.held,
                        found.unconfirmed,
                        found.confirmed_late,
                        found.pending,
                        found.void,
                        found.dead_letters,
                    )
                ),
                found.digest[:16],
            )
            for label, found in held
        ),
        (22, 9, 9, 10, 9, 7, 7, 28),
        frozenset(range(1, 7)),
    )
    desks = [(label, dict(found.by_procedure)) for label, found in held[1:] if found is not None]
    labels = dict((_ATTACHMENT, *basis.labels))
    names = sorted({name for _, each in desks for name in each}, key=lambda name: (name not in labels, name))
    shown = [(clean(labels.get(name, name)), *(number(each.get(name, 0)) for _, each in desks)) for name in names]
    if shown:
        yield Table(
            "手続別の件数",
            ("手続", *(label for label, _ in desks)),
            _limited(shown),
            (52, *([48 // len(desks)] * len(desks))),
            frozenset(range(1, 1 + len(desks))),
        )
    captions = _captions(basis)
    review, portal = place(basis, "review"), place(basis, "portal")
    counted = portal if portal is not None else review
    if counted is not None:
        yield _picture("受付件数の推移", "件", captions, [Series("受付", counted.by_slot)])


def _delays(basis: Basis) -> Iterable[Part]:
    review = place(basis, "review")
    found = review.delays if review is not None else None
    if found is None:
        yield Text("審査部門の資料がありません。")
        return
    edges = [edge // 1_000 for edge in DELAY_EDGES_MS]
    captions = (*(f"{edge}秒以内" for edge in edges), f"{edges[-1]}秒超")
    yield Table(
        "作成から審査部門での保存までの時間（1件ごとの値から算出）",
        ("件数", "中央値", "99％値", "最大", "30秒以内", "30秒以内の割合"),
        (
            (
                number(found.count),
                *((seconds(each) if found.count else "－") for each in (found.p50, found.p99, found.longest)),
                number(found.within),
                share(found.within, found.count),
            ),
        ),
        (16, 16, 16, 16, 18, 18),
        frozenset(range(6)),
    )
    yield _picture("所要時間の分布", "件", captions, [Series("届出", found.spread)])


def _network(basis: Basis) -> Iterable[Part]:
    use = basis.use
    if use is None:
        yield Text("操作ログの資料がありません。")
        return
    yield _table(
        "ネットワーク検査",
        ("拒否すべき接続・操作", "適合", "不適合", "判定できず", "最後の結果", "最後の時刻"),
        (
            (
                clean(CONTROLS.get(each.control, each.control)),
                number(each.good),
                number(each.bad),
                number(each.unknown),
                _OUTCOMES.get(each.last_outcome) or clean(each.last_outcome),
                short(each.last_at_ms),
            )
            for each in use.probes
        ),
        (34, 10, 9, 12, 12, 23),
        {1, 2, 3},
    )
    yield Text("各検査は、拒否されるべき接続を実際に試み、拒否されたこと（適合）を記録したものです。")
    yield _counted("想定外の相手", ("アドレス", "名称", "件数"), use.peers_unexpected)
    yield _counted("権限外操作の拒否", ("主体", "対象", "件数"), use.denied)
    yield _table(
        "接続（TLS）の拒否",
        ("理由", "件数"),
        ((clean(name), number(count)) for name, count in use.handshakes_refused),
        (80, 20),
        {1},
    )
    yield _picture("拒否・想定外の推移", "件", _captions(basis), [Series("拒否・想定外", use.network_by_slot)])


def _access(basis: Basis) -> Iterable[Part]:
    use = basis.use
    if use is None:
        yield Text("操作ログの資料がありません。")
        return
    yield _picture("利用・アクセスの推移", "件", _captions(basis), [Series("利用", use.access_by_slot)])
    if basis.period.monthly:
        captions = tuple(f"{hour}時" for hour in range(24))
        yield _picture("時間帯別の利用", "件", captions, [Series("利用", use.access_by_hour)])
    yield _accounts(use)


def _accounts(use: Use) -> Table:
    """Accounts down, what they did across; those who did most come first."""
    by_account: dict[str, dict[str, int]] = {}
    for each in use.access:
        row = by_account.setdefault(each.name, {})
        row[each.about] = row.get(each.about, 0) + each.count
    ranked = sorted(by_account.items(), key=lambda item: (item[0] == OTHERS, -sum(item[1].values()), item[0]))
    kinds = [kind for kind, its in CLASS_OF.items() if its is Class.ACCESS]
    return _table(
        "利用者・操作別の件数",
        ("利用者", *(KINDS[kind] for kind in kinds), "計"),
        (
            (
                "その他" if account == OTHERS else clean(account) or "－",
                *(number(row.get(kind.value, 0)) for kind in kinds),
                number(sum(row.values())),
            )
            for account, row in ranked
        ),
        (24, *([9] * len(kinds)), 10),
        range(1, len(kinds) + 2),
        small=True,
    )


def _findings(basis: Basis) -> Iterable[Part]:
    found = basis.findings
    if found is None:
        yield Text("分析結果の資料がありません。")
        return
    titles, counts = dict(found.rules), dict(found.by_rule)
    yield _table(
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


def _letters(basis: Basis) -> Iterable[Part]:
    if basis.audit is None:
        yield Text("監査記録の資料がありません。")
        return
    words = {"replayed": "再送", "discarded": "破棄", "held": "窓口で保留"}
    groups = (("発生", basis.audit.dead_letters), ("受付拒否", basis.audit.refused), ("処理", basis.audit.resolved))
    yield _table(
        "期間内の隔離記録",
        ("区分", "理由・処理", "件数"),
        ((label, clean(words.get(name, name)), number(count)) for label, rows in groups for name, count in rows),
        (20, 60, 20),
        {2},
    )


def _running(basis: Basis) -> Iterable[Part]:
    use = basis.use
    if use is None:
        yield Text("操作ログの資料がありません。")
        return
    yield _table(
        "処理プロセス",
        ("処理", "起動", "停止", "異常", "中断", "ログ行数", "最後の状態", "最後の時刻", "設定の識別"),
        (
            (
                clean(each.principal),
                number(each.started),
                number(each.stopped),
                number(each.failed),
                number(each.paused),
                number(each.lines),
                KINDS.get(each.last_kind, "－"),
                "－" if each.last_at_ms < 0 else short(each.last_at_ms),
                "、".join(clean(one, 8) for one in each.configurations) or "－",
            )
            for each in use.processes
        ),
        (21, 7, 7, 7, 7, 10, 10, 19, 12),
        {1, 2, 3, 4, 5},
        small=True,
    )
    yield _counted("警報", ("コード", "処理", "件数"), use.alarms)
    yield _counted("運用操作", ("操作者", "操作", "件数"), use.commands)


def _log(basis: Basis) -> Iterable[Part]:
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
    yield _table(
        "欠落しているログ",
        ("処理", "ログの識別", "欠落した行"),
        (
            (clean(each.principal), clean(each.log, 16), f"{number(each.first)}～{number(each.last)}")
            for each in log.gaps
        ),
        (40, 30, 30),
    )
    if log.refused:
        yield _table(
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


def _keeping(basis: Basis) -> Iterable[Part]:
    yield _table(
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


def _captions(basis: Basis) -> tuple[str, ...]:
    return slots(basis.period.name, basis.period.begin_ms, basis.period.end_ms)


def _counted(caption: str, head: tuple[str, str, str], rows: Sequence[Counted]) -> Table:
    others = "その他"
    return _table(
        caption,
        head,
        (
            (
                others if each.name == OTHERS else clean(each.name) or "－",
                others if each.about == OTHERS else clean(each.about) or "－",
                number(each.count),
            )
            for each in rows
        ),
        (42, 42, 16),
        {2},
    )


def _table(
    caption: str,
    head: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    widths: tuple[int, ...],
    right: Iterable[int] = (),
    *,
    small: bool = False,
) -> Table:
    """A table that is never empty and never endless."""
    found = list(rows)
    kept = _limited(found) if found else (("該当なし", *([""] * (len(head) - 1))),)
    return Table(caption, head, kept, widths, frozenset(right), small=small)


def _limited(rows: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    if len(rows) <= _ROWS:
        return tuple(rows)
    blank = [""] * (len(rows[0]) - 1)
    return (*rows[:_ROWS], (f"ほか{number(len(rows) - _ROWS)}行（基礎資料を参照）", *blank))


def _picture(title: str, unit: str, captions: tuple[str, ...], series: Sequence[Series]) -> Picture:
    """A chart and its numbers: captions across, in as many blocks as fit the page."""
    across = 16 if len(captions) > 24 else 12
    rows: list[tuple[str, ...]] = []
    for start in range(0, len(captions), across):
        some = captions[start : start + across]
        pad = ("",) * (across - len(some)) if start else ()
        rows.append(("", *some, *pad))
        rows += [(each.name, *map(number, each.values[start : start + across]), *pad) for each in series]
    width = len(rows[0]) - 1
    lead = 12
    return Picture(
        Chart(title, unit, captions, tuple(series)),
        Table(
            f"{title}（{unit}）",
            (),
            tuple(rows),
            (lead, *([max(1, (100 - lead) // width)] * width)),
            frozenset(range(1, width + 1)),
            small=True,
            strong=frozenset(range(0, len(rows), 1 + len(series))),
        ),
    )
