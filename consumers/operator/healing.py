"""What must have changed for a refused record to be taken: one answer for each reason. Pure.

A reason that lies in the record's own bytes never heals: the same bytes meet the same refusal. The others
wait for something outside of them. An event and a signed statement differ: the signature that an event was
refused for is its session's, which can be announced again; a statement carries its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.envelope.reasons import Reason


class Healing(StrEnum):
    """What a refusal waits for; the value is a stable word, `english` and `japanese` say what to do."""

    japanese: str
    english: str

    def __new__(cls, word: str, japanese: str, english: str) -> Healing:
        """Make a member of its word and what it asks for."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.japanese = japanese
        member.english = english
        return member

    SESSION = "session", "セッションの告知を待つ", "its session must be announced (again)"
    TRUST = (
        "trust",
        "信頼一覧の更新を待つ",
        "the trust file must change, and the hop must have been started anew with it",
    )
    KEY = "key", "鍵の告知・配置を待つ", "the audience's key must be announced and in the hop's role directory"
    TENANT = "tenant", "団体のトピック・権限の準備を待つ", "its tenant's topics and rights must be there"
    BROKER = "broker", "ブローカーの設定変更を待つ", "the broker must take what it refused"
    SOFTWARE = "software", "ソフトウェアの更新を待つ", "the hop must know a newer contract"
    CLOCK = "clock", "時刻が追いつくのを待つ", "the clocks must agree again, or time must pass"
    NEVER = "never", "再送しても成功しない", "its own bytes are refused; the same bytes will be refused again"


_EVENT: Final = {
    Reason.UNKNOWN_SESSION: Healing.SESSION,
    Reason.BAD_SIGNATURE: Healing.SESSION,
    Reason.INVALID_SESSION: Healing.CLOCK,
    Reason.UNTRUSTED: Healing.TRUST,
    Reason.NOT_PERMITTED: Healing.TRUST,
    Reason.SUITE: Healing.TRUST,
    Reason.OLD_EPOCH: Healing.TRUST,
    Reason.SECRET: Healing.KEY,
    Reason.TENANT_NOT_READY: Healing.TENANT,
    Reason.TENANT_UNKNOWN: Healing.TENANT,
    Reason.REFUSED_BY_BROKER: Healing.BROKER,
    Reason.UNKNOWN_SCHEMA: Healing.SOFTWARE,
    Reason.FOREIGN_SCHEMA: Healing.SOFTWARE,
    Reason.PLAINTEXT_INVALID: Healing.SOFTWARE,
    Reason.SECTION_MISMATCH: Healing.SOFTWARE,
}
_STATEMENT: Final = {
    Reason.UNKNOWN_SESSION: Healing.SESSION,
    Reason.INVALID_SESSION: Healing.CLOCK,
    Reason.PRODUCED_OUTSIDE_SESSION: Healing.CLOCK,
    Reason.EXPIRED: Healing.CLOCK,
    Reason.UNTRUSTED: Healing.TRUST,
    Reason.NOT_PERMITTED: Healing.TRUST,
    Reason.SUITE: Healing.TRUST,
    Reason.OLD_EPOCH: Healing.TRUST,
    Reason.TENANT_NOT_READY: Healing.TENANT,
    Reason.TENANT_UNKNOWN: Healing.TENANT,
    Reason.REFUSED_BY_BROKER: Healing.BROKER,
    Reason.UNKNOWN_SCHEMA: Healing.SOFTWARE,
    Reason.FOREIGN_SCHEMA: Healing.SOFTWARE,
}


def healing_of(reason: Reason, *, event: bool) -> Healing:
    """Return what a record waits for. `event`: it is a sealed event, else a statement or nothing known."""
    return (_EVENT if event else _STATEMENT).get(reason, Healing.NEVER)
