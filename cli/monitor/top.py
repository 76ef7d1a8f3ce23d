"""`monitor top`: the running hub at one glance, again and again, from its own endpoints alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import console, json_line, reports_errors

if TYPE_CHECKING:
    from cli.home import Home
    from monitoring.glance.state import Asked, Glance, Journal
    from monitoring.scraping import Scraper

AT_ONCE = 16
_ASK_SECONDS = 3.0


@reports_errors
def top(
    interval: Annotated[float, typer.Option(min=0.5, max=3_600, help="seconds between two looks")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="look twice, `interval` apart, print, and end")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one object per look")] = False,
) -> None:
    """Show flow, delays, watch, findings and processes; first: is all where it must be? / 稼働状況を一目で見る"""
    from cli.people import the_home

    home = the_home()
    home.running()  # NoHub, if there is none
    looks = _Looks(home)
    try:
        if once or as_json:
            _plain(looks, interval, once=once, as_json=as_json)
        else:
            _live(looks, interval)
    except KeyboardInterrupt:
        return
    finally:
        looks.close()
    if once and looks.answer in ("no", "unknown"):
        raise typer.Exit(1)


def _plain(looks: _Looks, interval: float, *, once: bool, as_json: bool) -> None:
    from cli.monitor.top_view import draw

    looks.look()
    while True:
        time.sleep(interval)
        glance = looks.look()
        if as_json:
            json_line(plain(glance))
        else:
            console.print(draw(glance, console.width))
        if once:
            return


def _live(looks: _Looks, interval: float) -> None:
    from rich.live import Live

    from cli.monitor.top_view import draw

    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(draw(looks.look(), console.width), refresh=True)
            time.sleep(interval)


def plain(glance: Glance) -> dict[str, Any]:
    """The glance as JSON; a time that nobody knows is null, and so is one above the last bucket."""
    said = asdict(glance)
    for stage in said["stages"]:
        for key in ("p50", "p99"):
            if stage[key] == float("inf"):
                stage[key] = None
    return said


class _Looks:
    """Asks all processes side by side, and remembers the last answers; who comes and goes is seen each time."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._before: dict[str, Asked] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="top")
        self.answer = "unknown"

    def close(self) -> None:
        """Ask nobody any more."""
        self._pool.shutdown(cancel_futures=True)

    def look(self) -> Glance:
        """Ask once, and return what is seen now against the last time. Never raises for a process that is away."""
        from cli.home import NoHub
        from monitoring.glance.state import look

        targets: Mapping[str, str] = {}
        with suppress(NoHub, OSError, ValueError, TypeError):  # it stops, or writes what runs right now
            targets = self._home.running().metrics
        now = self._asked(targets)
        expected = {*targets, *(name for name, asked in self._before.items() if asked.numbers is not None)}
        glance = look(now, self._before, expected=expected, at=time.time(), journal=self._journal())
        self._before = now
        self.answer = glance.whole.answer.value
        return glance

    def _asked(self, targets: Mapping[str, str]) -> dict[str, Asked]:
        from monitoring.glance.state import Asked

        try:
            scraper = self._home.scraper()
        except OSError:
            return {name: Asked(time.monotonic(), None) for name in targets}
        waiting = {name: self._pool.submit(_ask, scraper, url, name) for name, url in targets.items()}
        return {name: each.result() for name, each in waiting.items()}

    def _journal(self) -> Journal | None:
        from hub.producing.journal import count_states
        from hub.producing.journal_rows import EventState
        from monitoring.glance.state import Journal
        from portal.producer import JOURNAL
        from schemas.errors import HubError

        path = self._home.role("portal") / "state" / JOURNAL
        if not path.exists():
            return None
        try:
            counts = count_states(path)
        except HubError:
            return None
        return Journal(
            counts[EventState.JOURNALED],
            counts[EventState.ACKNOWLEDGED],
            counts[EventState.STORED],
            counts[EventState.VOID],
        )


def _ask(scraper: Scraper, url: str, name: str) -> Asked:
    from monitoring.glance.reading import read
    from monitoring.glance.state import Asked

    try:
        answer = scraper.get(url, name, seconds=_ASK_SECONDS)
    except OSError:
        return Asked(time.monotonic(), None)
    return Asked(time.monotonic(), read(answer.body) if answer.status == 200 else None)
