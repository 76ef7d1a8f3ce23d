"""CSV text, characters and columns of exports: what a receiver reads is what was filed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.review.export.characters import TWINS, Encoding, Misfit, Writing
from consumers.review.export.columns import (
    DIGESTS,
    FIXED,
    PREFIX,
    VERSION,
    Form,
    ProcedureUnknown,
    all_forms,
    digest,
    forms_of,
)
from consumers.review.export.document import main, page
from consumers.review.export.errors import EncodingUnknown, ExportError, ReplacementInvalid
from consumers.review.export.text import TRIGGERS, Cell, guarded, record, restored
from schemas.catalogue import ItemType, procedures

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
cells = st.one_of(st.none(), st.integers(), texts, st.text(alphabet="='\"+-@,;\r\n\t ＝－a1", max_size=8))


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(st.lists(st.lists(cells, min_size=2, max_size=6), max_size=5))
def test_the_csv_module_reads_back_every_cell(rows: list[list[Cell]]) -> None:
    found = read("".join(record(row) for row in rows))
    expected = [
        ["" if cell is None else str(cell) if isinstance(cell, int) else guarded(cell) for cell in row] for row in rows
    ]
    assert found == expected
    for row, line in zip(rows, found, strict=True):
        for cell, text in zip(row, line, strict=True):
            if isinstance(cell, str):
                assert restored(text) == cell


@given(texts)
def test_no_text_begins_like_a_formula_and_the_guard_comes_off(text: str) -> None:
    shown = guarded(text)
    assert not shown or shown[0] not in TRIGGERS
    assert restored(shown) == text


@pytest.mark.parametrize("first", [*"=+-@\t\r\n", *"＝＋－＠−", "'"])
def test_each_formula_sign_is_guarded_and_only_at_the_start(first: str) -> None:
    assert guarded(f"{first}1+1") == f"'{first}1+1"
    assert guarded(f"a{first}1") == f"a{first}1"


def test_negative_amounts_stay_numbers_and_texts_with_a_minus_do_not() -> None:
    assert record((-500, "-500")) == "-500,'-500\r\n"


def test_absent_and_empty_differ_in_the_file() -> None:
    assert record((None, "", "a")) == ',"",a\r\n'


def test_quotes_commas_and_line_breaks_are_quoted_as_rfc_4180_says() -> None:
    assert (
        record(('say "a"', "a,b", "a\r\nb", "a\nb", " a", "a　")) == '"say ""a""","a,b","a\r\nb","a\nb"," a","a　"\r\n'
    )


@given(texts)
def test_utf_8_holds_everything_and_changes_nothing(text: str) -> None:
    writing = Writing.declared("utf-8", "refuse")
    assert list(writing.misfits(text)) == []
    assert writing.encode([text]).decode() == text


@given(texts)
def test_cp932_gives_back_what_it_did_not_tell_of(text: str) -> None:
    refusing, replacing = Writing.declared("cp932", "refuse"), Writing.declared("cp932", "replace")
    told = {chr(each.code_point) for each in refusing.misfits(text)}
    kept = "".join(c for c in text if c not in told)
    assert refusing.encode([kept]).decode("cp932") == kept
    back = replacing.encode([text]).decode("cp932")
    assert len(back) == len(text)
    for was, became in zip(text, back, strict=True):
        assert became == was or was in told
        assert became != "?" or was == "?"


def test_what_becomes_of_each_kind_of_character() -> None:
    text = "髙﨑𠮷辻\U000e0100\ue000〜ｱ①㈱"
    assert Writing.declared("cp932", "replace").encode([text]).decode("cp932") == "髙﨑〓辻〓\ue000～ｱ①㈱"
    assert Writing.declared("cp932", "replace").misfits(text) == [
        Misfit(0x20BB7, "〓"),
        Misfit(0xE0100, "〓"),
        Misfit(0xE000, "\ue000"),
        Misfit(0x301C, "～"),
    ]
    refused = [each.code_point for each in Writing.declared("cp932", "refuse").misfits(text) if each.refused]
    assert refused == [0x20BB7, 0xE0100, 0x301C]  # 外字 come back as themselves and are only told of


