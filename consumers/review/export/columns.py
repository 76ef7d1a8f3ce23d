"""The columns of every file, fixed and numbered: what docs/export.md shows and a receiver may rely on. Pure.

    <procedure>.csv            one line per submission: fixed columns, then its items in the order of the form
    <procedure>.<group>.csv    one line per row of a repeated group, tied to its submission by event id and revision
    withdrawn.csv              rows of earlier runs whose acceptance was revoked
    replaced.csv               characters that CP932 does not hold as they are
    erased.csv                 rows whose content was erased after they were claimed

Fixed columns begin with `hub_`, which no item of the catalogue does; items have their names of the catalogue. A date
is written as it was filed, and beside it in `<name>_parsed` as ISO 8601.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Final

from schemas.catalogue import Item, ItemType, procedures
from schemas.errors import HubError

VERSION: Final = 1
DIGESTS: Final = {1: "2f0b57a7cc216d1ba32bdb335927cbcc37e80628766f4bf7221f221be865de8b"}
"""version → digest; a change of any column needs a new version, and old digests stay"""

WITHDRAWN: Final = "withdrawn.csv"
REPLACED: Final = "replaced.csv"
ERASED: Final = "erased.csv"
PREFIX: Final = "hub_"
PARSED: Final = "_parsed"


class Form(StrEnum):
    """What a cell of a column is."""

    TEXT = "text"
    """guarded against formulas: an apostrophe at its start is ours"""
    NUMBER = "number"
    """a whole number; yen are yen"""
    DATE = "date"
    """YYYY-MM-DD"""
    TIME = "time"
    """YYYY-MM-DDThh:mm:ss.sss+09:00"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `longest` in characters, 0 where it is not bounded by the catalogue."""

    name: str
    form: Form
    meaning: str
    meaning_ja: str
    longest: int = 0


@dataclass(frozen=True, slots=True)
class FileForm:
    """One file: its name and columns. `group` names the repeated group it holds."""

    name: str
    columns: tuple[Column, ...]
    procedure: str | None = None
    group: str | None = None

    @property
    def header(self) -> tuple[str, ...]:
        """The first line."""
        return tuple(column.name for column in self.columns)


def _fixed(name: str, form: Form, meaning: str, meaning_ja: str) -> Column:
    return Column(PREFIX + name, form, meaning, meaning_ja)


_RECEIPT: Final = _fixed("receipt_number", Form.TEXT, "receipt number of the portal", "受付番号")
_EVENT: Final = _fixed("event_id", Form.TEXT, "id of the submission in the hub", "イベントID")
_PROCEDURE: Final = _fixed("procedure", Form.TEXT, "procedure", "手続")
_REVISION: Final = _fixed("revision", Form.NUMBER, "revision of the decision", "審査の改訂番号")

