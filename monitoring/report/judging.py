"""What a person must look at: each question of the report with its answer and the numbers that it rests on. Pure.

Nothing is good by default: what no source speaks of is `UNKNOWN` and counts among what must be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from monitoring.report.model import OBJECTIVE, OTHERS, Basis, Place, Use
from monitoring.report.tallying import ROUND
from monitoring.report.words import PLACES, number, seconds, share, short


class Verdict(StrEnum):
    """The answer, in the words that stand on the report; never told by a colour alone."""

    GOOD = "異常なし"
    LOOK = "要確認"
    UNKNOWN = "資料なし"


@dataclass(frozen=True, slots=True)
class Check:
    """One question, its answer and the numbers."""

    name: str
    verdict: Verdict
    said: str


def judge(basis: Basis) -> dict[str, Check]:
    """Answer all questions by their keys; the first is whether everything that was filed is where it must be."""
    return {
        "whole": whole(basis),
        "delay": _delay(basis),
        "confirmed": _confirmed(basis),
        "audit": _audit(basis),
        "letters": _letters(basis),
        "log": _log(basis),
        "findings": _findings(basis),
        "access": _access(basis),
        "controls": _controls(basis),
        "peers": _peers(basis),
        "processes": _processes(basis),
        "alarms": _alarms(basis),
    }


def to_look_at(checks: Iterable[Check]) -> int:
    """Count what must be looked at."""
    return sum(check.verdict is not Verdict.GOOD for check in checks)


def place(basis: Basis, kind: str) -> Place | None:
    """Return what one kind of place holds."""
    return next((each for each in basis.places if each.kind == kind), None)


def whole(basis: Basis) -> Check:
    """Is everything that was filed where it must be: accepted = routed = stored = confirmed?"""
    name = "届出の到達"
    places = [place(basis, kind) for kind in PLACES]
    there = [each for each in places if each is not None]
    said = "、".join(
        f"{label} {'－' if found is None else number(found.held) + '件'}"
        for label, found in zip(PLACES.values(), places, strict=True)
    )
    review = place(basis, "review")
    if review is not None:
        said += f"、確認済 {number(review.held - review.unconfirmed)}件"
    if len({each.digest for each in there}) > 1 or len({each.held for each in there}) > 1:
        return Check(name, Verdict.LOOK, f"{said}。件数又は内容が一致しません。")
    if any(each.pending or each.unconfirmed for each in there):
        pending = sum(each.pending for each in there)
        unconfirmed = sum(each.unconfirmed for each in there)
        return Check(name, Verdict.LOOK, f"{said}。送信中 {number(pending)}件、未確認 {number(unconfirmed)}件。")
    if len(there) < len(PLACES):
        return Check(name, Verdict.UNKNOWN, f"{said}。資料のない箇所があります。")
    return Check(name, Verdict.GOOD, f"{said}。全ての箇所で件数と内容（ハッシュ値の合計）が一致しました。")


def _delay(basis: Basis) -> Check:
    name = "30秒以内の保存"
    review = place(basis, "review")
    delays = review.delays if review is not None else None
    if delays is None:
        return Check(name, Verdict.UNKNOWN, "審査部門の資料がありません。")
    if not delays.count:
        return Check(name, Verdict.GOOD, "対象期間の届出はありません。")
    good = delays.within >= OBJECTIVE * delays.count
    return Check(
        name,
        Verdict.GOOD if good else Verdict.LOOK,
        f"{number(delays.count)}件のうち{number(delays.within)}件"
        f"（{share(delays.within, delays.count)}、目標 {OBJECTIVE * 100:.1f}％）。"
        f"中央値 {seconds(delays.p50)}、99％値 {seconds(delays.p99)}、最大 {seconds(delays.longest)}。",
    )


def _confirmed(basis: Basis) -> Check:
    name = "60秒以内の確認"
    review = place(basis, "review")
    if review is None:
        return Check(name, Verdict.UNKNOWN, "審査部門の資料がありません。")
    bad = review.unconfirmed + review.confirmed_late
    said = f"未確認 {number(review.unconfirmed)}件、60秒を超えて確認 {number(review.confirmed_late)}件。"
    return Check(name, Verdict.LOOK if bad else Verdict.GOOD, said)


def _audit(basis: Basis) -> Check:
    name = "監査記録の完全性"
    audit = basis.audit
    if audit is None:
        return Check(name, Verdict.UNKNOWN, "監査記録の資料がありません。")
    alarms = sum(count for _, count in audit.alarms)
    said = (
        f"欠番 {number(audit.sequences_missing)}件、終了のない送信区間 {number(audit.sessions_without_end)}件、"
        f"不整合 {number(alarms)}件。"
    )
    bad = audit.sequences_missing or audit.sessions_without_end or alarms
    if not audit.closed:
        said += "期間後の記録がまだなく、この期間の記録は増えることがあります。"
    return Check(name, Verdict.LOOK if bad or not audit.closed else Verdict.GOOD, said)


def _letters(basis: Basis) -> Check:
    name = "隔離記録"
    if basis.audit is None:
        return Check(name, Verdict.UNKNOWN, "監査記録の資料がありません。")
    new = sum(count for _, count in basis.audit.dead_letters) + sum(count for _, count in basis.audit.refused)
    ended = sum(count for reason, count in basis.audit.resolved if reason != "held")
    said = f"処理できず隔離した記録 {number(new)}件、再送・破棄 {number(ended)}件。"
    return Check(name, Verdict.LOOK if new else Verdict.GOOD, said)


def _log(basis: Basis) -> Check:
    name = "操作ログの完全性"
    log, use = basis.log, basis.use
    if log is None or use is None:
        return Check(name, Verdict.UNKNOWN, "操作ログの資料がありません。")
    refused = sum(count for _, count in log.refused)
    said = (
        f"ログ {number(use.lines)}行、欠落 {number(log.missing)}行（{number(len(log.gaps))}か所）、"
        f"受け付けなかった行 {number(refused)}件。"
    )
    if not log.verified or log.checkpoint is None:
        return Check(name, Verdict.LOOK, f"{said}署名の検証ができていません。")
    if not use.lines:
        return Check(name, Verdict.LOOK, f"{said}期間内のログが1行もありません。")
    return Check(name, Verdict.LOOK if log.missing or refused else Verdict.GOOD, said)


def _findings(basis: Basis) -> Check:
    name = "ログ分析の検出事項"
    found = basis.findings
    if found is None:
        return Check(name, Verdict.UNKNOWN, "分析結果の資料がありません。")
    said = f"検出 {number(found.total)}件（{number(len(found.by_rule))}規則）。"
    if found.until_ms is None:
        verdict = Verdict.LOOK if found.total else Verdict.UNKNOWN
        return Check(name, verdict, f"{said}分析がどこまで進んだかを確認できませんでした。")
    said += f"分析の到達時刻 {short(found.until_ms)}。"
    if found.until_ms < basis.period.end_ms:
        return Check(name, Verdict.LOOK, f"{said}対象期間の末までは分析されていません。")
    return Check(name, Verdict.LOOK if found.total else Verdict.GOOD, said)


def _access(basis: Basis) -> Check:
    name = "利用・アクセスの記録"
    use = basis.use
    if use is None:
        return Check(name, Verdict.UNKNOWN, "操作ログの資料がありません。")
    accounts = len({each.name for each in use.access if each.name != OTHERS})
    said = f"利用 {number(sum(each.count for each in use.access))}件（利用者 {number(accounts)}）、"
    return Check(name, Verdict.GOOD, f"{said}不成功 {number(use.refused_access)}件。")


def _controls(basis: Basis) -> Check:
    name = "ネットワーク検査"
    use = basis.use
    if use is None or not use.probes:
        return Check(name, Verdict.UNKNOWN, "検査の記録がありません。")
    bad, good = sum(each.bad for each in use.probes), sum(each.good for each in use.probes)
    said = rounds(use)
    open_now = any(each.last_outcome not in ("ok", "refused") for each in use.probes)
    if not good and not bad:
        return Check(name, Verdict.UNKNOWN, said)
    return Check(name, Verdict.LOOK if bad or open_now else Verdict.GOOD, said)


def rounds(use: Use) -> str:
    """Say how often the network watch went round, and what it found."""
    went = next((each for each in use.probes if each.control == ROUND), None)
    good, other = (0, 0) if went is None else (went.good, went.bad + went.unknown)
    controls = [each for each in use.probes if each.control != ROUND]
    return (
        f"巡回 {number(good + other)}回（全項目の拒否を確認 {number(good)}回）、"
        f"不適合 {number(sum(each.bad for each in controls))}件。"
    )


def _peers(basis: Basis) -> Check:
    name = "特定相手以外との通信"
    use = basis.use
    if use is None:
        return Check(name, Verdict.UNKNOWN, "操作ログの資料がありません。")
    peers = sum(each.count for each in use.peers_unexpected)
    denied = sum(each.count for each in use.denied)
    handshakes = sum(count for _, count in use.handshakes_refused)
    said = (
        f"想定外の相手 {number(peers)}件、権限外操作の拒否 {number(denied)}件、接続の拒否 {number(handshakes)}件"
        "（拒否したものは通信していません）。"
    )
    return Check(name, Verdict.LOOK if peers else Verdict.GOOD, said)


def _processes(basis: Basis) -> Check:
    name = "処理プロセスの稼働"
    use = basis.use
    if use is None or not use.processes:
        return Check(name, Verdict.UNKNOWN, "稼働の記録がありません。")
    failed = sum(each.failed for each in use.processes)
    paused = sum(each.paused for each in use.processes)
    said = f"記録のある処理 {number(len(use.processes))}、異常終了 {number(failed)}回、中断 {number(paused)}回。"
    return Check(name, Verdict.LOOK if failed or paused else Verdict.GOOD, said)


def _alarms(basis: Basis) -> Check:
    name = "警報"
    use = basis.use
    if use is None:
        return Check(name, Verdict.UNKNOWN, "操作ログの資料がありません。")
    count = sum(each.count for each in use.alarms)
    return Check(name, Verdict.LOOK if count else Verdict.GOOD, f"{number(count)}件。")
