"""Mutants of a source file: one small wrong change each, found in its syntax tree.

Not changed, because no test of behaviour can or should notice: docstrings and annotations, decorators, asserts
(they tell a type checker what holds), sentences for people (text with a blank or outside ASCII, and the literal
parts of an f-string that has one), names of type variables, `__all__` (for the type checker too), the cause of a
`raise … from`.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.Pow: ast.Mult,
}
_TYPING_CALLS = frozenset({"TypeVar", "NewType", "cast"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: in `owner.field` (at `index`, if that is a list) stands `new` instead."""

    id: str
    file: str
    function: str
    """qualified name of the outermost function around it; empty at module level"""
    line: int
    lines: frozenset[int]
    """lines of its statement, a compound statement's head only; a test that runs one of them may notice"""
    operator: str
    text: str
    """digest of the outermost function's text, or of its statement's: a result holds as long as this is the same"""
    live: bool
    """it can be put into the functions that exist; else its module must be imported with it"""
    owner: Any
    field: str
    index: int | None
    new: Any

    def apply(self) -> None:
        """Change the tree."""
        if self.index is None:
            setattr(self.owner, self.field, self.new)
        else:
            getattr(self.owner, self.field)[self.index] = self.new


def _shown(node: Any) -> str:
    if isinstance(node, ast.cmpop | ast.operator | ast.boolop):
        return type(node).__name__
    if isinstance(node, ast.stmt) and not isinstance(node, ast.Expr | ast.Raise | ast.Pass | ast.AugAssign):
        return type(node).__name__.lower()
    text = " ".join(ast.unparse(node).split()) if isinstance(node, ast.AST) else repr(node)
    return text if len(text) <= 90 else text[:60] + " … " + text[-27:]


