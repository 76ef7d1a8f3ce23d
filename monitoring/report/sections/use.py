"""Sections on use: the network, who accessed what, processes and what operators did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hub.envelope.operations import CLASS_OF, Class
from monitoring.report.charts import Series
from monitoring.report.document import Part, Table, Text
from monitoring.report.model import OTHERS, Basis, Use
from monitoring.report.parts import captions_of, clean, counted, picture, table
from monitoring.report.words import CONTROLS, KINDS, number, short

_OUTCOMES: Final = {
    "ok": "適合",
    "refused": "適合",
    "accepted": "不適合",
    "failed": "不適合あり",
    "unknown": "判定できず",
}


def network(basis: Basis) -> Iterable[Part]:
    """What the network watch tried, who was unexpected, what was refused."""
    use = basis.use
    if use is None:
        yield Text("操作ログの資料がありません。")
        return
    yield table(
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
    yield counted("想定外の相手", ("アドレス", "名称", "件数"), use.peers_unexpected)
    yield counted("権限外操作の拒否", ("主体", "対象", "件数"), use.denied)
    yield table(
        "接続（TLS）の拒否",
        ("理由", "件数"),
        ((clean(name), number(count)) for name, count in use.handshakes_refused),
        (80, 20),
        {1},
    )
    yield picture("拒否・想定外の推移", "件", captions_of(basis), [Series("拒否・想定外", use.network_by_slot)])


def access(basis: Basis) -> Iterable[Part]:
    """Who looked at what, and when."""
    use = basis.use
    if use is None:
        yield Text("操作ログの資料がありません。")
        return
    yield picture("利用・アクセスの推移", "件", captions_of(basis), [Series("利用", use.access_by_slot)])
    if basis.period.monthly:
        captions = tuple(f"{hour}時" for hour in range(24))
        yield picture("時間帯別の利用", "件", captions, [Series("利用", use.access_by_hour)])
    yield _accounts(use)


def _accounts(use: Use) -> Table:
    """Accounts down, what they did across; those who did most come first."""
    by_account: dict[str, dict[str, int]] = {}
    for each in use.access:
        row = by_account.setdefault(each.name, {})
        row[each.about] = row.get(each.about, 0) + each.count
    ranked = sorted(by_account.items(), key=lambda item: (item[0] == OTHERS, -sum(item[1].values()), item[0]))
    kinds = [kind for kind, its in CLASS_OF.items() if its is Class.ACCESS]
    return table(
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


def running(basis: Basis) -> Iterable[Part]:
    """Processes, alarms and what operators did."""
    use = basis.use
    if use is None:
        yield Text("操作ログの資料がありません。")
        return
    yield table(
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
    yield counted("警報", ("コード", "処理", "件数"), use.alarms)
    yield counted("運用操作", ("操作者", "操作", "件数"), use.commands)
