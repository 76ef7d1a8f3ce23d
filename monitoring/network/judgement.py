"""What came of an attempt, and what it means for the control that was tried. Pure.

refused    the peer said no, in the way in which this control says no, and it lets in whom it must (the contrast)
accepted   it let in whom it must refuse: the control is broken
unknown    anything else: unreachable, hung, closed without a word, refused for another reason, no contrast
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from monitoring.network.line import Came


class Verdict(StrEnum):
    """Whether a control held."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


class Control(StrEnum):
    """What must be refused. The values are labels of metrics: one once released keeps its meaning."""

    PLAINTEXT = "plaintext"
    NO_CERTIFICATE = "no-certificate"
    UNKNOWN_CA = "unknown-ca"
    EXPIRED = "expired-certificate"
    OLD_TLS = "tls-1-2"
    RIGHTS = "rights"
    NO_RIGHTS = "no-rights"
    UNDECLARED = "undeclared-listener"
    SCRAPE = "metrics-scrape"


WORDS: Final = {
    Control.PLAINTEXT: ("Kafka in the clear", "平文のKafka接続"),
    Control.NO_CERTIFICATE: ("TLS 1.3 without a client certificate", "証明書なしの接続"),
    Control.UNKNOWN_CA: ("a certificate of another authority, in the administrator's name", "未知の認証局の証明書"),
    Control.EXPIRED: ("an expired certificate of our authority", "期限切れの証明書"),
    Control.OLD_TLS: ("a good certificate over TLS 1.2 or older", "TLS 1.2以前"),
    Control.RIGHTS: ("deeds beyond the monitor's own rights", "監視役の権限外の操作"),
    Control.NO_RIGHTS: ("anything at all, by a principal with no right", "権限のない主体の操作"),
    Control.UNDECLARED: ("a listener on a broker's host that nobody declared", "宣言されていない待受け"),
    Control.SCRAPE: ("metrics without a certificate, or with one that may not", "権限なしのメトリクス取得"),
}
"""what is tried, in two languages"""

RIGHT_ALERTS: Final = {
    Control.PLAINTEXT: frozenset({"fatal"}),
    Control.NO_CERTIFICATE: frozenset({"certificate-required", "bad-certificate"}),
    Control.UNKNOWN_CA: frozenset({"certificate-unknown", "unknown-ca", "bad-certificate"}),
    Control.EXPIRED: frozenset({"certificate-unknown", "certificate-expired", "bad-certificate"}),
    Control.OLD_TLS: frozenset({"protocol-version"}),
    Control.SCRAPE: frozenset({"certificate-required", "bad-certificate", "http-401", "http-403"}),
}
"""how each control says no (RFC 8446, 6.2). Java says certificate_unknown of chain, date and purpose alike; which of
them it was, the contrast shows: the same client with the one thing changed is let in"""


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: at which control and listener, what it means, and the code of what came of it."""

    control: Control
    listener: str
    verdict: Verdict
    code: str


def judged(control: Control, came: Came, code: str, *, contrast: bool) -> tuple[Verdict, str]:
    """Return the verdict on an attempt to connect; `contrast` says that who must be let in was let in here, now."""
    said = f"{came.value}-{code}" if code else came.value
    if came is Came.ANSWERED:
        return Verdict.ACCEPTED, said
    if came is Came.ALERT and code in RIGHT_ALERTS.get(control, frozenset()):
        return (Verdict.REFUSED, said) if contrast else (Verdict.UNKNOWN, "no-contrast")
    return Verdict.UNKNOWN, said


CANNOT_TELL: Final = frozenset({-1, 7, 35, 41, 42})
"""Kafka's codes under which it may not have looked at the rights: unknown error, time-out, unsupported version, not the
controller, invalid request. Every other code comes after the rights were found good."""


def judged_codes(codes: Iterable[tuple[str, int, int]]) -> tuple[Verdict, str]:
    """Return the verdict on deeds: (name, the code that says it is denied, the code that came); none is unknown."""
    asked = list(codes)
    for deed, denied, code in asked:
        if code != denied and code not in CANNOT_TELL:
            return Verdict.ACCEPTED, deed
    for deed, denied, code in asked:
        if code != denied:
            return Verdict.UNKNOWN, f"{deed}-code"
    return (Verdict.REFUSED, "denied") if asked else (Verdict.UNKNOWN, Came.UNTRIED.value)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """What holds for several attempts together: one that was let in counts before all, then one that is unknown."""
    found = set(verdicts)
    for verdict in (Verdict.ACCEPTED, Verdict.UNKNOWN, Verdict.REFUSED):
        if verdict in found:
            return verdict
    return Verdict.UNKNOWN


def by_control(tried: Iterable[Tried]) -> dict[Control, Verdict]:
    """The verdict on each control that was tried at all, over all listeners."""
    found: dict[Control, list[Verdict]] = {}
    for each in tried:
        found.setdefault(each.control, []).append(each.verdict)
    return {control: worst(verdicts) for control, verdicts in found.items()}


GAUGE: Final = {Verdict.REFUSED: 1.0, Verdict.ACCEPTED: 0.0, Verdict.UNKNOWN: math.nan}
"""`hub_watch_control_refuses`: what is unknown is neither"""
