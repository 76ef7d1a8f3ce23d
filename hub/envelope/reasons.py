"""Why a record is refused: a closed list. Codes are stable, they appear in dead letters and metrics."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final

from schemas.errors import HubError


class Reason(StrEnum):
    """A reason for refusal; the value is the stable code, `english` and `japanese` say what it means."""

    japanese: str
    english: str

    def __new__(cls, code: str, japanese: str, english: str) -> Reason:
        """Make a member of its code and its two meanings."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.japanese = japanese
        member.english = english
        return member

    # framing
    NOT_FRAMED = "not-framed", "枠付けがない(平文の可能性あり)", "not a framed record; it may be plaintext"
    UNKNOWN_SCHEMA = "unknown-schema", "未知のスキーマID", "its schema id is not in the lock file"
    FOREIGN_SCHEMA = (
        "foreign-schema",
        "この経路では受け付けない記録種別",
        "a record that this topic does not accept",
    )
    TRUNCATED = "truncated", "途中で切れている", "it ends too early"
    TRAILING_BYTES = "trailing-bytes", "末尾に余分なデータがある", "bytes follow its end"
    MALFORMED = "malformed", "符号化が正規形でない", "its encoding is not the one allowed form"
    TOO_LARGE = "too-large", "大きさの上限を超えている", "over a limit of size or count"
    AUDIENCE_ORDER = (
        "audience-order",
        "宛先の順序が不正または重複",
        "its audiences are not strictly ascending",
    )
    # header against key, place and session
    HEADER_INVALID = "header-invalid", "ヘッダーが不正", "its header does not decode to an allowed header"
    WRONG_KEY = "wrong-key", "Kafkaキーが記録と一致しない", "its Kafka key is not what the record says"
    WRONG_PARTITION = (
        "wrong-partition",
        "パーティションが一致しない",
        "it lies on another partition than it says or should",
    )
    WRONG_TENANT = "wrong-tenant", "団体コードがセッションと一致しない", "its tenant is not its session's"
    WRONG_TOPIC = (
        "wrong-topic",
        "トピックまたは種別がセッションと一致しない",
        "its topic or kind is not its session's",
    )
    WRONG_PRODUCER = "wrong-producer", "送信者がセッションと一致しない", "its producer is not its session's"
    PRODUCED_OUTSIDE_SESSION = (
        "produced-outside-session",
        "セッションの有効期間外に作成された",
        "it was produced outside its session's time",
    )
    CAUSE = (
        "cause",
        "原因となるイベントの記載が不正",
        "it must name a cause and does not, or must not and does",
    )
    # sessions and trust
    UNKNOWN_SESSION = "unknown-session", "セッションが見つからない", "its session was never announced"
    INVALID_SESSION = "invalid-session", "セッションの内容が不正", "its session breaks a rule"
    FOREIGN_SESSION = "foreign-session", "別のセッションに属する", "it belongs to another session"
    BAD_SIGNATURE = "bad-signature", "署名が不正", "a signature is missing or wrong"
    UNTRUSTED = "untrusted", "信頼の一覧にない送信者", "its signer is not in the trust file at that time"
    REVOKED = "revoked", "失効した鍵による署名", "it was signed with a revoked key"
    NOT_PERMITTED = "not-permitted", "送信権限がない", "its producer may not produce this"
    SUITE = "suite", "許可されていない暗号方式", "its suite is not allowed for this audience"
    OLD_EPOCH = "old-epoch", "期限を過ぎた鍵世代", "its epoch is below the minimum"
    EXPIRED = "expired", "有効期間外の鍵", "a key outside its validity"
    BROKEN_CHAIN = "broken-chain", "前の記録とのつながりが不正", "it does not follow the record before it"
    # contents
    BAD_MAC = "bad-mac", "認証コードが不正", "its mac is missing or wrong"
    DIGEST_MISMATCH = (
        "digest-mismatch",
        "暗号文のダイジェストが不一致",
        "a ciphertext is not the one of its digest",
    )
    STRIPPED_CIPHERTEXT = (
        "stripped-ciphertext",
        "必要な暗号文が除かれている",
        "a ciphertext that must be there is not",
    )
    FOREIGN_CIPHERTEXT = (
        "foreign-ciphertext",
        "他の宛先の暗号文が含まれる",
        "it carries another audience's ciphertext",
    )
    SECTIONS = (
        "sections",
        "セクションの構成がセッションと一致しない",
        "its sections are not those of its session",
    )
    NOT_ADDRESSED = "not-addressed", "この宛先あてではない", "nothing in it is for this audience"
    SECRET = (
        "secret",
        "セッション鍵を復号できない",
        "the session secret does not open with the audience's key",
    )
    COMMITMENT = "commitment", "鍵のコミットメントが不一致", "the opened secret is not the announced one"
    NOT_AUTHENTIC = "not-authentic", "暗号文を復号できない", "a section does not decrypt"
    PADDING = "padding", "パディングが不正", "a section's padding is not the one allowed form"
    PLAINTEXT_INVALID = "plaintext-invalid", "復号後の内容が不正", "a section's plaintext breaks its contract"
    SECTION_MISMATCH = (
        "section-mismatch",
        "復号後の内容がヘッダーと一致しない",
        "a section disagrees with its header",
    )
    # places
    TENANT_NOT_READY = (
        "tenant-not-ready",
        "団体の受け入れ準備が未完了",
        "its tenant's topics or rights are not there yet",
    )
    TENANT_UNKNOWN = (
        "tenant-unknown",
        "宣言されていない団体(削除済みを含む)",
        "its tenant is not declared, or was removed",
    )
    REFUSED_BY_BROKER = "refused-by-broker", "ブローカーに拒否された", "the broker refused it for good"
    ERASED = "erased", "鍵が破棄され消去済み", "its epoch's key was destroyed; it is erased"

    @classmethod
    def of(cls, code: str) -> Reason | None:
        """Return the reason of a code; None if there is none."""
        return cls._value2member_map_.get(code)  # type: ignore[return-value]


MAY_BE_PLAINTEXT: Final = frozenset(
    {
        Reason.NOT_FRAMED,
        Reason.UNKNOWN_SCHEMA,
        Reason.FOREIGN_SCHEMA,
        Reason.TRUNCATED,
        Reason.TRAILING_BYTES,
        Reason.MALFORMED,
    }
)
"""Reasons of records that never were sealed, as far as anyone can tell: not even their digest is published."""


class EnvelopeError(HubError):
    """A record was refused."""

    code: ClassVar[str] = "envelope"

    def __init__(self, reason: Reason) -> None:
        """Refuse for a reason of the closed list."""
        super().__init__(reason.value)
        self.reason = reason
