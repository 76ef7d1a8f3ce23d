"""One glance: is everything that was filed where it must be?"""

from __future__ import annotations

from typing import Final

from monitoring.grafana.board import (
    AMBER,
    GREEN,
    ONE_IS_GOOD,
    RED,
    ZERO_IS_GOOD,
    Board,
    Column,
    Look,
    Panel,
    Query,
    Row,
)
from monitoring.grafana.boards.variables import PROCEDURE, TENANT
from monitoring.grafana.expressions import WHAT, grown, or_none, quantile, rate

ACCEPTED: Final = f'hub_portal_submissions_total{{outcome="accepted",{WHAT}}}'
ROUTED: Final = f"hub_router_events_total{{{WHAT}}}"
STORED: Final = f'hub_consumer_events_stored_total{{consumer="review",{WHAT}}}'
CONFIRMED: Final = f'hub_consumer_events_confirmed_total{{consumer="review",{WHAT}}}'
WITHIN_30_SECONDS: Final = (
    'sum(rate(hub_consumer_delay_seconds_bucket{consumer="review",le="30.0"}[$__range]))'
    ' / sum(rate(hub_consumer_delay_seconds_count{consumer="review"}[$__range]))'
)


def _step(ja: str, en: str, about_ja: str, about_en: str, expr: str) -> Panel:
    return Panel(Look.STAT, ja, en, about_ja, about_en, (Query(expr),), width=4, height=5)


_GLANCE: Final = Row(
    "一目で", "At a glance",
    (
        Panel(
            Look.STAT, "所定の場所にない件数", "Not where it must be",
            "確認期限（60秒）を過ぎた件数、届いていない件数、未処理の隔離件数の合計。0なら、"
            "受け付けた全件が所定の場所にある。"
            "データなしは不明であり、正常ではない。",
            "Events past the 60 seconds within which a checkpoint must confirm them, events that never came, open "
            "dead letters. 0 means "
            "that "
            "everything accepted is where it must be. No data means unknown, not good.",
            (
                Query(
                    "sum(hub_consumer_events_unconfirmed) + sum(hub_consumer_events_missing)"
                    f" + ({or_none('sum(hub_dead_letters_open)')})"
                ),
            ),
            width=6, height=6, steps=ZERO_IS_GOOD, zero_is_good=True,
            words={"0": ("全件あり", GREEN)},
        ),
        Panel(
            Look.STAT, "処理中", "On the way",
            "ポータルのジャーナルで送達・窓口確認を待つ件数と、読み手の遅れ。流れている間は0でなくてよい。",
            "Events that the portal's journal holds as not acknowledged or not yet confirmed, and records not yet "
            "read. "
            "Need not be 0 while things flow.",
            (Query("sum(last_over_time(hub_journal_events[1h])) + sum(hub_lag_records)"),),
            width=4, height=6, steps=((0, GREEN), (500, AMBER), (5_000, RED)),
        ),
        Panel(
            Look.STAT, "30秒以内の保存", "Stored within 30 s",
            "目標99.9%。作成から審査窓口での保存まで30秒以内の割合（表示期間）。",
            "Objective 99.9 %: share of events stored at the review desk within 30 seconds of production, in this "
            "range.",
            (Query(WITHIN_30_SECONDS),),
            width=5, height=6, unit="percentunit", decimals=2, steps=((0, RED), (0.999, GREEN)),
        ),
        Panel(
            Look.STAT, "発報中の警報", "Alerts firing",
            "Prometheusの警報規則で発報中の件数。内容は下の表。",
            "Alerts that fire now; the table below names them.",
            (Query(or_none('count(ALERTS{alertstate="firing",alertname!="HubWatchdog"})')),),
            width=4, height=6, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "拒否を続ける統制", "Controls that still refuse",
            "平文・証明書なし・未知の認証局・TLS 1.2・権限外の接続を実際に試み、拒否された統制の割合。"
            "100%以外は最も重い警報。",
            "Share of the controls that refused when they were really tried: plaintext, no certificate, unknown "
            "CA, TLS 1.2, outside its rights. Anything but 100 % is the loudest alert there is.",
            (Query("avg(hub_watch_control_refuses)"),),
            width=5, height=6, unit="percentunit", decimals=0, steps=ONE_IS_GOOD,
        ),
    ),
)  # fmt: skip

