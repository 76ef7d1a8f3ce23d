"""Draws docs/pictures from the answers of a real Prometheus that scraped a hub at work: `make pictures`.

By hand, for it takes some minutes; the pictures are committed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from monitoring.grafana.board import Board, Look, filled
from monitoring.grafana.boards import BOARDS
from monitoring.grafana.picture import Series, drawn
from tests.watch.servers import Prometheus
from tests.watch.watched import watched

INTO: Final = Path("docs/pictures")
SEED: Final = 131_041


def answers(
    server: Prometheus, board: Board, span: tuple[float, float], values: Mapping[str, str]
) -> dict[str, list[Series]]:
    """Ask a board's queries as Grafana would for this span: charts over it, all else at its end."""
    step = max(1.0, (span[1] - span[0]) / 240)
    found: dict[str, list[Series]] = {}
    for panel in board.panels:
        for query in panel.queries:
            expr = filled(query.expr, values)
            if panel.look is Look.TIME:
                found[query.expr] = [
                    Series(each.labels, each.values) for each in server.range(expr, span[0], span[1], step)
                ]
            else:
                found[query.expr] = [
                    Series(each.labels, ((span[1], each.value),)) for each in server.query(expr, span[1])
                ]
    return found


def draw(server: Prometheus, into: Path, span: tuple[float, float]) -> None:
    """Write the picture of each board."""
    into.mkdir(parents=True, exist_ok=True)
    values = {
        **dict.fromkeys(("tenant", "procedure", "instance"), ".*"),
        "__rate_interval": "15s",
        "__range": f"{round(span[1] - span[0])}s",
    }
    for board in BOARDS:
        said = drawn(board, answers(server, board, span, values), span)
        (into / f"{board.slug}.svg").write_text(said, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run a hub under load for a while and draw what was seen."""
    reader = argparse.ArgumentParser()
    reader.add_argument("--seconds", type=float, default=240)
    reader.add_argument("--interval", type=int, default=1, help="seconds between scrapes; more on a busy machine")
    reader.add_argument("--into", type=Path, default=INTO)
    told = reader.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, watched(Path(directory), interval_seconds=told.interval) as hub:
        first, *_ = hub.file(32, SEED)
        hub.portal.file([{"procedure": "nothing"}] * 16)
        hub.keep_filing(SEED + 1, every_seconds=1.0)
        began = time.time()
        hub.hub.stored(first)
        hub.hub.json("review", "decide", first, "hold", "--reason", "item-missing", "--message", "記載漏れ")
        time.sleep(max(0.0, told.seconds - (time.time() - began)))
        draw(hub.prometheus, told.into, (began, time.time()))  # at work still: no portal waits idly for input
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