def test_every_twin_is_what_python_writes_without_a_word() -> None:
    silent = {}
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        try:
            back = chr(code).encode("cp932").decode("cp932")
        except UnicodeError:
            continue
        if back != chr(code):
            silent[chr(code)] = back
    assert silent == TWINS


@pytest.mark.parametrize("code", [0x80, 0xF8F0, 0xF8F3])
def test_bytes_without_a_character_are_not_written(code: int) -> None:
    assert Writing.declared("cp932", "replace").encode([chr(code)]).decode("cp932") == "〓"
    with pytest.raises(ExportError):
        Writing.declared("cp932", "refuse").encode([chr(code)])


@pytest.mark.parametrize("replacement", ["", "??", "?", "？", "=", "＝", "−", "'", ",", '"', "\n", " ", "𠮷", "〜"])
def test_a_replacement_that_would_hurt_is_refused(replacement: str) -> None:
    with pytest.raises(ReplacementInvalid):
        Writing.declared("cp932", "replace", replacement)


def test_a_replacement_may_be_declared_and_means_nothing_without_replace() -> None:
    assert Writing.declared("cp932", "replace", "■").encode(["𠮷"]).decode("cp932") == "■"
    with pytest.raises(ReplacementInvalid):
        Writing.declared("cp932", "refuse", "■")
    for encoding, on_missing in (("shift_jis", "refuse"), ("cp932", "ignore")):
        with pytest.raises(EncodingUnknown):
            Writing.declared(encoding, on_missing)


def test_a_byte_order_mark_is_for_utf_8_only() -> None:
    assert (Encoding.UTF_8.mark, Encoding.CP932.mark) == ("\ufeff".encode(), b"")


def test_the_columns_of_this_version_are_locked() -> None:
    assert DIGESTS[VERSION] == digest(), "columns changed: raise VERSION, add its digest, keep the old ones"
    assert max(DIGESTS) == VERSION


def test_no_column_stands_twice_and_ours_cannot_be_mistaken_for_items() -> None:
    for form in all_forms():
        assert len(set(form.header)) == len(form.header), form.name
    assert len({form.name for form in all_forms()}) == len(all_forms())
    for procedure in procedures().values():
        assert not any(item.name.startswith(PREFIX) for item in procedure.items)
    assert all(column.name.startswith(PREFIX) for column in FIXED)


def test_every_item_of_the_catalogue_has_its_column_in_the_order_of_the_form() -> None:
    count = 0
    for procedure in procedures().values():
        for form in forms_of(procedure.slug):
            items = [item for item in procedure.items if item.group == form.group]
            count += len(items)
            by_name = {column.name: column for column in form.columns}
            ours = [name for name in form.header if name in {item.name for item in items}]
            assert ours == [item.name for item in sorted(items, key=lambda each: each.seq)]
            for item in items:
                assert (by_name[item.name].form is Form.NUMBER) == item.type.is_number
                assert (f"{item.name}_parsed" in by_name) == (item.type is ItemType.DATE)
    assert count == 144


def test_receipt_decision_tax_items_and_dates_come_first() -> None:
    first = ("hub_receipt_number", "hub_decision", "hub_tax_items", "hub_accepted_at", "hub_decided_at")
    for procedure in procedures():
        assert forms_of(procedure)[0].header[:5] == first


def test_the_committed_page_is_what_the_columns_say(tmp_path: Path) -> None:
    committed = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    assert committed == page(), "run `make docs`"
    assert main([str(tmp_path / "docs" / "export.md")]) == 0
    assert (tmp_path / "docs" / "export.md").read_text(encoding="utf-8") == committed


def test_the_page_names_every_column_of_every_file() -> None:
    text = page()
    for form in all_forms():
        assert f"`{form.name}`" in text
        for column in form.columns:
            assert f"`{column.name}` | {column.form.value} |" in text
            assert column.meaning
            assert column.meaning_ja


def test_a_procedure_without_columns_is_named() -> None:
    with pytest.raises(ProcedureUnknown):
        forms_of("no-such-procedure")
