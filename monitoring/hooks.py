"""The last resort: what Python would print about an error nobody caught becomes a line without text.

Python's own hooks write the text of the exception, and warnings quote the source line and the message;
either may hold content of a record. Here the class, the code and the place are written, nothing else.
"""

from __future__ import annotations

import asyncio
import faulthandler
import io
import logging
import sys
import threading
import warnings
from types import TracebackType
from typing import Any, TextIO

import structlog

from monitoring.describing import described


def install_hooks() -> None:
    """Replace the hooks for uncaught errors, threads, finalisers and warnings, and switch faulthandler on.

    Faulthandler writes names of files, functions and line numbers to stderr when the interpreter itself
    dies, no values. Errors that asyncio finds nobody waiting for come through its logger, which the log
    handles already; `install_loop_hook` makes them a line of their own with class and code.
    """
    sys.excepthook = _uncaught
    threading.excepthook = _thread
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warning
    logging.raiseExceptions = False
    logging.captureWarnings(False)
    try:
        faulthandler.enable()
    except (io.UnsupportedOperation, RuntimeError, AttributeError):  # stderr is not a real file
        return


def install_loop_hook(loop: asyncio.AbstractEventLoop) -> None:
    """Write what asyncio would log about a task nobody awaited, without its text."""
    loop.set_exception_handler(_loop)


def _tell(event: str, error: BaseException | None) -> None:
    structlog.get_logger().error(event=event, **(described(error) if error is not None else {}))


def tell_failure(error: BaseException) -> None:
    """Write the class, code and place of the error that ends this process; never its text."""
    _tell("failed", error)


def _uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        return
    _tell("uncaught", error)


def _thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        _tell("uncaught-in-thread", args.exc_value)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    _tell("unraisable", args.exc_value)


def _loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    _tell("uncaught-in-loop", error if isinstance(error, BaseException) else None)


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    structlog.get_logger().warning(event="warning", exception=category.__name__)
