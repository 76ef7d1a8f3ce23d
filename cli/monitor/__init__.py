"""`monitor`: the process that watches, and what people ask of the watch; each command in a file of its own."""

from __future__ import annotations

import typer

from cli.monitor import analyse, figures, grafana, network, operations, prometheus, report, run, top

app = typer.Typer(
    help="Watch over the hub as the principal `monitor`; without a command, the process. / 監視",
    invoke_without_command=True,
)
app.callback()(run.monitor)
app.command("top")(top.top)
app.command("report")(report.report)
app.command("figures", hidden=True)(figures.figures)
app.command("analyse")(analyse.analyse)
app.command("network")(network.network)
app.command("prometheus")(prometheus.prometheus)
app.command("grafana")(grafana.grafana)
app.add_typer(operations.app, name="operations")
