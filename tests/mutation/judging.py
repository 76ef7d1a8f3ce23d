"""Does a test notice a mutant? Every mutant gets a process of its own, forked after all imports.

A mutant inside a function is put into the functions that exist, by their code; so nothing is imported again. One
at module level (a constant, a default, a field) needs its module imported with it: its process is forked before
the first import of the hub.
"""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.machinery
import inspect
import os
import resource
import signal
import sys
import traceback
import types
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.mutation.operators import Mutant
from tests.mutation.scope import KILLED, ROOT, STUCK, SURVIVED

_MEMORY = 4 << 30
_SPENT = {signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant, and through which test."""

    result: str
    test: str = ""


class Impossible(Exception):
    """The mutant cannot be put into the living function; it needs its own import."""


Functions = dict[tuple[str, int, str], list[types.FunctionType]]


def functions_of(root: Path) -> Functions:
    """All living functions of files under `root`, by file, first line and qualified name."""
    found: Functions = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, types.FunctionType) and each.__code__.co_filename.startswith(str(root)):
            code = each.__code__
            found[code.co_filename, code.co_firstlineno, code.co_qualname].append(each)
    return found


def put_in(mutant: Mutant, tree: ast.Module, living: Functions) -> None:
    """Change the living functions; the process is spoiled from here on. Raises Impossible."""
    mutant.apply()
    name = str(ROOT / mutant.file)
    changed = False
    pending: list[types.CodeType] = [compile(ast.fix_missing_locations(tree), name, "exec")]
    while pending:
        code = pending.pop()
        pending += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        if code.co_qualname != mutant.function and not code.co_qualname.startswith(f"{mutant.function}."):
            continue
        for function in living.get((name, code.co_firstlineno, code.co_qualname), ()):
            try:
                function.__code__ = code
            except ValueError as problem:
                raise Impossible from problem
            changed = True
    if not changed:
        raise Impossible


class _MutatedImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree."""

    def __init__(self, mutant: Mutant, tree: ast.Module) -> None:
        mutant.apply()
        self._module = mutant.file.removesuffix(".py").replace("/", ".")
        self._path = str(ROOT / mutant.file)
        self._code = compile(ast.fix_missing_locations(tree), self._path, "exec")

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=self._path)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__file__ = self._path
        exec(self._code, module.__dict__)


def import_with(mutant: Mutant, tree: ast.Module) -> None:
    """From here on the mutant's module is imported with it."""
    sys.meta_path.insert(0, _MutatedImport(mutant, tree))


class Verdicts:
    """A plugin that stops at the first failed test, and knows which it was. Makes no text of failures."""

    def __init__(self) -> None:
        self.failed = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
        skipped = call.excinfo is not None and isinstance(call.excinfo.value, pytest.skip.Exception)
        if call.excinfo is not None and not skipped:
            self.failed = self.failed or item.nodeid
        outcome: Any = "passed" if call.excinfo is None else "skipped" if skipped else "failed"
        when: Any = call.when
        return pytest.TestReport(item.nodeid, item.location, {}, outcome, None, when)

    def run(self, items: Sequence[pytest.Item], seconds: dict[str, float]) -> str:
        """Run tests until one fails; returns its name. One that takes far longer than ever ends the process."""
        arguments = [_plain(item) for item in items]
        for place, item in enumerate(items):
            usual = seconds.get(item.nodeid, 1.0)
            os.write(_NAMES[1], item.nodeid.encode() + b"\n")
            signal.setitimer(signal.ITIMER_PROF, 1.0 + 8 * usual)
            signal.setitimer(signal.ITIMER_REAL, 30.0 + 60 * usual)
            given = arguments[place]
            if given is None:  # fixtures are torn down as far as the next test that has some does not need them
                later = (each for each, its in zip(items, arguments, strict=True) if its is None)
                following = next((each for each in later if items.index(each) > place), None)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            elif _fails(item, given):
                self.failed = item.nodeid
            if self.failed:
                return self.failed
        return ""


def _plain(item: pytest.Item) -> dict[str, Any] | None:
    """The arguments of a test that can simply be called, which takes a third of the time; None if it cannot."""
    if not isinstance(item, pytest.Function) or inspect.iscoroutinefunction(item.obj):
        return None
    callspec = getattr(item, "callspec", None)
    given: dict[str, Any] = {} if callspec is None else callspec.params
    for name in set(item.fixturenames) - _NEEDLESS:
        made = item._fixtureinfo.name2fixturedefs.get(name, ())
        if name not in given or any(each.func.__name__ != "get_direct_param_fixture_func" for each in made):
            return None
    if any(item.iter_markers("xfail")):
        return None
    return {name: value for name, value in given.items() if name not in _NEEDLESS}


def _fails(item: pytest.Item, arguments: dict[str, Any]) -> bool:
    try:
        item.obj(**arguments)  # type: ignore[attr-defined]
    except pytest.skip.Exception:
        return False
    except BaseException:
        return True
    return False


_NEEDLESS = frozenset({"request", "event_loop_policy"})
_NAMES = [-1, -1]


def in_a_process(work: Callable[[], str]) -> Outcome:
    """Fork; `work` returns the name of the test that failed, or nothing. Raises Impossible as the child did."""
    _NAMES[:] = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(work)
    os.close(_NAMES[1])
    said = b""
    while more := os.read(_NAMES[0], 65536):
        said += more
    os.close(_NAMES[0])
    _, status = os.waitpid(pid, 0)
    lines = said.decode().splitlines()
    last = lines[-1] if lines else ""
    if os.WIFSIGNALED(status):
        return Outcome(STUCK if os.WTERMSIG(status) in _SPENT else KILLED, last)
    code = os.WEXITSTATUS(status)
    if code == 2:
        raise Impossible
    if code == 3:
        raise RuntimeError(said.decode())
    return Outcome(SURVIVED) if code == 0 else Outcome(KILLED, last)


def _child(work: Callable[[], str]) -> NoReturn:
    code = 3
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = 1 if work() else 0
    except Impossible:
        code = 2
    except BaseException:
        os.write(_NAMES[1], traceback.format_exc().encode())
    finally:
        os._exit(code)