FIXED: Final = (
    _RECEIPT,
    _fixed("decision", Form.TEXT, "always `accept`", "審査結果（常に accept）"),
    _fixed("tax_items", Form.TEXT, "tax items it is handed over for, joined by ;", "税目（; 区切り）"),
    _fixed("accepted_at", Form.TIME, "when the portal accepted it: the legal time", "受付日時"),
    _fixed("decided_at", Form.TIME, "when the desk decided", "審査日時"),
    _fixed("reason", Form.TEXT, "reason code of the decision", "理由コード"),
    _REVISION,
    _EVENT,
    _PROCEDURE,
    _fixed("procedure_version", Form.NUMBER, "version of the contract it was sent in", "様式の版"),
    _fixed("calculation_check", Form.TEXT, "passed, failed or not_performed", "計算チェック"),
    _fixed("signature_check", Form.TEXT, "passed, failed or not_performed", "電子署名検証"),
    _fixed("rehearsal", Form.TEXT, "true: artificial people only", "仮稼働テスト"),
    _fixed("replaces", Form.TEXT, "receipt that it corrects", "訂正元の受付番号"),
    _fixed("withdraws", Form.TEXT, "receipt that it withdraws", "取下げ対象の受付番号"),
    _fixed("findings", Form.NUMBER, "what rules found in it", "指摘の件数"),
    _fixed("attachments", Form.NUMBER, "attached files; they are not in the export", "添付ファイルの件数"),
)
_GROUP_FIXED: Final = (
    _RECEIPT,
    _EVENT,
    _REVISION,
    _fixed("row", Form.NUMBER, "place in the group, from 1", "行番号"),
)
WITHDRAWN_FORM: Final = FileForm(
    WITHDRAWN,
    (
        _RECEIPT,
        _fixed("decision", Form.TEXT, "always `revoke`", "審査結果（常に revoke）"),
        _fixed("tax_items", Form.TEXT, "tax items it had been handed over for, joined by ;", "税目（; 区切り）"),
        _fixed("accepted_at", Form.TIME, "when the portal accepted it", "受付日時"),
        _fixed("decided_at", Form.TIME, "when the acceptance was revoked", "取消日時"),
        _fixed("reason", Form.TEXT, "reason code of the revocation", "理由コード"),
        _fixed("revision", Form.NUMBER, "revision of the revocation", "取消の改訂番号"),
        _EVENT,
        _PROCEDURE,
        _fixed("handed_over_in", Form.NUMBER, "run that handed the row over", "引き渡した回"),
        _fixed("handed_over_revision", Form.NUMBER, "revision of the row that no longer holds", "無効となる改訂番号"),
    ),
)
REPLACED_FORM: Final = FileForm(
    REPLACED,
    (
        _RECEIPT,
        _EVENT,
        _fixed("file", Form.TEXT, "file", "ファイル名"),
        _fixed("row", Form.NUMBER, "place in the group, from 1", "行番号"),
        _fixed("column", Form.TEXT, "column", "項目名"),
        _fixed("code_point", Form.TEXT, "character as it was filed", "元の文字の符号位置"),
        _fixed("becomes", Form.TEXT, "character in the file", "出力した文字の符号位置"),
    ),
)
ERASED_FORM: Final = FileForm(ERASED, (_RECEIPT, _EVENT, _REVISION, _PROCEDURE))


@cache
def forms_of(procedure: str) -> tuple[FileForm, ...]:
    """Return the files of a procedure: its own, then one for each repeated group. Raises ProcedureUnknown."""
    known = procedures().get(procedure)
    if known is None:
        raise ProcedureUnknown
    single = [column for item in known.items if item.group is None for column in _of_item(item)]
    forms = [FileForm(f"{procedure}.csv", (*FIXED, *single), procedure)]
    for group in known.groups:
        columns = [column for item in known.items if item.group == group for column in _of_item(item)]
        forms.append(FileForm(f"{procedure}.{group}.csv", (*_GROUP_FIXED, *columns), procedure, group))
    return tuple(forms)


@cache
def all_forms() -> tuple[FileForm, ...]:
    """Return every file that an export may hold, in the order of the page."""
    of_procedures = [form for slug in procedures() for form in forms_of(slug)]
    return (*of_procedures, WITHDRAWN_FORM, REPLACED_FORM, ERASED_FORM)


def _of_item(item: Item) -> tuple[Column, ...]:
    if item.type.is_number:
        return (Column(item.name, Form.NUMBER, item.doc_en, item.label),)
    text = Column(item.name, Form.TEXT, item.doc_en, item.label, item.max_length)
    if item.type is not ItemType.DATE:
        return (text,)
    parsed = Column(item.name + PARSED, Form.DATE, f"{item.doc_en}, as ISO 8601", f"{item.label}（西暦）")
    return text, parsed


@cache
def digest() -> str:
    """Return the SHA-256 of the names and forms of all columns in their order, in hex."""
    listed = [[form.name, [[column.name, column.form.value] for column in form.columns]] for form in all_forms()]
    return sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()


class ProcedureUnknown(HubError):
    """This version of the hub has no columns for a procedure."""

    code = "export.procedure"
    hint = "Export with the version of the hub that stored the submission, or a newer one."
