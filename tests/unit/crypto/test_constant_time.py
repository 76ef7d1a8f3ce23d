"""Secrets and what is derived from them are compared in constant time only: found by reading the source.

Looked for are `==`, `!=`, `in` and `not in` where an operand is called a mac, tag, digest, commitment, secret, seed,
token or password. Leaves, roots, record hashes, key ids and signatures are public values that anybody computes from
what lies on the topics: how long their comparison takes tells nobody anything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacking import Attacker
from tests.attacking.plugin import Attack

ROOT = Path(__file__).parents[3]
ROOMS = ("hub", "consumers", "portal", "assurance", "monitoring", "cli")
_SECRET = re.compile(
    r"(^|_)(h?macs?|tags?|digests?|hexdigest|commitments?|secrets?|seeds?|tokens?|passphrases?|passwords?)(_|$)"
)
_SAYS = re.compile("_?(has|is)_")
_WRAPPERS = frozenset({"bytes", "bytearray", "memoryview", "hex", "encode", "decode", "reveal", "lower", "strip"})
_MEASURES = frozenset({"len", "type", "isinstance"})


def heads(operand: ast.expr) -> Iterator[str]:
    """Yield what an operand is called: its last name, through wrappers, subscripts and tuples."""
    match operand:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            yield name
            if name in _WRAPPERS and isinstance(operand, ast.Attribute):
                yield from heads(operand.value)
        case ast.Call(func=ast.Name(id=name)) if name in _MEASURES:
            return
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _WRAPPERS:
            yield from heads(first)
        case ast.Call(func=function):
            yield from heads(function)
        case ast.Subscript(value=inner) | ast.Starred(value=inner) | ast.NamedExpr(value=inner):
            yield from heads(inner)
        case ast.Tuple(elts=inner_ones) | ast.List(elts=inner_ones) | ast.Set(elts=inner_ones):
            for each in inner_ones:
                yield from heads(each)
        case ast.BinOp(left=left, right=right):
            yield from heads(left)
            yield from heads(right)
        case _:
            return


def _is_secret(operand: ast.expr) -> bool:
    constant = isinstance(operand, ast.Attribute) and operand.attr.isupper()  # a member of an enumeration
    return not constant and any(
        _SECRET.search(name.lower()) for name in heads(operand) if not name.isupper() and not _SAYS.match(name)
    )


def _is_length(operand: ast.expr) -> bool:
    return isinstance(operand, ast.Call) and isinstance(operand.func, ast.Name) and operand.func.id in _MEASURES


def comparisons(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each comparison of a secret value that stops at the first difference."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        operands = [node.left, *node.comparators]
        for place, operator in enumerate(node.ops):
            pair = operands[place : place + 2]
            nothing = any(isinstance(each, ast.Constant) and each.value in (None, "", b"") for each in pair)
            nothing = nothing or any(map(_is_length, pair))
            names = isinstance(operator, ast.In | ast.NotIn) and isinstance(pair[0], ast.Constant)
            asked = isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) and not nothing and not names
            if asked and any(map(_is_secret, pair)):
                yield node.lineno, ast.unparse(node)


def test_no_secret_is_compared_by_its_first_difference(attack: Attack) -> None:
    tried = attack(Attacker.OUTSIDER, "measures how long a mac, commitment, digest or password takes to be refused")
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, text in comparisons(path.read_text("utf-8"))
    ]
    assert found == []
    tried.prevented(
        by="the source", how="every such comparison is hmac.compare_digest; a test reads all of it", within="always"
    )


@pytest.mark.parametrize(
    "planted",
    [
        "mac == expected",
        "hmac.digest(key, leaf, 'sha256') != event.mac",
        "given.mac in known",
        "self.commitment(secret) == announced",
        "bytes(token) == wanted",
        "secret.reveal() == other",
        "request.headers['x'] == self._token",
        "hashlib.sha256(data).digest() == value",
        "sha256(data).hexdigest() != text",
        "(a, mac) == (b, other)",
        "passphrase != again",
        "mac_of(leaf)[:16] == tag",
        "a < b == mac",
    ],
)
def test_planted_comparison_is_found(planted: str) -> None:
    assert list(comparisons(f"def f():\n    return {planted}\n")) == [(2, ast.unparse(ast.parse(planted).body[0]))]


@pytest.mark.parametrize(
    "harmless",
    [
        "compare_digest(mac, expected)",
        "mac is None",
        "len(mac) == 32",
        "(mac is None) == lane.has_mac",
        "len(seeds) != sizes.seeds",
        "leaf == other",
        "reason is Reason.SECRET",
        "known not in (Reason.SECRET, Reason.COMMITMENT)",
        "machine == other",
        "name == 'mac'",
        "'token' in environment",
        "token == ''",
    ],
)
def test_harmless_comparison_is_not(harmless: str) -> None:
    assert list(comparisons(f"def f():\n    return {harmless}\n")) == []
