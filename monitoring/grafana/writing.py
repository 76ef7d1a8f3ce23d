"""From a board to the JSON that Grafana reads, through Grafana's own SDK. Same board, same bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, table, text, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from monitoring.grafana.board import Board, Look, Panel, Place, Query, Row, Steps, Variable, laid_out
from monitoring.grafana.shown import alerts_of

SOURCE: Final = "eltax-hub-prometheus"
"""uid of the data source, see provisioning/datasources"""
TAG: Final = "eltax-hub"
RUNBOOKS: Final = "runbooks"
"""a constant of every board: the address under which docs/runbooks/alerts can be read in this deployment"""
RUNBOOKS_DEFAULT: Final = "docs/runbooks/alerts"

_AnyPanel = stat.Panel | timeseries.Panel | table.Panel | text.Panel


def as_json(board: Board) -> str:
    """Return the whole dashboard, two spaces deep, ending with a line break."""
    made = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(f"{board.about_ja}\n\n{board.about_en}")
        .tags([TAG])
        .timezone("Asia/Tokyo")
        .time(board.span, "now")
        .refresh("30s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(_to_the_others())
    )
    for variable in board.variables:
        made.with_variable(_variable(variable))
    made.with_variable(builders.ConstantVariable(RUNBOOKS).label("手順書 / Runbooks").value(RUNBOOKS_DEFAULT))
    for number, (each, place) in enumerate(laid_out(board), 1):
        if isinstance(each, Row):
            # a bare row: panels that follow belong to it; `with_row` would move places that are given
            row = models.RowPanel(title=each.title, id_val=number, grid_pos=_grid(place), panels=[])
            made._internal.panels = [*(made._internal.panels or []), row]
        else:
            panel = _panel(each).id(number).grid_pos(_grid(place)).build()
            made._internal.panels = [*(made._internal.panels or []), panel]
    return json.dumps(made.build(), cls=JSONEncoder, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _grid(place: Place) -> models.GridPos:
    return models.GridPos(h=place.height, w=place.width, x=place.x, y=place.y)


def _source() -> models.DataSourceRef:
    return models.DataSourceRef(type_val="prometheus", uid=SOURCE)


def _to_the_others() -> builders.DashboardLink:
    return (
        builders.DashboardLink("他の画面 / Other boards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .icon("external link")
        .tooltip("")
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
    )


def _variable(variable: Variable) -> builders.QueryVariable:
    return (
        builders.QueryVariable(variable.name)
        .label(f"{variable.ja} / {variable.en}")
        .datasource(_source())
        .query(variable.query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")  # not a list of all names: a query stays short however many there are
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _panel(panel: Panel) -> _AnyPanel:
    made = _by_look(panel)
    made.title(panel.title).description(_about(panel))
    if panel.look is Look.TEXT:
        return made
    made.datasource(_source()).unit(panel.unit)
    if panel.limit is None:
        made.thresholds(_thresholds(panel.steps))
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.words:
        made.mappings(
            [
                models.ValueMap(
                    {
                        value: models.ValueMappingResult(text=said, color=colour)
                        for value, (said, colour) in panel.words.items()
                    }
                )
            ]
        )
    alerts = alerts_of(panel)
    if alerts:
        made.links([_runbook(alert) for alert in alerts])
    for letter, query in zip("ABCDEFGHIJ", panel.queries, strict=False):
        made.with_target(_query(panel.look, letter, query))
    return made


def _about(panel: Panel) -> str:
    good = "\n\n0は正常 / Zero is good." if panel.zero_is_good else ""
    return f"{panel.about_ja}\n\n{panel.about_en}{good}"


def _runbook(alert: str) -> builders.DashboardLink:
    return (
        builders.DashboardLink(f"手順 / Runbook: {alert}")
        .type(models.DashboardLinkType.LINK)
        .icon("doc")
        .tooltip("")
        .url(f"${{{RUNBOOKS}}}/{alert}.md")
        .target_blank(True)
    )


def _query(look: Look, letter: str, query: Query) -> prometheus.Dataquery:
    made = prometheus.Dataquery().ref_id(letter).expr(query.expr).datasource(_source())
    if query.legend:
        made.legend_format(query.legend)
    if look is Look.TIME:
        return made.range()
    return made.instant().format(PromQueryFormat.TABLE if look is Look.TABLE else PromQueryFormat.TIME_SERIES)


def _thresholds(steps: Steps) -> builders.ThresholdsConfig:
    return (
        builders.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )


def _by_look(panel: Panel) -> _AnyPanel:
    if panel.look is Look.STAT:
        return _stat(panel)
    if panel.look is Look.TIME:
        return _chart(panel)
    if panel.look is Look.TABLE:
        return _table(panel)
    return text.Panel().mode(TextMode.MARKDOWN).content(f"{panel.about_ja}\n\n{panel.about_en}")


def _stat(panel: Panel) -> stat.Panel:
    several = len(panel.queries) > 1 or any(query.legend for query in panel.queries)
    return (
        stat.Panel()
        .reduce_options(common_builders.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields(""))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID if not several else common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME if several else common.BigValueTextMode.VALUE)
        .no_value("不明 / unknown")
    )


def _chart(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(30 if panel.stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .min(0)
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC))
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
    )
    if panel.stacked:
        made.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if panel.limit is not None:
        made.thresholds(_thresholds(((0, "transparent"), (panel.limit, "red"))))
        made.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.LINE))
    return made


def _table(panel: Panel) -> table.Panel:
    one = len(panel.queries) == 1
    names = {_field(column.source, one=one): column.ja for column in panel.columns}
    return (
        table.Panel()
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
        .align(common.FieldTextAlignment.AUTO)
        .no_value("なし / none")
        .transformations(
            [
                models.DataTransformerConfig(id_val="merge", options={}),
                models.DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": [*names]}}),
                models.DataTransformerConfig(
                    id_val="organize",
                    options={
                        "excludeByName": {},
                        "indexByName": {name: place for place, name in enumerate(names)},
                        "renameByName": names,
                    },
                ),
            ]
        )
    )


def _field(source: str, *, one: bool) -> str:
    """Name that Grafana gives a column: labels keep theirs, values are `Value`, or `Value #A` of several queries."""
    if len(source) == 1 and source.isupper():
        return "Value" if one else f"Value #{source}"
    return source


def written(boards: Sequence[Board]) -> dict[str, str]:
    """Return file name → JSON of each board."""
    return {f"{board.slug}.json": as_json(board) for board in boards}
