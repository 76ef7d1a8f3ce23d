"""Which measures of the checklist the watch fulfils, and with what: promised by name, so that none goes unnoticed.

Only what carries a duty is named here; docs/logging-duty.md adds what else declares itself to serve the measure.
A test fails when a name is no longer a metric, a kind of event, a row of a board, an alert, or a retention setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.envelope.operations import Kind


@dataclass(frozen=True, slots=True)
class Duty:
    """What the hub does for one measure, and what must exist for it. `rows` are (board's slug, row's English title)."""

    measure: str
    ja: str
    en: str
    metrics: tuple[str, ...]
    kinds: tuple[Kind, ...]
    rows: tuple[tuple[str, str], ...]
    alerts: tuple[str, ...]


DUTIES: Final[tuple[Duty, ...]] = (
    Duty(
        "monitoring-and-access-log",
        "各プロセス・サーバ・ネットワークの状態を常時計測し、"
        "機器操作・サービス利用・アクセスを署名付きの操作記録に残し、"
        "継続的に分析して所見を報告する。記録できないときは閲覧・出力を止める。",
        "State of processes, machines and network is measured all the time; operation, use and access go to a signed "
        "operations log, which is analysed as it grows. What cannot be logged is not done: views and exports stop.",
        ("hub_ready", "hub_operations_lines_total", "hub_operations_collected_total", "hub_operations_stopped",
         "hub_analysis_events_total", "hub_analysis_findings_total"),
        (Kind.STARTED, Kind.STOPPED, Kind.FAILED, Kind.CONFIGURED, Kind.CONNECTED, Kind.DISCONNECTED, Kind.VIEWED,
         Kind.LISTED, Kind.LOOKED_UP, Kind.EXPORTED, Kind.DECIDED, Kind.COMMANDED, Kind.FINDING),
        (("state", "Monitoring: systems"), ("state", "Monitoring: operations log and its analysis"),
         ("security", "Use by people"), ("audit", "Operations log")),
        ("HubProcessDown", "HubNotReady", "HubLogLinesLost", "HubFactsLost", "HubOperationsStopped"),
    ),
    Duty(
        "network-peer-restriction",
        "宣言した相手以外の接続を実際に試み、拒否され続けていることを確かめる。想定外の相手は接続記録から見つける。",
        "Connections that must be refused are really tried, again and again; unexpected peers are found in the "
        "brokers' "
        "connection log.",
        ("hub_watch_control_refuses", "hub_watch_path_up", "hub_peers_unexpected_total"),
        (Kind.PROBED, Kind.PEER_UNEXPECTED, Kind.HANDSHAKE_REFUSED),
        (("state", "None but named peers; devices"), ("security", "Controls, proved")),
        ("HubControlStoppedRefusing", "HubPathDown"),
    ),
    Duty(
        "network-device-control",
        "主体ごとの権限（ACL）を宣言し、権限外の操作が拒否されることを実証し、拒否を記録する。",
        "Rights of each principal are declared; that what is outside them is denied is proved, and denials are logged.",
        ("hub_watch_control_refuses", "hub_broker_denials_total"),
        (Kind.DENIED, Kind.PROBED),
        (("state", "None but named peers; devices"), ("security", "Denials and peers")),
        ("HubControlStoppedRefusing",),
    ),
    Duty(
        "transport-encryption",
        "全ての通信をTLS 1.3の相互認証で行い、版・暗号・証明書を接続口ごとに計測する。"
        "平文と旧版が拒否されることを実証する。",
        "All transport is mutual TLS 1.3; version, cipher and certificate of each listener are measured, and that "
        "plaintext "
        "and older versions are refused is proved.",
        ("hub_watch_tls_info", "hub_watch_handshake_seconds", "hub_watch_peer_not_after_seconds",
         "hub_watch_control_refuses"),
        (Kind.HANDSHAKE_REFUSED, Kind.PROBED),
        (("state", "Encrypted transport"), ("security", "On the wire"), ("security", "Expiry")),
        ("HubControlStoppedRefusing", "HubForgery"),
    ),
    Duty(
        "id-password-authentication",
        "全ての主体をクライアント証明書と署名鍵で識別し、認証の失敗と鍵の使用を記録する。",
        "Every principal is known by certificate and signing key; failures and use of keys are logged.",
        ("hub_authentication_failures_total", "hub_analysis_findings_total"),
        (Kind.HANDSHAKE_REFUSED, Kind.KEY_USED, Kind.FINDING),
        (("state", "Authentication"), ("security", "Denials and peers"), ("security", "Expiry")),
        ("HubAuthenticationFailures",),
    ),
    Duty(
        "storage-access-control",
        "保存した申告等の閲覧・照会・出力を、誰がいつ行ったかとともに一件ずつ記録する。内容はログに出さない。",
        "Each view, look-up and export of what is stored is logged with who and when; content is kept out of logs.",
        ("hub_operations_lines_total", "hub_operations_stopped", "hub_log_values_withheld_total"),
        (Kind.VIEWED, Kind.LISTED, Kind.LOOKED_UP, Kind.EXPORTED),
        (("state", "Access to what is stored"), ("security", "Use by people")),
        ("HubLogValuesWithheld", "HubOperationsStopped"),
    ),
    Duty(
        "perimeter-defence",
        "拒否したハンドシェイク、権限外の操作、隔離した記録、拒否した入力を数え、記録する。"
        "ファイアウォール、要塞化、パッチ適用は本ソフトの外にある。",
        "Refused handshakes, denials, dead letters and refused input are counted and logged. Firewalls, hardening and "
        "patches lie outside this software.",
        ("hub_broker_handshakes_refused_total", "hub_broker_denials_total", "hub_dead_letters_total",
         "hub_portal_refusals_total"),
        (Kind.HANDSHAKE_REFUSED, Kind.DENIED, Kind.PEER_UNEXPECTED),
        (("state", "Defence"), ("security", "Denials and peers")),
        ("HubDeadLettersBurst", "HubForgery"),
    ),
    Duty(
        "redundancy-and-backup",
        "複製への保存、担当の引継ぎ、ディスクと保存量を計測する。バックアップの取得は運用で行う。",
        "Storage on replicas, take-over between processes, disks and stores are measured. Taking backups is operation.",
        ("hub_producer_events_acknowledged_total", "hub_router_partition_owned", "hub_host_disk_free_bytes",
         "hub_journal_events"),
        (Kind.STARTED, Kind.STOPPED, Kind.FAILED),
        (("state", "Redundancy and backup"), ("flow", "Router")),
        ("HubDiskNearlyFull", "HubPartitionUnowned", "HubJournalWaiting"),
    ),
    Duty(
        "incident-readiness",
        "異常・停止・警報を検知して通報し、警報ごとに対応手順書を備える。",
        "Failures, standstills and alarms are noticed and told; each alert has its runbook.",
        ("hub_lifecycle_events_total", "hub_paused", "hub_alarms_total", "hub_ready"),
        (Kind.FAILED, Kind.ALARM, Kind.PAUSED, Kind.RESUMED),
        (("state", "Readiness for incidents"), ("flow", "Lag and dead letters"), ("overview", "What needs a look now")),
        ("HubProcessDown", "HubPaused", "HubAlarm"),
    ),
    Duty(
        "management-verification",
        "受け付けた全件が振り分けられ、保存され、確認されたことを計測し、監査ログと照合で証明する。",
        "That everything accepted is routed, stored and confirmed is measured, and proved by audit log and "
        "reconciliation.",
        ("hub_consumer_events_confirmed_total", "hub_consumer_events_unconfirmed", "hub_consumer_events_missing",
         "hub_audit_log_leaves"),
        (Kind.PROVED, Kind.DECIDED, Kind.LETTER_ENDED),
        (("overview", "At a glance"), ("overview", "Accepted = routed = stored = confirmed"),
         ("audit", "Audit log"), ("audit", "Checkpoints and confirmation")),
        ("HubEventsUnconfirmed", "HubEventsMissing", "HubAuditLogStopped", "HubAuditLogShrank"),
    ),
    Duty(
        "delivery-register",
        "ファイル出力ごとに、日時・取扱者・件数を操作記録と出力履歴に残す（電子データのみのため、"
        "チェックリストでは対象外）。",
        "Each export is registered with time, handler and number of rows. The checklist marks this as not needed, for "
        "data "
        "are electronic only.",
        ("hub_review_exported_rows_total",),
        (Kind.EXPORTED,),
        (("audit", "Receipts, exports, what people did"),),
        ("HubOperationsStopped",),
    ),
)  # fmt: skip

ELSEWHERE: Final[dict[str, str]] = {
    "law-and-policy-compliance": "法令・ポリシーの遵守は組織の責務。 / The organisation's.",
    "on-site-inspection-and-status-report": "立入調査は組織の責務。定期分析報告が状況報告の資料となる。 / "
    "The organisation's; the periodic report is material for it.",
    "data-erasure-and-report": "消去とその報告は `erase` の課題。 / Erasure and its report have a command of their "
    "own.",
    "incident-consultation": "協議は組織の責務。 / The organisation's.",
    "antivirus": "サーバの対策ソフトウェアによる。 / Done by software on the machines.",
    "entry-exit-control": "施設の管理による。 / Done by the building.",
    "domestic-jurisdiction": "設置場所の選定による。 / Done by choosing where machines stand.",
    "contract-special-terms-and-compliance": "契約による。 / Done by contract.",
    "re-entrustment-inspection": "契約と調査による。 / Done by contract and inspection.",
    "handler-designation": "取扱者の指定は組織の責務。操作記録の主体名で確かめられる。 / "
    "The organisation's; the operations log shows who acted.",
    "business-flow": "業務フローの作成は組織の責務。 / The organisation's.",
    "data-encryption-and-separate-password": "`review export` が担う（docs/export.md）。 / Carried out by `review "
    "export`.",
    "hand-delivery-locked-case": "電子データのみのため対象外。 / Not needed: electronic data only.",
    "locked-storage": "電子データのみのため対象外。 / Not needed: electronic data only.",
    "return-erasure-and-report": "消去とその報告は `erase` の課題。 / Erasure and its report have a command of their "
    "own.",
}
"""Measures that no logging or monitoring fulfils, and what does."""