class _Finder:
    """Walks one file; `found` are (operator, before, after, place)."""

    def __init__(self, file: str, source: str) -> None:
        self.tree = ast.parse(source, file)
        self.found: list[Mutant] = []
        self._source = source.splitlines()
        self._file = file
        self._text = ""
        self._same: Counter[str] = Counter()
        self._scope: list[str] = []
        self._function = ""
        self._lines: frozenset[int] = frozenset()
        self._statements(self.tree.body)

    def _digest(self, lines: Iterable[int]) -> str:
        return sha256("\n".join(self._source[line - 1] for line in sorted(lines)).encode()).hexdigest()[:12]

    def _add(self, operator: str, owner: Any, field: str, index: int | None, new: Any, *, shown: str = "") -> None:
        old = getattr(owner, field) if index is None else getattr(owner, field)[index]
        line = getattr(old, "lineno", None) or getattr(owner, "lineno", None) or min(self._lines)
        change = shown or f"`{_shown(old)}` → `{_shown(new)}`"
        name = f"{self._file} {'.'.join(self._scope) or '-'}: {operator}: {change}"
        self._same[name] += 1
        if self._same[name] > 1:
            name += f" ({self._same[name]})"
        if isinstance(new, ast.AST) and isinstance(old, ast.AST) and hasattr(old, "lineno"):
            for node in ast.walk(new):
                if isinstance(node, ast.expr | ast.stmt | ast.excepthandler) and not hasattr(node, "lineno"):
                    ast.copy_location(node, old)
        self.found.append(
            Mutant(
                name, self._file, self._function, line, self._lines, operator, self._text or self._digest(self._lines),
                bool(self._function), owner, field, index, new,
            )
        )  # fmt: skip

    # statements

    def _statements(self, body: list[ast.stmt]) -> None:
        owner = _Holder(body)
        for index, statement in enumerate(body):
            self._statement(statement, owner, index, alone=len(body) == 1)

    def _statement(self, node: ast.stmt, owner: _Holder, index: int, *, alone: bool) -> None:
        before = self._lines
        inner = getattr(node, "body", None)
        end = inner[0].lineno - 1 if inner and not isinstance(node, ast.Expr) else node.end_lineno or node.lineno
        self._lines = frozenset(range(node.lineno, max(end, node.lineno) + 1))
        if isinstance(node, _FUNCTIONS):
            self._definition(node)
        elif isinstance(node, ast.ClassDef):
            self._scope.append(node.name)
            self._statements(node.body)
            self._scope.pop()
        elif isinstance(node, ast.Expr):
            called = node.value.value if isinstance(node.value, ast.Await) else node.value
            if isinstance(called, ast.Call):
                self._add("call removed", owner, "body", index, ast.copy_location(ast.Pass(), node))
                self._expression(node, "value", None)
            elif not isinstance(called, ast.Constant):
                self._expression(node, "value", None)
        elif isinstance(node, ast.Raise):
            if not (alone and owner.guarded):  # then `if` → False is the same
                self._add("raise removed", owner, "body", index, ast.copy_location(ast.Pass(), node))
            if node.exc is not None:
                self._expression(node, "exc", None)
        elif isinstance(node, ast.Return):
            self._return(node)
        elif isinstance(node, ast.Break | ast.Continue):
            other = ast.Continue if isinstance(node, ast.Break) else ast.Break
            self._add("loop", owner, "body", index, ast.copy_location(other(), node))
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._expression(node, "value", None)
        elif isinstance(node, ast.AugAssign):
            other_op = _COMPUTED.get(type(node.op))
            if other_op is not None:
                shown = f"`{_shown(node)}` → {other_op.__name__}"
                self._add("arithmetic", node, "op", None, other_op(), shown=shown)
            self._expression(node, "value", None)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            pass
        elif not isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.Pass | ast.Global | ast.Nonlocal):
            self._compound(node)
        self._lines = before

    def _compound(self, node: ast.stmt) -> None:
        if isinstance(node, ast.If):
            if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                return
            self._guard(node)
        if isinstance(node, ast.While):
            self._add("guard", node, "test", None, ast.Constant(False))
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody", "handlers", "items", "cases"):
                continue
            if isinstance(value, ast.expr):
                self._expression(node, name, None)
            elif isinstance(value, list):
                for index, each in enumerate(value):
                    if isinstance(each, ast.expr):
                        self._expression(node, name, index)
        for item in getattr(node, "items", []):
            self._expression(item, "context_expr", None)
        for handler in getattr(node, "handlers", []):
            self._lines = frozenset({handler.lineno})
            self._handler(handler)
        for case in getattr(node, "cases", []):
            self._statements(case.body)
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(node, name, None)
            if inner:
                holder = _Holder(inner, guarded=isinstance(node, ast.If))
                for index, statement in enumerate(inner):
                    self._statement(statement, holder, index, alone=len(inner) == 1)

    def _guard(self, node: ast.If | ast.IfExp) -> None:
        for value in (True, False):
            self._add("guard", node, "test", None, ast.Constant(value))

    def _handler(self, handler: ast.ExceptHandler) -> None:
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        for index in range(len(types)):
            rest = [each for place, each in enumerate(types) if place != index and each is not None]
            self._add("exception", handler, "type", None, ast.Tuple(rest, ast.Load()))
        self._statements(handler.body)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._scope.append(node.name)
        for owner, name in ((node.args, "defaults"), (node.args, "kw_defaults")):
            for index, default in enumerate(getattr(owner, name)):
                if default is not None:
                    self._expression(owner, name, index)
        outermost = not self._function
        if outermost:
            self._function = ".".join(self._scope)
            self._text = self._digest(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        self._statements(node.body)
        if outermost:
            self._function = self._text = ""
        self._scope.pop()

    def _return(self, node: ast.Return) -> None:
        value = node.value
        if value is None or (isinstance(value, ast.Constant) and value.value in (None, True, False)):
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                self._add("return", node, "value", None, ast.Constant(not value.value))
            return
        shown = f"`return {_shown(value)}` → `return None`"
        self._add("return", node, "value", None, ast.Constant(None), shown=shown)
        self._expression(node, "value", None)

    # expressions

    def _expression(self, owner: Any, field: str, index: int | None) -> None:
        node = getattr(owner, field) if index is None else getattr(owner, field)[index]
        if isinstance(node, ast.Constant):
            self._constant(node, owner, field, index)
            return
        if isinstance(node, ast.JoinedStr):
            words = [each.value for each in node.values if isinstance(each, ast.Constant)]
            if not any(_for_people(str(word)) for word in words):
                longer = ast.JoinedStr([*node.values, ast.Constant("~")])
                self._add("text", owner, field, index, longer)
            return
        if isinstance(node, ast.Compare):
            for place, op in enumerate(node.ops):
                new = _COMPARED[type(op)]()
                shown = f"`{_shown(node)}` → {type(new).__name__}" + (f" at {place}" if place else "")
                self._add("comparison", node, "ops", place, new, shown=shown)
        elif isinstance(node, ast.BoolOp):
            other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            self._add("boolean", node, "op", None, other, shown=f"`{_shown(node)}` → {type(other).__name__}")
            for place in range(len(node.values)):
                rest = [each for at, each in enumerate(node.values) if at != place]
                left = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
                self._add("boolean", owner, field, index, left)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self._add("boolean", owner, field, index, node.operand)
        elif isinstance(node, ast.BinOp):
            new_op = _COMPUTED.get(type(node.op))
            if new_op is not None:
                shown = f"`{_shown(node)}` → {new_op.__name__}"
                self._add("arithmetic", node, "op", None, new_op(), shown=shown)
        elif isinstance(node, ast.IfExp):
            self._guard(node)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            for bound in ("lower", "upper"):
                old = getattr(node.slice, bound)
                if old is not None and not (isinstance(old, ast.Constant) and old.value == 0):
                    shown = f"`{_shown(node)}` without its {bound} bound"
                    self._add("slice", node.slice, bound, None, None, shown=shown)
        elif isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in _TYPING_CALLS:
                return
            for place in range(len(node.args) - 1):
                pair = node.args[place : place + 2]
                if any(isinstance(each, ast.Starred) for each in pair) or ast.dump(pair[0]) == ast.dump(pair[1]):
                    continue
                swapped = ast.Call(
                    node.func, [*node.args[:place], *reversed(pair), *node.args[place + 2 :]], node.keywords
                )
                self._add("arguments", owner, field, index, swapped)
        elif isinstance(node, ast.comprehension):
            for place in range(len(node.ifs)):
                self._add("guard", node, "ifs", place, ast.Constant(True))
        self._inside(node)

    def _inside(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            if isinstance(node, ast.Lambda) and name == "args":
                continue
            if isinstance(value, ast.expr | ast.comprehension | ast.keyword):
                self._expression(node, name, None)
            elif isinstance(value, list):
                for index, each in enumerate(value):
                    if isinstance(each, ast.expr | ast.comprehension | ast.keyword):
                        self._expression(node, name, index)

    def _constant(self, node: ast.Constant, owner: Any, field: str, index: int | None) -> None:
        value = node.value
        new: list[Any] = []
        if isinstance(value, bool):
            new = [not value]
        elif isinstance(value, int):
            new = [value + 1] if value == 0 else [value + 1, value - 1]
        elif isinstance(value, float):
            new = [value * 2 + 1]
        elif isinstance(value, bytes):
            new = [bytes([value[0] ^ 1]) + value[1:] if value else b"~"]
        elif isinstance(value, str) and not _for_people(value):
            new = [value + "~"]
        names = {bool: "constant", bytes: "text", str: "text"}
        for each in new:
            self._add(names.get(type(value), "constant"), owner, field, index, ast.Constant(each))


class _Holder:
    """A list of statements as something with a field."""

    def __init__(self, body: list[ast.stmt], *, guarded: bool = False) -> None:
        self.body = body
        self.guarded = guarded


def _for_people(text: str) -> bool:
    return " " in text or not text.isascii()


def mutants(path: Path, file: str) -> tuple[ast.Module, list[Mutant]]:
    """Return the tree of a file, and what can be changed in it. Apply one, then compile the tree."""
    finder = _Finder(file, path.read_text("utf-8"))
    return finder.tree, finder.found


def files(root: Path, wanted: Iterable[str]) -> list[str]:
    """Expand folders; returns names relative to `root`, sorted within a folder."""
    found: list[str] = []
    for name in wanted:
        path = root / name
        found += [str(each.relative_to(root)) for each in sorted(path.glob("*.py"))] if path.is_dir() else [name]
    return [name for name in dict.fromkeys(found) if not name.endswith("__init__.py")]
