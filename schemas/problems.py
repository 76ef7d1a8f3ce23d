"""What can be wrong with a document: rule ids, and messages in Japanese and English. None shows what was typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_PROBLEMS: Final = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where (JSON pointer, RFC 6901), by which rule, in two languages, and what to do."""

    path: str
    rule: str
    message: str
    message_ja: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A document that is not let through, with everything that is wrong with it (the first 50).

    `number` is its place in a file, from 1 (lines: the line), where it comes from one.
    """

    problems: tuple[Problem, ...]
    receipt_number: str | None = None
    number: int | None = None


RULES: Final[dict[str, tuple[str, str, str]]] = {
    "json.empty": ("The document is empty.", "内容が空です。", "Send one JSON object per submission."),
    "json.encoding": (
        "The document is not UTF-8.",
        "文字コードがUTF-8ではありません。",
        "Save it as UTF-8; CP932 (Shift_JIS) is not accepted.",
    ),
    "json.syntax": ("This is not JSON.", "JSONとして読めません。", "Check quotes, commas and brackets."),
    "json.nesting": ("The document is nested too deeply.", "入れ子が深すぎます。", "At most 8 levels are used."),
    "json.duplicate-key": ("This key stands twice.", "同じキーが重複しています。", "Keep one of them."),
    "json.number": (
        "Only whole numbers of at most 15 digits are allowed.",
        "15桁以内の整数だけが使えます。",
        "No fractions, exponents, NaN or longer numbers.",
    ),
    "json.too-large": ("The document is over the size limit.", "サイズの上限を超えています。", "Send it in parts."),
    "json.too-many-values": (
        "The document has more values than any submission.",
        "値の数が多すぎます。",
        "At most 20,000 values; one submission per document.",
    ),
    "type.object": ("An object is expected here.", "オブジェクトが必要です。", "Use { … }."),
    "type.array": ("An array is expected here.", "配列が必要です。", "Use [ … ]."),
    "type.text": ("Text is expected here.", "文字列が必要です。", "Put it in quotes; leave out what is not there."),
    "type.integer": ("A whole number is expected here.", "整数が必要です。", "No quotes, no fraction."),
    "type.boolean": ("true or false is expected here.", "true または false が必要です。", ""),
    "key.unknown": (
        "There is no such item or key.",
        "存在しない項目・キーです。",
        "`eltax-hub schemas show` names them.",
    ),
    "key.missing": ("This key is required.", "必須のキーがありません。", ""),
    "text.control": (
        "A control character is not allowed (tab and line break are).",
        "制御文字は使えません（タブと改行は可）。",
        "Remove it.",
    ),
    "text.surrogate": ("A lone surrogate is not a character.", "不正なサロゲートです。", "Send whole characters."),
    "text.noncharacter": ("This code point is not a character.", "文字でないコードポイントです。", "Remove it."),
    "limit.characters": ("The text is too long.", "文字数の上限を超えています。", "See max_length of the item."),
    "limit.rows": ("There are too many rows.", "行数の上限を超えています。", "At most 200 rows."),
    "limit.attachments": ("There are too many attachments.", "添付が多すぎます。", "At most 50 files."),
    "limit.bytes": (
        "The attachments are too large together.",
        "添付の合計サイズが上限を超えています。",
        "At most 56 MiB together.",
    ),
    "limit.submission": (
        "The items are too large together.",
        "項目全体のサイズが上限を超えています。",
        "Texts of all items: at most 6 MiB together.",
    ),
    "date.impossible": (
        "This is not a date.",
        "日付として正しくありません。",
        "Write 2025-12-01 or 令和7年12月1日.",
    ),
    "time.invalid": (
        "This is not a time with offset.",
        "時差付きの日時ではありません。",
        "RFC 3339: 2025-12-01T09:30:00+09:00",
    ),
    "procedure.unknown": (
        "There is no such procedure.",
        "存在しない手続です。",
        "`eltax-hub schemas list` names them.",
    ),
    "procedure.no-items": (
        "This procedure has no items; it comes as attachments.",
        "この手続に項目はなく、添付で提出します。",
        "Leave `items` out.",
    ),
    "tenant.invalid": (
        "This is not a 6-digit local government code with its check digit.",
        "検査数字を含む6桁の団体コードとして正しくありません。",
        "131041, for example.",
    ),
    "tenant.unknown": (
        "This hub does not serve that tenant.",
        "取り扱っていない団体コードです。",
        "`eltax-hub topics plan` shows the declaration.",
    ),
    "value.choice": (
        "The value is not one of those allowed.",
        "許可された値ではありません。",
        "`eltax-hub schemas show --json-schema` lists them.",
    ),
    "receipt.invalid": (
        "A receipt number is 1 to 64 printable ASCII characters without spaces.",
        "受付番号は空白を含まない印字可能なASCII文字1〜64字です。",
        "",
    ),
    "rehearsal.mismatch": (
        "`rehearsal` does not agree with this hub.",
        "仮稼働（rehearsal）の区分がこの環境と一致しません。",
        "Artificial people belong to the rehearsal, real filings to production.",
    ),
    "submission.empty": (
        "There is neither an item nor an attachment.",
        "項目も添付もありません。",
        "At least one is needed.",
    ),
    "submission.both": (
        "A submission cannot both replace and withdraw.",
        "訂正と取下げは同時にできません。",
        "Keep one of `replaces` and `withdraws`.",
    ),
    "base64.invalid": (
        "This is not canonical base64.",
        "base64として正しくありません。",
        "RFC 4648 with padding, no line breaks.",
    ),
}


def problem(path: str, rule: str) -> Problem:
    """The problem of a rule at a place."""
    english, japanese, hint = RULES[rule]
    return Problem(path, rule, english, japanese, hint)


def pointer(path: str, token: str | int) -> str:
    """Extend a JSON pointer. A key that is not ours may hold anything, so it is named only if it is plain."""
    if isinstance(token, str):
        plain = token.isascii() and token.replace("_", "").isalnum() and len(token) <= 64 and not token.isdigit()
        token = token if plain else "?"
    return f"{path}/{token}"
