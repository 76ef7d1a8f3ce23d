"""The boards keep their rules; what is committed is what they say; every declared metric is shown, and no other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.declared import MEASURES
from monitoring.grafana.__main__ import COMMITTED, main
from monitoring.grafana.board import (
    COLUMNS,
    Board,
    Look,
    Panel,
    declared_name,
    filled,
    labels_in,
    laid_out,
    metrics_in,
)
from monitoring.grafana.boards import BOARDS
from monitoring.grafana.shown import KNOWN, NOT_SHOWN, shown_on
from monitoring.grafana.writing import SOURCE, written

ROOT = Path(__file__).parents[4]
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
OF_PROMETHEUS = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}
FROM_SCRAPING = {"instance", "job", "le"}
GRAFANAS_OWN = {"__range", "__rate_interval"}

PANELS = [(board, panel) for board in BOARDS for panel in board.panels]
each = pytest.mark.parametrize(("board", "panel"), PANELS, ids=[f"{board.slug}-{panel.en}" for board, panel in PANELS])


def test_the_committed_json_is_what_the_boards_say() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.glob("*.json")}
    assert committed == written(BOARDS), "run `make docs`"


def test_the_same_boards_make_the_same_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        into = str(tmp_path / seed)
        subprocess.run(
            [sys.executable, "-m", "monitoring.grafana", into], cwd=ROOT, env=environment, check=True, timeout=60
        )
    assert {path.name: path.read_bytes() for path in (tmp_path / "1").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "2").iterdir()
    }


def test_the_json_of_a_board_that_is_no_more_goes(tmp_path: Path) -> None:
    (tmp_path / "gone.json").write_text("{}")
    assert main([str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.iterdir()} == {board.slug for board in BOARDS}


@each
def test_what_a_panel_asks_for_is_declared(board: Board, panel: Panel) -> None:
    for query in panel.queries:
        labels = set(FROM_SCRAPING)
        assert metrics_in(query.expr), query.expr
        for exposed in metrics_in(query.expr):
            name = declared_name(exposed, KNOWN)
            assert name in KNOWN or name in OF_PROMETHEUS, f"{exposed} is not declared"
            labels |= set(KNOWN[name].labels) if name in KNOWN else OF_PROMETHEUS[name]
        for exposed, label in labels_in(query.expr):
            name = declared_name(exposed, KNOWN)
            of_it = set(KNOWN[name].labels) | FROM_SCRAPING if name in KNOWN else labels
            assert label in of_it, f"{exposed or 'a grouping'} has no label {label}"
        for label in re.findall(r"{{(\w+)}}", query.legend):
            assert label in labels, f"a legend of {label}"


def test_every_declared_metric_is_shown_or_there_is_a_reason() -> None:
    shown = shown_on(BOARDS)
    left_out = KNOWN.keys() - shown - NOT_SHOWN.keys()
    assert not left_out, f"put them on a panel (monitoring/grafana/boards) or say why not (NOT_SHOWN): {left_out}"
    assert not NOT_SHOWN.keys() & shown
    assert NOT_SHOWN.keys() <= KNOWN.keys()


@each
def test_a_panel_is_told_in_two_languages_japanese_first(board: Board, panel: Panel) -> None:
    assert JAPANESE.search(panel.ja) or panel.ja.isupper()
    assert JAPANESE.search(panel.about_ja)
    assert panel.about_ja.endswith("。")
    assert not JAPANESE.search(panel.en + panel.about_en)
    assert panel.about_en.endswith(".")


@each
def test_a_panel_has_what_its_look_needs(board: Board, panel: Panel) -> None:
    assert bool(panel.queries) == (panel.look is not Look.TEXT)
    assert bool(panel.columns) == (panel.look is Look.TABLE)
    letters = {column.source for column in panel.columns if len(column.source) == 1}
    assert letters <= set("ABCDEFGHIJ"[: len(panel.queries)])
    assert len({column.ja for column in panel.columns}) == len(panel.columns)
    if panel.look is Look.TIME and len(panel.queries) > 1:
        assert all(query.legend for query in panel.queries)


@each
def test_what_is_zero_when_all_is_well_says_so(board: Board, panel: Panel) -> None:
    if panel.queries and all(query.expr.endswith("or on() vector(0)") for query in panel.queries):
        assert panel.zero_is_good


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.slug)
def test_a_board_asks_with_its_own_variables_and_all_of_them(board: Board) -> None:
    asked = {
        name
        for panel in board.panels
        for query in panel.queries
        for name in re.findall(r"\$\{?([A-Za-z_]+)", query.expr)
    }
    own = {variable.name for variable in board.variables}
    assert asked - GRAFANAS_OWN == own
    for variable in board.variables:
        assert variable.label in {*KNOWN[variable.metric].labels, "instance"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.slug)
def test_no_two_panels_stand_in_one_place(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for _, place in laid_out(board):
        assert place.x + place.width <= COLUMNS
        cells = {(x, y) for x in range(place.x, place.x + place.width) for y in range(place.y, place.y + place.height)}
        assert not taken & cells
        taken |= cells
    for row in board.rows:
        assert set(row.measures) <= MEASURES


def test_the_finders_of_names_find_them() -> None:
    expr = 'sum by (le, consumer)(rate(hub_x_seconds_bucket{le="1",place!~"up|hub_y"}[5m])) / count(up) or slo:a:b > 1'
    assert metrics_in(expr) == {"hub_x_seconds_bucket", "up", "slo:a:b"}
    assert labels_in(expr) == {
        ("hub_x_seconds_bucket", "le"),
        ("hub_x_seconds_bucket", "place"),
        ("", "le"),
        ("", "consumer"),
    }
    assert declared_name("hub_x_seconds_bucket", {"hub_x_seconds": 1}) == "hub_x_seconds"
    assert filled('a{b="$tenant"}[$__range] ${c}', {"tenant": "1", "__range": "9s", "c": "2"}) == 'a{b="1"}[9s] 2'
    with pytest.raises(KeyError):
        filled("$unknown", {})


def test_what_grafana_reads_at_its_start_names_our_source_and_reaches_our_files() -> None:
    provisioning = COMMITTED.parent / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "eltax-hub.yaml").read_text(encoding="utf-8"))
    assert [each["uid"] for each in source["datasources"]] == [SOURCE]
    provider = yaml.safe_load((provisioning / "dashboards" / "eltax-hub.yaml").read_text(encoding="utf-8"))
    assert [each["type"] for each in provider["providers"]] == ["file"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.slug)
def test_the_json_is_of_the_types_that_grafanas_sdk_has(board: Board) -> None:
    """Read back into the SDK's objects, no key is lost and each value is of its annotated type.

    Grafana's own JSON Schemas were asked by hand: tests/watch/published_schema.py, docs/decisions/0235.
    """
    plugins.register_default_plugins()
    said = json.loads((COMMITTED / f"{board.slug}.json").read_text(encoding="utf-8"))
    read = Dashboard.from_json(said)
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == said
    assert list(_wrong(read, "dashboard")) == []


def test_a_value_of_another_type_is_noticed() -> None:
    plugins.register_default_plugins()
    said = json.loads((COMMITTED / "overview.json").read_text(encoding="utf-8"))
    said["panels"][1]["gridPos"]["w"] = "6"
    said["panels"][1]["options"]["colorMode"] = "loud"
    found = list(_wrong(Dashboard.from_json(said), "dashboard"))
    assert found == ["dashboard.panels[1].grid_pos.w: str", "dashboard.panels[1].options.color_mode: loud"]


def _wrong(value: object, where: str) -> Iterator[str]:
    """Yield the places in an object of the SDK whose value is not of the annotated type."""
    for name, hint in _hints(type(value)).items():
        yield from _held(getattr(value, name), hint, f"{where}.{name}")


def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind) if kind.__module__.startswith("grafana_foundation_sdk.models") else {}


def _held(value: Any, hint: Any, where: str) -> Iterator[str]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (object, Any):
        if _hints(type(value)):
            yield from _wrong(value, where)
    elif origin in (typing.Union, UnionType):
        if value is None and NoneType in arguments:
            return
        of_its_class = [one for one in arguments if one is type(value)]
        answers = [list(_held(value, one, where)) for one in of_its_class or arguments if one is not NoneType]
        yield from min(answers, key=len)
    elif origin is typing.Literal:
        if value not in arguments:
            yield f"{where}: {value!r}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{where}: {type(value).__name__}"
            return
        for number, one in enumerate(value):
            yield from _held(one, arguments[0], f"{where}[{number}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{where}: {type(value).__name__}"
            return
        for key, one in value.items():
            yield from _held(one, arguments[1], f"{where}.{key}")
    elif issubclass(hint, Enum):
        if value not in {one.value for one in hint}:
            yield f"{where}: {value}"
    elif isinstance(value, dict) and hasattr(hint, "from_json"):  # the SDK reads no deeper by itself
        read = hint.from_json(value)
        if json.loads(json.dumps(read, cls=JSONEncoder)) != value:
            yield f"{where}: keys"
        yield from _wrong(read, where)
    elif not isinstance(value, (int, float) if hint is float else hint):
        yield f"{where}: {type(value).__name__}"
    else:
        yield from _wrong(value, where)
