"""What commands print: tables and lines for people, one JSON object per line for programs."""

from __future__ import annotations

import functools
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.errors import HubError

P = ParamSpec("P")
R = TypeVar("R")

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of what a terminal obeys or does not show: controls, direction marks, joiners, separators"""


def visible(text: str) -> str:
    """Return a text as a terminal may be given it: what would steer it stands there as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if each in "\n\t" or unicodedata.category(each) not in _UNSEEN else each.encode("unicode_escape").decode()
        for each in text
    )


class _Terminal(Console):
    """Prints texts as they are, and what is in them as no command: names and numbers come from other machines."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(visible(each) if isinstance(each, str) else each for each in objects), **options)


console = _Terminal()
errors = _Terminal(stderr=True)


def json_line(value: Mapping[str, Any]) -> None:
    """Print one object as one line of JSON, UTF-8, and flush (programs wait for it)."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; every cell is escaped, for it may hold what a filer typed."""
    made = Table(title=title, title_justify="left", header_style="bold", show_lines=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(escape("" if cell is None else visible(str(cell))) for cell in row))
    console.print(made)


def fail(code: str, message: str, hint: str = "", *, as_json: bool = False, status: int = 1) -> NoReturn:
    """Say what went wrong and what to do next, and end with an exit status."""
    if as_json:
        json_line({"error": {"code": code, "message": message, "hint": hint}})
    else:
        errors.print(f"[bold red]{escape(code)}[/]: {escape(message)}")
        if hint:
            errors.print(f"  {escape(hint)}")
    raise typer.Exit(status)


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn every HubError of a command into its code, message and hint; no traceback reaches a person."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except HubError as error:
            fail(error.code, str(error), error.advice, as_json=bool(kwargs.get("as_json")))
        except BrokenPipeError:
            sys.stderr.close()  # the reader went away; Python would complain while flushing
            raise typer.Exit(1) from None

    return wrapped
