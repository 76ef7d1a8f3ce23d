"""`up`: the whole hub on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from cli.output import console, json_line, reports_errors


class _Stop(Exception):
    """SIGTERM or SIGINT."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stop


def _faust() -> bool:
    """Whether the extra of the analysis is installed; without it the rest runs, and the monitor says what is silent."""
    from cli.monitor.analyse import FAUST

    return any(metadata.distributions(name=FAUST))


@reports_errors
def up(
    home: Annotated[Path | None, typer.Option(help="HUB_HOME")] = None,
    namespace: Annotated[str | None, typer.Option(help="rehearsal (default) or another one")] = None,
    partitions: Annotated[int | None, typer.Option(min=1, help="only for the first start of a home")] = None,
    analysis: Annotated[bool, typer.Option(help="analyse the operations log, too (needs Faust)")] = True,
    brokers: Annotated[int | None, typer.Option(min=1, max=9, help="Kafka nodes; only for the first start")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON when ready")] = False,
) -> None:
    """Run broker, router and consumers here until Ctrl-C. / 全体を起動し、Ctrl-Cまで動かす"""
    from cli import broker_requests
    from cli.home import Home
    from cli.stack import Stack
    from hub.settings import HomeSettings

    settings = HomeSettings()
    stack = Stack(
        Home((home or settings.home).resolve()),
        namespace=namespace or settings.namespace,
        partitions=partitions or settings.partitions,
        brokers=brokers or settings.brokers,
        topics_file=settings.topics_file,
        analysis=analysis and _faust(),
        tell=(lambda _: None) if as_json else (lambda step: console.print(f"[dim]·[/] {step}")),
    )
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        with stack:
            broker_requests.forget(stack.home)
            running = stack.describe()
            if as_json:
                json_line(asdict(running))
            else:
                console.print(f"[bold green]ready[/]  brokers {running.bootstrap}  certificates {running.certificates}")
                console.print(
                    "In another shell: eltax-hub generate -n 3 | eltax-hub submit -   (Ctrl-C here stops all)"
                )
            while True:
                time.sleep(0.5)
                stack.follow()  # first: a desk whose tenant was removed ends by itself
                stack.check()
                broker_requests.serve(stack.home, stack.restart_broker)
    except _Stop:
        if not as_json:
            console.print("stopped")
