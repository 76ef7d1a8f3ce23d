"""The structured log of a role process: one JSON object per line, ids and counts and codes only.

What may stand in a line is decided here and nowhere else: a closed set of keys, and values that could
not be content. Whatever else is handed in becomes `[withheld]` and is counted. The text of an exception
or of a library's own message never gets in, because a record's content may stand in it; its class, its
code and the place in our program where it was raised do.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from monitoring.describing import described
from monitoring.hooks import install_hooks

if TYPE_CHECKING:
    from monitoring.metrics import Metrics

__all__ = [
    "KEYS",
    "LEVELS",
    "WITHHELD",
    "Configured",
    "LibraryHandler",
    "configure",
    "install_hooks",
    "presentable",
    "tally",
    "withhold",
]

WITHHELD: Final = "[withheld]"
MAX_VALUE_CHARACTERS: Final = 200
LEVELS: Final = ("info", "warning", "error")

HEAD: Final = ("timestamp", "level", "event", "principal", "instance")
"""keys of every line, in this order"""
KEYS: Final = frozenset(
    {
        *HEAD,
        *("about", "code", "command", "condition", "consumer", "count", "event_id", "exception", "fenced"),
        *("fulfilled", "leaf", "logger", "namespace", "offset", "partition", "paused", "procedure", "reason"),
        *("receipt_number", "resumed", "rule", "run", "seconds", "session", "size", "stage", "tenant", "topic"),
        *("version", "where", "withheld", "configuration", "trust", "declaration"),
        *("kind", "occurred_at", "outcome", "actor", "address", "receipt", "log", "sequence"),
    }
)
"""every key that a line may have; another one is dropped and counted in `withheld`"""

_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_PERSONAL_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z-])[0-9]{12,13}(?![0-9A-Za-z-])")
_SAME_SECONDS: Final = 10.0
_MOST_KINDS: Final = 256
_LEAST_NUMBER: Final = 10**11
"""from here on an integer could be a 個人番号 (12 digits) or 法人番号 (13); no count of ours gets there"""


class _Tally:
    """What the log did, for the metrics; counted here because the log is there before the metrics are."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lines = dict.fromkeys(LEVELS, 0)
        self.lost = 0
        self.withheld = 0


_tally = _Tally()


def tally(metrics: Metrics) -> None:
    """Copy the log's own counts into the metrics; a source in the sense of monitoring.metrics."""
    with _tally.lock:
        lines, lost, withheld = dict(_tally.lines), _tally.lost, _tally.withheld
    for level, count in lines.items():
        metrics.sample("hub_log_lines_total", count, level=level)
    metrics.sample("hub_log_lines_lost_total", lost)
    metrics.sample("hub_log_values_withheld_total", withheld)


def presentable(value: object) -> bool:
    """Tell whether a value may stand in a line: a flag, a number, or short ASCII, no 個人番号."""
    if value is None or isinstance(value, (bool, float)):
        return True
    if isinstance(value, int):
        return -_LEAST_NUMBER < value < _LEAST_NUMBER
    return (
        type(value) is str
        and len(value) <= MAX_VALUE_CHARACTERS
        and _PLAIN.fullmatch(value) is not None
        and _PERSONAL_NUMBER.search(value) is None
    )


