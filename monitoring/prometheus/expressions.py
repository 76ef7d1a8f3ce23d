"""What an expression asks for: metrics with the labels that it names. Pure, and for our own rules and panels.

Not a parser of all of PromQL: it reads words, and what it cannot place it refuses (ValueError), so that no metric
goes unchecked. Whether an expression is valid is Prometheus' to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""\s+|(?P<text>"(?:[^"\\]|\\.)*")|(?P<range>\[[^\]]*\])|(?P<number>\d[\w.]*)|(?P<name>[A-Za-z_:][\w:]*)"""
    r"""|(?P<mark>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},@])""",
)
_GROUPING: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS: Final = frozenset({"and", "or", "unless", "bool", "offset", "start", "end", "inf", "nan"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A metric and the labels by which an expression selects it."""

    metric: str
    labels: frozenset[str]


def asked(expression: str) -> tuple[Asked, ...]:
    """Return the selectors of an expression, in order."""
    return _read(expression)[0]


def grouped(expression: str) -> frozenset[str]:
    """Return the labels that an expression groups or joins by."""
    return _read(expression)[1]


def _read(expression: str) -> tuple[tuple[Asked, ...], frozenset[str]]:
    words = _words_of(expression)
    found: list[Asked] = []
    labels: set[str] = set()
    place = 0
    while place < len(words):
        kind, word = words[place]
        following = words[place + 1][1] if place + 1 < len(words) else ""
        place += 1
        if kind == "mark" and "{" in word:
            raise ValueError(f"a selector without a metric: {expression}")
        if kind != "name" or word.lower() in _WORDS:
            continue
        if word in _GROUPING:
            if following == "(":
                names, place = _until(")", words, place + 1)
                labels.update(names)
        elif following == "{":
            names, place = _until("}", words, place + 1)
            found.append(Asked(word, frozenset(names)))
        elif following == "(" or _aggregates(words, place):
            continue  # a function or an aggregation
        else:
            found.append(Asked(word, frozenset()))
    return tuple(found), frozenset(labels)


def _aggregates(words: list[tuple[str, str]], place: int) -> bool:
    return place < len(words) and words[place][1] in ("by", "without")


def _until(end: str, words: list[tuple[str, str]], place: int) -> tuple[list[str], int]:
    names: list[str] = []
    while words[place][1] != end:
        if words[place][0] == "name":
            names.append(words[place][1])
        place += 1
    return names, place + 1


def _words_of(expression: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(expression):
        word = _TOKEN.match(expression, place)
        if word is None:
            raise ValueError(f"unreadable at {place}: {expression}")
        place = word.end()
        if word.lastgroup is not None:
            found.append((word.lastgroup, word[0]))
    return found