_CHAIN: Final = Row(
    "受付＝振分＝保存＝確認", "Accepted = routed = stored = confirmed",
    (
        _step("受付", "Accepted", "表示期間にポータル側で受理した件数。", "Submissions accepted in this range.",
              grown(ACCEPTED)),
        _step("振分", "Routed", "振り分けが確定した件数。", "Events routed in committed transactions.", grown(ROUTED)),
        _step("審査へ保存", "Stored: review", "審査窓口が保存した件数。", "Events stored by the review desks.",
              grown(STORED)),
        _step("照会へ保存", "Stored: helpdesk", "ヘルプデスクが保存した件数。", "Events stored by the helpdesks.",
              grown(STORED.replace("review", "helpdesk"))),
        _step("監査へ保存", "Stored: audit", "監査が保存した件数。", "Events stored by the audit desks.",
              grown(STORED.replace("review", "audit"))),
        _step("確認", "Confirmed",
              "審査窓口が署名付きチェックポイントで確認できた件数。",
              "Events that the review desks found in signed checkpoints.",
              grown(CONFIRMED)),
        Panel(
            Look.TIME, "段階別の流量", "Flow by stage",
            "毎秒の件数。線が離れたままなら、どこかで滞っている。厳密な一致は `eltax-hub reconcile` が証明する。",
            "Events per second. Lines that stay apart mean that something piles up. `eltax-hub reconcile` proves "
            "equality.",
            (
                Query(rate(ACCEPTED), "受付 accepted"),
                Query(rate(ROUTED), "振分 routed"),
                Query(rate(STORED), "保存 stored"),
                Query(rate(CONFIRMED), "確認 confirmed"),
            ),
            unit="reqps",
        ),
        Panel(
            Look.TIME, "作成から保存まで", "From production to storage",
            "審査窓口に保存されるまでの時間。30秒が目標の限度。",
            "Time until an event is stored at the review desk. 30 seconds is the limit of the objective.",
            (
                Query(quantile(0.5, "hub_consumer_delay_seconds", 'consumer="review"'), "p50"),
                Query(quantile(0.99, "hub_consumer_delay_seconds", 'consumer="review"'), "p99"),
            ),
            unit="s", limit=30,
        ),
    ),
)  # fmt: skip

_STATE: Final = Row(
    "いま見るべきもの", "What needs a look now",
    (
        Panel(
            Look.STAT, "停止中の段階", "Stages standing still",
            "停止中の段階の数。0が正常。", "Stages of work that stand still; 0 is good.",
            (Query(or_none("sum(hub_paused)")),),
            width=6, height=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "確認が必要な警報", "Alarms",
            "表示期間に職員の確認が必要になった件数。", "Alarms for a person in this range; 0 is good.",
            (Query(or_none(grown("hub_alarms_total"))),),
            width=6, height=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "停止した閲覧・出力", "Views and exports stopped",
            "操作記録を残せないため閲覧・出力を止めたプロセスの数。",
            "Processes whose views and exports stopped because they "
            "could not be logged; 0 is good.",
            (Query(or_none("sum(hub_operations_stopped)")),),
            width=6, height=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.STAT, "応答しない対象", "Targets not answering",
            "Prometheusの収集に応答しないプロセスの数。", "Scrape targets that do not answer; 0 is good.",
            (Query("count(up) - sum(up)"),),
            width=6, height=4, steps=ZERO_IS_GOOD, zero_is_good=True,
        ),
        Panel(
            Look.TABLE, "発報中の警報", "Alerts firing",
            "HubWatchdogだけなら発報なし（通報の経路が生きている印）。対応手順は docs/runbooks/alerts。",
            "HubWatchdog alone means that nothing is wrong: it always fires. What to do is in docs/runbooks/alerts.",
            (Query('ALERTS{alertstate="firing"}'),),
            width=12, height=9,
            columns=(Column("alertname", "警報"), Column("severity", "重要度"), Column("instance", "対象")),
        ),
        Panel(
            Look.TABLE, "プロセスの状態", "Processes",
            "準備条件が全て満たされていれば1。起動からの時間。",
            "1 while all conditions of readiness are fulfilled; time since start.",
            (
                Query("min by (instance)(hub_ready)"),
                Query("round((time() - max by (instance)(process_start_time_seconds)) / 60)"),
                Query("max by (instance)(hub_lag_records)"),
            ),
            width=12, height=9,
            columns=(Column("instance", "プロセス"), Column("A", "準備"), Column("B", "稼働（分）"), Column("C",
            "遅れ")),
        ),
    ),
)  # fmt: skip

BOARD: Final = Board(
    "overview", "全体", "Overview",
    "受け付けた全件が所定の場所にあるかを一目で確認する。",
    "One glance: is everything that was filed where it must be?",
    (_GLANCE, _CHAIN, _STATE),
    (TENANT, PROCEDURE),
)  # fmt: skip
