"""Pictures of boards: whole, legible, and nothing but what was answered."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from monitoring.grafana.board import GREEN, RED, ZERO_IS_GOOD, Board, Column, Look, Panel, Query, Row
from monitoring.grafana.boards import BOARDS
from monitoring.grafana.drawing import COLOURS, fitted, number, ticks, width_of
from monitoring.grafana.picture import WIDTH, Answers, Series, drawn

ROOT = Path(__file__).parents[4]
SVG = "{http://www.w3.org/2000/svg}"
SPAN = (1_800_000_000.0, 1_800_000_060.0)


def one(panel: Panel, answers: Answers) -> ElementTree.Element:
    board = Board("x", "試験", "Trial", "試験。", "Trial.", (Row("行", "Row", (panel,)),))
    return ElementTree.fromstring(drawn(board, answers, SPAN))


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def panel(look: Look, *queries: Query, **more: object) -> Panel:
    return Panel(look, "題", "Title", "説明。", "About.", queries, **more)  # type: ignore[arg-type]


def line(*values: float, **labels: str) -> Series:
    return Series(labels, tuple((SPAN[0] + 10 * place, value) for place, value in enumerate(values)))


def test_a_value_stands_on_the_colour_of_its_threshold_and_a_word_instead_of_it() -> None:
    made = panel(Look.STAT, Query("a"), steps=ZERO_IS_GOOD, words={"0": ("全件あり", GREEN)})
    good, bad = one(made, {"a": [line(0.0)]}), one(made, {"a": [line(3.0)]})
    assert "全件あり" in texts(good) and "3" in texts(bad)
    fills = [{each.get("fill") for each in picture.iter(f"{SVG}rect")} for picture in (good, bad)]
    assert COLOURS[GREEN] in fills[0] and COLOURS[RED] not in fills[0]
    assert COLOURS[RED] in fills[1]


def test_no_answer_is_shown_as_unknown_and_never_as_good() -> None:
    for look, said in ((Look.STAT, "不明 / unknown"), (Look.TIME, "データなし / no data"), (Look.TABLE, "なし / none")):
        made = panel(look, Query("a"), steps=ZERO_IS_GOOD, columns=(Column("b", "列"),))
        picture = one(made, {})
        assert said in texts(picture)
        assert COLOURS[GREEN] not in {each.get("fill") for each in picture.iter(f"{SVG}rect")}


def test_a_chart_names_its_series_and_leaves_gaps_where_nothing_was_answered() -> None:
    made = panel(Look.TIME, Query("a", "{{b}}"))
    points = (*line(1.0, 2.0, 3.0).points, (SPAN[1], 9.0), (SPAN[1] - 1, math.nan))
    picture = one(made, {"a": [Series({"b": "審査 <review>"}, points)]})
    assert "審査 <review>" in texts(picture)
    lines = [each.get("d", "") for each in picture.iter(f"{SVG}path") if each.get("stroke-width")]
    assert [each.count("L") for each in lines] == [2, 0]


def test_stacked_series_stand_upon_one_another() -> None:
    made = panel(Look.TIME, Query("a", "{{b}}"), stacked=True)
    picture = one(made, {"a": [line(1.0, 1.0, b="x"), line(2.0, 1.0, b="y")]})
    tops = [
        min(float(y) for y in re.findall(r" (\d+\.\d)", each.get("d", "")))
        for each in picture.iter(f"{SVG}path")
        if each.get("stroke-width")
    ]
    assert tops[1] < tops[0]


def test_a_table_joins_its_queries_by_the_first_label_and_says_what_it_leaves_out() -> None:
    columns = (Column("b", "団体"), Column("A", "受付"), Column("B", "保存"))
    made = panel(Look.TABLE, Query("a"), Query("c"), columns=columns, height=4)
    many = [line(float(place), b=f"t{place:02}") for place in range(9)]
    said = texts(one(made, {"a": many, "c": many[:1]}))
    assert {"団体", "受付", "保存", "t00"} <= set(said)
    assert "ほか 8 件" in said or "ほか 7 件" in said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "short", "0"), (1234, "short", "1,234"), (56_789, "short", "56.8k"), (0.25, "reqps", "0.25/s"),
        (0.9991, "percentunit", "99.9%"), (1536, "bytes", "1.5 KiB"), (0, "bytes", "0 B"), (0.004, "s", "4ミリ秒"),
        (90, "s", "1.5分"), (86_400 * 40, "s", "40日"), (0, "s", "0秒"), (math.nan, "s", "—"), (2e6, "short", "2M"),
    ],
)  # fmt: skip
def test_numbers_read_as_people_write_them(value: float, unit: str, said: str) -> None:
    assert number(value, unit) == said


@pytest.mark.parametrize("top", [0.0, 0.013, 0.9, 1.0, 7.0, 99.0, 12_345.0, math.inf])
def test_ticks_are_few_round_and_reach_the_top(top: float) -> None:
    found = ticks(top)
    assert found[0] == 0 and 2 <= len(found) <= 6
    if math.isfinite(top):
        assert found[-1] >= top * 0.999


def test_a_text_is_cut_to_its_room() -> None:
    assert fitted("短い", 12, 100) == "短い"
    cut = fitted("とても長い題名は切り詰める", 12, 60)
    assert cut.endswith("…") and width_of(cut, 12) <= 60


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.slug)
def test_a_board_is_drawn_with_all_its_panels_inside_the_picture(board: Board) -> None:
    picture = ElementTree.fromstring(drawn(board, {}, SPAN))
    said = texts(picture)
    assert [each.ja for each in board.panels] == [text for text in said if text in {one.ja for one in board.panels}]
    for each in picture.iter(f"{SVG}rect"):
        assert float(each.get("x", 0)) + float(each.get("width", 0)) <= WIDTH + 0.1
