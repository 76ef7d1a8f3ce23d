"""The network watch: its facts as numbers and lines. Only what changes is a line."""

from __future__ import annotations

from typing import Final

from hub.facts import Fact
from monitoring.adapter.base import LogLine, ToLog, ToMetrics, quiet
from monitoring.metrics import Metrics
from monitoring.network.facts import ControlJudged, ListenerUndeclared, PathHeard, PathProbed, RoundEnded, TlsSeen
from monitoring.network.judgement import GAUGE, Verdict


def _path(metrics: Metrics, fact: PathProbed) -> None:
    metrics.set("hub_watch_path_up", fact.up and not fact.code, principal=fact.principal, listener=fact.listener)
    if fact.connect_seconds:
        metrics.observe("hub_watch_connect_seconds", (fact.connect_seconds,), listener=fact.listener)
    if fact.handshake_seconds:
        metrics.observe("hub_watch_handshake_seconds", (fact.handshake_seconds,), listener=fact.listener)
    if fact.not_after:
        metrics.set("hub_watch_peer_not_after_seconds", fact.not_after, listener=fact.listener)


def _tls(metrics: Metrics, fact: TlsSeen) -> None:
    metrics.set("hub_watch_tls_info", fact.present, listener=fact.listener, protocol=fact.protocol, cipher=fact.cipher)


def _control(metrics: Metrics, fact: ControlJudged) -> None:
    metrics.set("hub_watch_control_refuses", GAUGE[fact.verdict], control=fact.control)
    metrics.set("hub_watch_control_unknown", fact.verdict is Verdict.UNKNOWN, control=fact.control)


def _heard(metrics: Metrics, fact: PathHeard) -> None:
    metrics.set("hub_watch_path_reported", fact.heard, principal=fact.principal)


def _round(metrics: Metrics, fact: RoundEnded) -> None:
    metrics.count("hub_watch_attempts_total", fact.attempts)
    metrics.set("hub_watch_last_round_seconds", fact.at)


def _undeclared(metrics: Metrics, fact: ListenerUndeclared) -> None:
    metrics.count("hub_watch_undeclared_listeners_total")


TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {
    PathProbed: _path,
    TlsSeen: _tls,
    ControlJudged: _control,
    PathHeard: _heard,
    RoundEnded: _round,
    ListenerUndeclared: _undeclared,
}


def _tell_path(fact: PathProbed) -> LogLine | None:
    if not fact.changed:
        return None
    level = "warning" if fact.code else "info"
    return level, {"event": "path-down" if fact.code else "path-up", "about": fact.listener, "code": fact.code}


def _tell_control(fact: ControlJudged) -> LogLine | None:
    if not fact.changed:
        return None
    level = {Verdict.REFUSED: "info", Verdict.UNKNOWN: "warning", Verdict.ACCEPTED: "error"}[fact.verdict]
    said = {"condition": fact.control, "code": fact.code, "about": fact.about}
    return level, {"event": f"control-{fact.verdict.value}", **said}


def _tell_heard(fact: PathHeard) -> LogLine | None:
    if not fact.changed:
        return None
    event = "path-heard" if fact.heard else "path-silent"
    return ("info" if fact.heard else "warning"), {"event": event, "about": fact.principal}


def _tell_undeclared(fact: ListenerUndeclared) -> LogLine:
    return "error", {"event": "listener-undeclared", "about": fact.listener, "code": fact.speaks}


TO_LOG: Final[dict[type[Fact], ToLog]] = {
    PathProbed: _tell_path,
    TlsSeen: quiet,
    ControlJudged: _tell_control,
    PathHeard: _tell_heard,
    RoundEnded: quiet,
    ListenerUndeclared: _tell_undeclared,
}
