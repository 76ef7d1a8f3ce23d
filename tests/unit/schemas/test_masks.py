"""What the helpdesk sees; and that no 個人番号 gets out, whichever field it was typed into."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import GENERIC, Item, ItemType, Mask, Procedure, procedures
from schemas.masks import HIDDEN, mask
from schemas.numbers import my_number_check_digit
from schemas.sections import helpdesk_section, read_helpdesk_section
from schemas.submission import Refused
from tests.unit.schemas.support import documents, good, read, smallest

NEW = [each for each in procedures().values() if each.record_name != GENERIC]
ITEMS = [(procedure, item) for procedure in NEW for item in procedure.items]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("見本太郎", "見＊＊＊"),
        ("ﾐﾎﾝ ﾀﾛｳ", "ﾐ＊＊＊"),
        ("ﾊﾞﾝ", "ﾊﾞ＊＊＊"),
        ("𠮷見本", "𠮷＊＊＊"),
        ("辻\U000e0100見本", "辻\U000e0100＊＊＊"),
        ("\ue000見本", "\ue000＊＊＊"),
        ("　 見本太郎", "見＊＊＊"),
        ("株式会社見本商事", "株＊＊＊"),
        ("123456789018", HIDDEN),
        ("１２３４", HIDDEN),
        ("", ""),
        ("  ", HIDDEN),
    ],
)
def test_a_name_keeps_its_first_character(text: str, shown: str) -> None:
    assert mask(Mask.NAME, text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("東京都新宿区歌舞伎町1-4-1", "東京都新宿区"),
        ("東京都　新宿区歌舞伎町1-4-1", "東京都　新宿区"),
        ("新宿区歌舞伎町1-4-1", "新宿区"),
        ("テスト区見本町1-2-3", "テスト区"),
        ("見本県架空市例示5", "見本県架空市"),
        ("神奈川県横浜市中区日本大通1", "神奈川県横浜市"),
        ("京都府京都市中京区1", "京都府京都市"),
        ("京都市中京区1", "京都市"),
        ("東京都府中市1", "東京都府中市"),
        ("福岡県太宰府市1-1", "福岡県太宰府市"),
        ("宮崎県都城市1", "宮崎県都城市"),
        ("北海道札幌市北区1", "北海道札幌市"),
        ("北海道余市郡余市町1", "北海道余市郡余市町"),
        ("三重県四日市市日永1", "三重県四日市市"),
        ("東京都東村山市本町1", "東京都東村山市"),
        ("東京都町田市森野1", "東京都町田市"),
        ("千葉県市川市八幡1", "千葉県市川市"),
        ("愛知県蒲郡市神明町1", "愛知県蒲郡市"),
        ("福島県郡山市朝日1", "福島県郡山市"),
        ("東京都西多摩郡瑞穂町箱根ケ崎1", "東京都西多摩郡瑞穂町"),
        ("西多摩郡瑞穂町箱根ケ崎1", "西多摩郡瑞穂町"),
        ("東京都利島村1", "東京都利島村"),
        ("東京都新宿区", "東京都新宿区"),
        ("新宿区歌舞伎町一丁目四番一号", "新宿区"),
        ("古市", ""),
        ("古市三郎", ""),
        ("今市様方", ""),
        ("新宿区", ""),
        ("中村太郎方", ""),
        ("木村花子", ""),
        ("田町1-2-3", ""),
        ("1600022 新宿区", ""),
        ("〒160-0022 東京都新宿区", ""),
        ("1 Shinjuku-ku", ""),
        ("123456789018", ""),
    ],
)
def test_an_address_keeps_its_ward_and_is_hidden_where_none_is_recognised(text: str, shown: str) -> None:
    assert mask(Mask.WARD, text) == shown + HIDDEN


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("03-3209-1111", "1111"),
        ("0332091111", "1111"),
        ("０３（３２０９）１１１１", "１１１１"),
        ("090 1234 5678", "5678"),
        ("3209-1111", "1111"),
        ("+81 90-1234-5678", "5678"),
        ("+81-3-3209-1111", "1111"),
        ("110", ""),
        ("123456789018", ""),
        ("1234-5678-9018", ""),
        ("+12 3456789018", ""),
        ("03-3209-1111 見本", ""),
        ("03-3209-1111/090-1234-5678", ""),
        ("なし", ""),
    ],
)
def test_a_phone_number_keeps_its_last_four_digits(text: str, shown: str) -> None:
    assert mask(Mask.LAST_FOUR, text) == HIDDEN + shown


@pytest.mark.parametrize(
    "text", ["2025-12-01", "令和７年１２月１日", "第1期", "131041", "7000020131041", "新宿区長", "4"]
)
def test_plain_values_are_shown(text: str) -> None:
    assert mask(Mask.PLAIN, text) == text


@pytest.mark.parametrize(
    "text",
    [
        "123456789018",
        "1234-5678-9018",
        "１２３４５６７８９０１８",
        "一二三四五六七八九〇一八",
        "12345678",
        "4011001098994",
        "見" * 41,
    ],
)
def test_a_plain_item_that_may_hold_a_number_of_a_person_is_hidden(text: str) -> None:
    assert mask(Mask.PLAIN, text) == HIDDEN


def test_hidden_shows_neither_content_nor_length() -> None:
    assert {mask(Mask.HIDDEN, "x" * n) for n in (1, 10, 4_000)} == {HIDDEN}


@pytest.mark.parametrize(
    ("procedure", "item"), ITEMS, ids=lambda each: getattr(each, "slug", getattr(each, "name", ""))
)
def test_every_item_has_a_mask_that_its_type_and_class_allow(procedure: Procedure, item: Item) -> None:
    allowed = {
        ItemType.MY_NUMBER: {Mask.ABSENT},
        ItemType.KANA: {Mask.NAME},
        ItemType.ADDRESS: {Mask.WARD},
        ItemType.PHONE: {Mask.LAST_FOUR},
        ItemType.POSTAL_CODE: {Mask.HIDDEN},
        ItemType.YEN: {Mask.HIDDEN},
        ItemType.CORPORATE_NUMBER: {Mask.PLAIN, Mask.HIDDEN},
        ItemType.DATE: {Mask.PLAIN, Mask.HIDDEN},
        ItemType.INTEGER: {Mask.PLAIN, Mask.HIDDEN},
        ItemType.ENUM: {Mask.PLAIN, Mask.HIDDEN},
        ItemType.STRING: {Mask.NAME, Mask.PLAIN, Mask.HIDDEN},
    }[item.type]
    assert item.mask in allowed
    if item.classification == "personal":
        assert item.mask is not Mask.PLAIN
    if item.classification == "special_my_number":
        assert item.mask is Mask.ABSENT


def digits_only(text: str) -> str:
    return re.sub(r"[^0-9]", "", text.translate(str.maketrans("０１２３４５６７８９", "0123456789")))


@pytest.mark.parametrize(
    ("procedure", "item"), ITEMS, ids=lambda each: getattr(each, "slug", getattr(each, "name", ""))
)
def test_an_individual_number_in_any_item_never_reaches_the_helpdesk(procedure: Procedure, item: Item) -> None:
    """Typed where it does not belong, in each way of writing it, it is not shown, nor four digits of it."""
    number = "12345678901" + str(my_number_check_digit("12345678901"))
    ways = (
        number,
        f"{number[:4]}-{number[4:8]}-{number[8:]}",
        number.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
    )
    for way in (int(number),) if item.type.is_number else ways:
        items = {item.name: way} if item.group is None else {item.group: [{item.name: way}]}
        read_ = read(smallest(procedure=procedure.slug, items=items))
        if isinstance(read_, Refused):
            assert item.type is ItemType.DATE
            continue
        section = helpdesk_section(read_)
        for form in (*ways, number[:4], number[8:], ways[2][:4], ways[2][8:]):
            assert form.encode() not in section
        assert (section.find(item.name.encode()) < 0) == (item.mask is Mask.ABSENT)


@given(
    st.from_regex(r"[0-9]{11}", fullmatch=True), st.sampled_from(list(Mask)), st.text(max_size=6), st.text(max_size=6)
)
def test_no_mask_lets_twelve_digits_through(first: str, kind: Mask, before: str, after: str) -> None:
    number = first + str(my_number_check_digit(first))
    shown = mask(kind, f"{before}{number}{after}")
    assert shown is None or number not in digits_only(shown)


def test_the_helpdesk_record_of_every_procedure_says_less_than_was_sent() -> None:
    for document in documents(400):
        submission = good(document)
        record = read_helpdesk_section(helpdesk_section(submission))
        assert record.receipt_number == document["receipt_number"]
        assert record.attachments == len(document.get("attachments", []))
        shown = json.dumps([each.shown for each in record.items], ensure_ascii=False)
        catalogue = {item.name: item for item in procedures()[submission.procedure].items}
        for name, value in flat(document.get("items") or {}):
            item = catalogue[name]
            if item.mask in (Mask.ABSENT, Mask.WARD, Mask.LAST_FOUR) or (item.mask is Mask.NAME and len(value) > 4):
                assert value not in shown
        for attachment in document.get("attachments", []):
            assert attachment["file_name"].encode() not in helpdesk_section(submission)


def test_items_stand_in_the_order_of_the_form_with_their_rows() -> None:
    items = {"heirs": [{"heir_name": "見本太郎"}, {}, {"heir_name": "架空花子"}], "decedent_name": "試験一子"}
    record = read_helpdesk_section(
        helpdesk_section(good(smallest(procedure="heir-representative-designation", items=items)))
    )
    assert [(each.name, each.group, each.row, each.shown) for each in record.items] == [
        ("decedent_name", None, None, "試＊＊＊"),
        ("heir_name", "heirs", 0, "見＊＊＊"),
        ("heir_name", "heirs", 2, "架＊＊＊"),
    ]


def flat(items: dict[str, object]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in items.items():
        if isinstance(value, list):
            for row in value:
                found += flat(row)
        else:
            found.append((name, str(value)))
    return found
