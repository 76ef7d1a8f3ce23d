"""The mutation tool changes what it says, and the committed report is of this tool and explains each survivor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import report
from tests.mutation.operators import mutants
from tests.mutation.scope import ROOT

SOURCE = '''"""Not changed."""
LIMIT: int = 4


def f(a, b, *, strict=True):
    """Not changed."""
    assert a is not None
    if a < b and not strict:
        raise ValueError("words for people")
    try:
        log(a, b)
    except (KeyError, OSError):
        return "code"
    return a[1:b] + b"x"
'''
CHANGES = [
    "- constant: `4` → `5`",
    "- constant: `4` → `3`",
    "f constant: `True` → `False`",
    "f guard: `a < b and (not strict)` → `True`",
    "f guard: `a < b and (not strict)` → `False`",
    "f boolean: `a < b and (not strict)` → Or",
    "f boolean: `a < b and (not strict)` → `not strict`",
    "f boolean: `a < b and (not strict)` → `a < b`",
    "f comparison: `a < b` → LtE",
    "f boolean: `not strict` → `strict`",
    "f exception: `(KeyError, OSError)` → `(OSError,)`",
    "f exception: `(KeyError, OSError)` → `(KeyError,)`",
    "f return: `return 'code'` → `return None`",
    "f text: `'code'` → `'code~'`",
    "f call removed: `log(a, b)` → `pass`",
    "f arguments: `log(a, b)` → `log(b, a)`",
    "f return: `return a[1:b] + b'x'` → `return None`",
    "f arithmetic: `a[1:b] + b'x'` → Sub",
    "f slice: `a[1:b]` without its lower bound",
    "f slice: `a[1:b]` without its upper bound",
    "f constant: `1` → `2`",
    "f constant: `1` → `0`",
    "f text: `b'x'` → `b'y'`",
]


def changes(path: Path) -> list[str]:
    return [mutant.id.removeprefix("m.py ").replace(": ", " ", 1) for mutant in mutants(path, "m.py")[1]]


def test_every_change_is_made_and_none_that_no_test_could_notice(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(SOURCE, "utf-8")
    assert changes(path) == CHANGES


def test_result_is_of_a_text(tmp_path: Path) -> None:
    """A function that changed has to be tried again, another one in its file not."""
    path = tmp_path / "m.py"
    path.write_text(SOURCE + "\n\ndef g():\n    return 1\n", "utf-8")
    before = {mutant.id: mutant.text for mutant in mutants(path, "m.py")[1]}
    path.write_text(SOURCE.replace("assert a", "assert b") + "\n\ndef g():\n    return 1\n", "utf-8")
    after = {mutant.id: mutant.text for mutant in mutants(path, "m.py")[1]}
    assert list(before) == list(after)
    assert {name.split()[1] for name in before if before[name] != after[name]} == {"f:"}


_JUDGE = """
import gc, sys
from hub.envelope import leaf
from tests.mutation import judging
from tests.mutation.operators import mutants
from tests.mutation.scope import ROOT
from tests.mutation.scope import ROOT
header, digests = b"header", [("a", bytes(32)), ("b", bytes(32))]
right = leaf.leaf(header, digests)
living = judging.functions_of(ROOT)
tree, found = mutants(ROOT / "hub/envelope/leaf.py", "hub/envelope/leaf.py")
def notices(mutant):
    judging.put_in(mutant, tree, living)
    try:
        return "" if leaf.leaf(header, digests) == right else "a test"
    except Exception:
        return "a test"
for mutant in found:
    print(judging.in_a_process(lambda: notices(mutant)).result)
    assert leaf.leaf(header, digests) == right
print(judging.in_a_process(lambda: "").result)
"""


def test_mutant_lives_in_its_own_process_and_is_noticed_there() -> None:
    done = subprocess.run([sys.executable, "-c", _JUDGE], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    *results, unchanged = done.stdout.split()
    assert unchanged == "survived" and set(results) == {"killed"} and len(results) >= 10


def test_committed_report_is_of_this_tool_and_explains_each_survivor() -> None:
    assert report.check() == []


def test_report_that_does_not_fit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    _, results = report.loaded()
    file = next(file for file, of in results.items() if any(one.survived for one in of.values()))
    survivor = next(name for one in results[file].values() for name in one.survived)
    reasons = report.explained()
    monkeypatch.setattr(report, "explained", lambda: {**reasons, "no such mutant": "why"} | {survivor: ""})
    assert any("no such mutant" in line for line in report.check())
    monkeypatch.setattr(report, "explained", dict)
    assert f"not explained: {survivor}" in report.check()
    monkeypatch.setattr(report, "tool_digest", lambda: "another")
    assert any("another tool" in line for line in report.check())