def withhold(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep only known keys and presentable values; the last processor before the text is made."""
    clean: dict[str, Any] = {}
    withheld = 0
    for key, given in line.items():
        value = given.value if isinstance(given, Enum) else given
        if key not in KEYS:
            withheld += 1
        elif presentable(value):
            clean[key] = value
        else:
            clean[key] = WITHHELD
            withheld += 1
    if withheld:
        clean["withheld"] = withheld
        with _tally.lock:
            _tally.withheld += withheld
    return clean


def _stamp(_: Any, level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line["timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    line["level"] = level
    return line


def _without_text(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace exc_info by class, code and place."""
    info = line.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        line.update(described(error))
    return line


def _render(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    head = {key: line[key] for key in HEAD if key in line}
    rest = {key: line[key] for key in sorted(line) if key not in head}
    return json.dumps({**head, **rest}, ensure_ascii=True)


class _Output:
    """Writes whole lines to stderr or to a file (mode 0600, appended); a full disk loses lines, not work."""

    def __init__(self, file: Path | None) -> None:
        self._lock = threading.Lock()
        self._broken = False  # the last line ended in the middle
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._file = None if file is None else os.open(file, flags, 0o600)

    def write(self, level: str, text: str) -> None:
        with self._lock:
            try:
                lost = 0 if self._written(text) else 1
            except (OSError, ValueError):  # no space left, or stderr closed at the end of the process
                lost = 1
        with _tally.lock:
            _tally.lost += lost
            _tally.lines[level] += 1 - lost

    def _written(self, text: str) -> bool:
        if self._file is None:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
            return True
        line = (("\n" if self._broken else "") + text + "\n").encode("ascii")
        written = os.write(self._file, line)  # unbuffered: what a crash follows is in the file
        self._broken = written < len(line)
        return not self._broken

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
            self._file = None


class _Logger:
    """The end of structlog's chain: one method per level."""

    def __init__(self, output: _Output) -> None:
        self._output = output

    def info(self, text: str) -> None:
        self._output.write("info", text)

    def warning(self, text: str) -> None:
        self._output.write("warning", text)

    def error(self, text: str) -> None:
        self._output.write("error", text)


class LibraryHandler(logging.Handler):
    """Takes what libraries log, WARNING and above, and passes on logger, level and error class.

    The same again within ten seconds is counted and stands in the next line of its kind: while brokers are away, the
    Kafka clients of one process have 300 lines a second to say.
    """

    def __init__(self, level: int = logging.WARNING, clock: Callable[[], float] = time.monotonic) -> None:
        """Take what is of this level or above; `clock` is in seconds."""
        super().__init__(level)
        self._clock = clock
        self._said: dict[tuple[str, bool, str], tuple[float, int]] = {}
        """when each kind was said last, and how often it came since"""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line without the record's text and arguments, unless the same was said just now."""
        fields: dict[str, object] = {"event": "library", "logger": record.name}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields.update(described(error))
        kind = (
            record.name,
            record.levelno >= logging.ERROR,
            f"{fields.get('exception', '')} {fields.get('where', '')}",
        )
        now, (said_at, since) = self._clock(), self._said.get(kind, (-math.inf, 0))
        if now - said_at < _SAME_SECONDS:
            self._said[kind] = (said_at, since + 1)
            return
        if len(self._said) >= _MOST_KINDS:
            self._said.clear()
        self._said[kind] = (now, 0)
        if since:
            fields["count"] = since + 1
        log = structlog.get_logger()
        (log.error if kind[1] else log.warning)(**fields)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Say nothing: the standard library would print the record's text."""


class Configured:
    """The log as configured; `close` puts the standard library's and structlog's settings back."""

    def __init__(self, output: _Output, handler: logging.Handler) -> None:
        self._output = output
        self._handler = handler
        self._root = logging.getLogger()
        self._before = (list(self._root.handlers), self._root.level)
        self._root.handlers = [handler]
        self._root.setLevel(logging.WARNING)

    def close(self) -> None:
        """Stop writing and restore what was there before."""
        self._root.handlers, level = self._before
        self._root.setLevel(level)
        structlog.reset_defaults()
        self._output.close()


def configure(*, principal: str, instance: str, file: Path | None = None) -> Configured:
    """Set up the log of this process; call once, first of all. Lines go to stderr, or to `file`."""
    output = _Output(file)
    logger = _Logger(output)

    def named(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**line, "principal": principal, "instance": instance}

    structlog.configure(
        processors=[named, _stamp, _without_text, withhold, _render],
        wrapper_class=structlog.BoundLogger,
        context_class=dict,
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=False,
    )
    return Configured(output, LibraryHandler(logging.WARNING))
