"""The checklist's measures on logging, monitoring and access: the text, and which answers of the report speak for each.

The texts are the municipality's own (個人情報保護対策チェックリスト, system measures). What software cannot
know, such as who may enter the machine room, is for the officer to fill in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from monitoring.report.judging import Check, Verdict, rounds
from monitoring.report.model import Basis, Use
from monitoring.report.words import CLASSES, number

MEASURES: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    (
        "monitoring-and-access-log",
        "システム・ネットワークの状態、機器操作、サービス利用等の監視及びアクセスログ等を取得する。"
        "取得したログは、定期的に分析する。",
        ("log", "findings", "processes", "alarms"),
    ),
    (
        "network-peer-restriction",
        "接続するネットワークについては、特定相手以外との通信を不可とする。",
        ("peers", "controls"),
    ),
    ("network-device-control", "ネットワーク機器やサーバを制御し、通信できるシステムを限定する。", ("controls",)),
    (
        "transport-encryption",
        "通信内容は暗号化し、通信途上の個人情報の盗用、改ざん、成りすましを防止する。",
        ("whole", "controls"),
    ),
    (
        "perimeter-defence",
        "ファイアウォールの設置、サーバの要塞化、侵入検知等の対策を講じ、外部からの不正侵入等から防御する。",
        ("peers", "letters", "findings"),
    ),
    (
        "id-password-authentication",
        "ID・パスワードやアドレス情報による運用により、第三者による個人情報の盗用、改ざん、成りすましを防止する。",
        ("peers", "findings"),
    ),
    (
        "storage-access-control",
        "個人情報を保存する場合は、アクセス権を設定する等、情報へのアクセス制御を徹底する。",
        ("access", "findings"),
    ),
    (
        "management-verification",
        "取扱う個人情報の管理について、必要に応じて又は定期的に確認する体制を構築する。",
        ("whole", "confirmed", "audit"),
    ),
    (
        "redundancy-and-backup",
        "サーバ冗長化、バックアップ等により、事故や障害発生時におけるシステム稼働体制を整備する。",
        ("delay", "processes"),
    ),
)
"""slug, text, keys of the answers"""


def _log(use: Use) -> str:
    counts = {name: sum(slots) for name, slots in use.by_class}
    return "、".join(f"{label} {number(counts.get(name, 0))}行" for name, label in CLASSES.items())


def _peers(use: Use) -> str:
    return (
        f"想定外 {number(sum(e.count for e in use.peers_unexpected))}、"
        f"拒否 {number(sum(e.count for e in use.denied) + sum(n for _, n in use.handshakes_refused))}"
    )


def _access(use: Use) -> str:
    return f"利用 {number(sum(e.count for e in use.access))}件、不成功 {number(use.refused_access)}件"


_FIGURES: Final[Mapping[str, Callable[[Use], str]]] = {
    "monitoring-and-access-log": _log,
    "network-peer-restriction": _peers,
    "network-device-control": rounds,
    "transport-encryption": rounds,
    "perimeter-defence": _peers,
    "id-password-authentication": _peers,
    "storage-access-control": _access,
}


def rows(basis: Basis, checks: Mapping[str, Check]) -> tuple[tuple[str, str, str], ...]:
    """Return (text of the measure, figures, verdict): the worst verdict of its answers."""
    made = []
    for slug, text, keys in MEASURES:
        answers = [checks[key] for key in keys if key in checks]
        verdicts = {each.verdict for each in answers}
        verdict = Verdict.LOOK if Verdict.LOOK in verdicts else Verdict.UNKNOWN if Verdict.UNKNOWN in verdicts else None
        figures = _FIGURES.get(slug)
        if figures is not None:
            said = figures(basis.use) if basis.use is not None else "資料がありません"
        else:
            said = "、".join(each.name for each in answers)
        made.append((text, said, (verdict or Verdict.GOOD).value))
    return tuple(made)
