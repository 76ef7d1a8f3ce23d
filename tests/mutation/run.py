"""`make mutate`: judge the mutants of some files, and take the results into the committed ones.

Results are stored as they come (.mutation/), so a run that was ended goes on where it was. A mutant that was
noticed is not tried again while its function is the same; one that survived is, as soon as a test changed.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.mutation.covering import Covering, digest_of, lines_of, measure, tracer
from tests.mutation.judging import (
    Functions,
    Impossible,
    Outcome,
    Verdicts,
    functions_of,
    import_with,
    in_a_process,
    put_in,
)
from tests.mutation.operators import Mutant, files, mutants
from tests.mutation.scope import KILLED, ROOT, SCOPE, STATE, SURVIVED, TESTS

PATIENCE = 1.0
"""seconds of tests, as they take when they are traced, after which a mutant is given up"""
FILES = 6
"""of tests that are imported for one mutant at module level"""
_OPTIONS = (
    "-q", "-s", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "-o", "timeout=0",
    "--tb=no", "--disable-warnings", "-m", "not soak and not broker",
)  # fmt: skip


class Results:
    """What is known, on disk as it comes. A survivor's entry names the tests that it survived."""

    def __init__(self, against: str) -> None:
        self._path = STATE / "results.jsonl"
        self._against = against
        self._known: dict[str, dict[str, str]] = {}
        if self._path.exists():
            for line in self._path.read_text("utf-8").splitlines():
                entry = json.loads(line)
                self._known[entry["id"]] = entry

    def of(self, mutant: Mutant) -> str | None:
        """The result, if it still holds."""
        entry = self._known.get(mutant.id)
        if entry is None or entry["text"] != mutant.text:
            return None
        return entry["result"] if entry["result"] != SURVIVED or entry["against"] == self._against else None

    def test(self, mutant: Mutant) -> str:
        """The test that noticed it when it was last tried."""
        return self._known.get(mutant.id, {}).get("test", "")

    def add(self, mutant: Mutant, outcome: Outcome) -> None:
        """Keep one."""
        entry = {
            "id": mutant.id, "text": mutant.text, "result": outcome.result, "test": outcome.test,
            "against": self._against,
        }  # fmt: skip
        self._known[mutant.id] = entry
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(entry) + "\n")


class Run:
    """One run over some files. `server` works in a process that imported everything, `later` in one that did not."""

    def __init__(self, wanted: Sequence[str], tests: Sequence[str], *, patience: float) -> None:
        self.tests = tests
        self.found = {file: mutants(ROOT / file, file) for file in files(ROOT, wanted)}
        self.patience = patience
        against = digest_of(path for name in tests for path in _python_files(ROOT / name))
        self.results = Results(f"{against} {patience}")
        self.covering = Covering()
        self._killers: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._pending = STATE / "pending.json"

    def all(self) -> None:
        """Judge every mutant."""
        self._pending.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                cov = tracer()
                cov.start()
                code = int(pytest.main([*_OPTIONS, *self.tests], plugins=[_Server(self, cov)]))
            finally:
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        if status != 0 or not self._pending.exists():
            raise SystemExit("the tests do not pass as they are")
        self._import_anew(json.loads(self._pending.read_text("utf-8")))

    def judge(self, mutant: Mutant, outcome: Outcome) -> None:
        """Keep a result and show it."""
        self.results.add(mutant, outcome)
        if outcome.result == KILLED and outcome.test:
            recent = self._killers[mutant.file, mutant.function]
            if outcome.test in recent:
                recent.remove(outcome.test)
            recent.insert(0, outcome.test)
        if outcome.result == SURVIVED:
            print(f"{time.strftime('%H:%M:%S')} {mutant.line:4} {mutant.id}", flush=True)

    def order(self, mutant: Mutant, tests: set[str]) -> list[str]:
        """Tests that noticed others in this function first, then those of the file's name, then the quickest."""
        recent = [test for test in self._killers[mutant.file, mutant.function] if test in tests]
        last = self.results.test(mutant)
        first = ([last] if last in tests else []) + recent[:6]
        seconds = self.covering.seconds
        rest = sorted(tests, key=lambda test: (seconds[test] > 0.3, not _namesake(mutant, test), seconds[test]))
        order = list(dict.fromkeys([*first, *rest]))
        spent = accumulate(seconds[test] for test in order)
        return [test for test, upto in zip(order, spent, strict=True) if upto < self.patience] or order[:1]

    def living(self, items: Sequence[pytest.Item], at_import: dict[str, set[int]]) -> list[str]:
        """Judge what can be put into living functions; returns the ids of the others."""
        by_name = {item.nodeid: item for item in items}
        functions, parent = functions_of(ROOT), os.getppid()
        later = []
        gc.collect()
        gc.freeze()
        quick = [item for item in items if self.covering.seconds.get(item.nodeid, 1.0) < self.patience]
        nothing = in_a_process(partial(self._judged, quick))
        if nothing.result != SURVIVED:
            raise SystemExit(f"fails here without a mutant: {nothing.test}")
        for file, (tree, found) in self.found.items():
            began, tried = time.monotonic(), 0
            for mutant in found:
                if self.results.of(mutant) is not None:
                    continue
                if os.getppid() != parent:
                    raise SystemExit("ended")
                tried += 1
                tests = self.covering.of(file, mutant.lines)
                early = bool(mutant.lines & at_import.get(file, set()))
                if not mutant.live or (early and not tests):
                    later.append(mutant.id)
                    continue
                chosen = [by_name[test] for test in self.order(mutant, tests)]

                work = partial(self._alive, mutant, tree, functions, chosen)
                try:
                    outcome = in_a_process(work) if chosen else Outcome(SURVIVED)
                except Impossible:
                    later.append(mutant.id)
                    continue
                if early and outcome.result == SURVIVED:
                    later.append(mutant.id)
                else:
                    self.judge(mutant, outcome)
            if tried:
                print(f"{time.strftime('%H:%M:%S')} {file}: {tried} in {time.monotonic() - began:.0f} s", flush=True)
        return later

    def _alive(self, mutant: Mutant, tree: ast.Module, living: Functions, chosen: Sequence[pytest.Item]) -> str:
        put_in(mutant, tree, living)
        return self._judged(chosen)

    def _judged(self, chosen: Sequence[pytest.Item]) -> str:
        verdicts = Verdicts()
        chosen[0].config.pluginmanager.register(verdicts)
        return verdicts.run(chosen, self.covering.seconds)

    def _import_anew(self, pending: dict[str, Any]) -> None:
        for name in pending["modules"]:
            try:
                importlib.import_module(name)
            except Exception:
                continue
        self.covering.take(pending["known"])
        gc.collect()
        gc.freeze()
        ids = set(pending["ids"])
        for file, (tree, found) in self.found.items():
            for mutant in found:
                if mutant.id not in ids:
                    continue
                outcome = Outcome(SURVIVED)
                for tests in self._closer_and_all(mutant):
                    order = self.order(mutant, self._of_few_files(mutant, tests))
                    if outcome.result == SURVIVED and order:
                        outcome = in_a_process(partial(self._anew, mutant, tree, order))
                self.judge(mutant, outcome)
            print(f"{time.strftime('%H:%M:%S')} {file}: with their own import", flush=True)

    def _closer_and_all(self, mutant: Mutant) -> tuple[set[str], set[str]]:
        """Tests that run a line which says a name that the mutant's statement defines, and the file's namesakes, which
        may look at a constant without running a line; then what runs its file."""
        closer = {test for test in self.covering.seconds if _namesake(mutant, test)}
        closer |= self.covering.of(mutant.file, mutant.lines)
        for file, lines in _lines_with(mutant).items():
            closer |= self.covering.of(file, lines)
        every = set().union(*self.covering.tests.get(mutant.file, {}).values())
        return closer, every - closer

    def _of_few_files(self, mutant: Mutant, tests: set[str]) -> set[str]:
        """Those of the files with the most of them, the file's namesakes first: each file has to be imported, too."""
        count = Counter(test.partition("::")[0] for test in tests)
        files = sorted(count, key=lambda name: (not _namesake(mutant, name), -count[name]))[:FILES]
        return {test for test in tests if test.partition("::")[0] in files}

    def _anew(self, mutant: Mutant, tree: ast.Module, order: list[str]) -> str:
        import_with(mutant, tree)
        plugin = _Anew(order, self.covering.seconds)
        wanted = dict.fromkeys(test.partition("::")[0] for test in order)
        code = pytest.main([*_OPTIONS, *wanted], plugins=[plugin])
        return plugin.failed or ("" if plugin.ran and code in (0, 5) else "import")


def _namesake(mutant: Mutant, test: str) -> bool:
    """tests/unit/envelope/test_wire_….py is of hub/envelope/wire.py."""
    return f"/test_{Path(mutant.file).stem}" in test


def _python_files(path: Path) -> Iterable[Path]:
    return path.rglob("*.py") if path.is_dir() else [path]


def _lines_with(mutant: Mutant) -> dict[str, set[int]]:
    """Where a name stands that the mutant's statement defines, or a name that is made of it, and so on."""
    sources = {
        str(path.relative_to(ROOT)): path.read_text("utf-8").splitlines()
        for path in sorted((ROOT / "hub").rglob("*.py"))
    }
    head = sources[mutant.file][min(mutant.lines) - 1]
    names = set(re.findall(r"^\s*(?:class |def |async def )?(\w+)", head)) - {"for", "if", "return"}
    owner = re.search(r" ([\w.]+|-): ", mutant.id)
    if owner and owner[1] != "-":
        names |= set(owner[1].split("."))
    found: dict[str, set[int]] = {}
    pending = names
    while pending:
        pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(pending))) + r")\b")
        fresh: set[str] = set()
        for file, lines in sources.items():
            for number, line in enumerate(lines, 1):
                if pattern.search(line):
                    found.setdefault(file, set()).add(number)
                    made = re.match(r"(_?[A-Z][A-Z_0-9]+)\b[^=]*=", line)
                    if made:
                        fresh.add(made[1])
        pending = fresh - names
        names |= fresh
    return found


class _Server:
    """After collection: measure what each test runs, then judge mutants."""

    def __init__(self, run: Run, cov: Any) -> None:
        self._run = run
        self._cov = cov

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._cov.stop()
        if session.testsfailed:
            raise SystemExit("the tests cannot be collected")
        at_import = lines_of(self._cov)
        known = self._measured(session.items)
        self._run.covering.take(known)
        later = self._run.living(session.items, at_import)
        ours = ("hub", "tests", "portal", "consumers", "monitoring", "assurance", "broker", "cli")
        modules = [name for name in sys.modules if name.partition(".")[0] not in ours and not name.startswith("_")]
        state = {"ids": later, "modules": modules, "known": known}
        (STATE / "pending.json").write_text(json.dumps(state), "utf-8")
        return True

    def _measured(self, items: Sequence[pytest.Item]) -> dict[str, Any]:
        product = digest_of([*(ROOT / "hub").rglob("*.py"), *(ROOT / "schemas").rglob("*.py")])
        support = digest_of(
            path for name in self._run.tests for path in _python_files(ROOT / name) if "test_" not in path.name
        )
        by_file: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in items:
            by_file[item.nodeid.partition("::")[0]].append(item)
        kept = STATE / "covering"
        kept.mkdir(exist_ok=True)
        known: dict[str, Any] = {}
        for name, own in by_file.items():
            into = kept / f"{digest_of([ROOT / name])}-{product}-{support}.json"
            if not into.exists():
                outcome = in_a_process(partial(measure, own, into))
                if outcome.result != SURVIVED:
                    raise SystemExit(f"fails without a mutant: {outcome}")
            known |= json.loads(into.read_text("utf-8"))
        for name in sorted({item.nodeid for item in items} - known.keys()):
            print(f"fails without a mutant: {name}", flush=True)
        strange = known.keys() - {item.nodeid for item in items}
        if strange:
            raise SystemExit(f"names of tests differ from run to run: {sorted(strange)}")
        return known


class _Anew(Verdicts):
    """In a process that imports the hub with a mutant."""

    def __init__(self, order: Sequence[str], seconds: dict[str, float]) -> None:
        super().__init__()
        self._order = order
        self._seconds = seconds
        self.ran = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            self.failed = "import"
            return True
        by_name = {item.nodeid: item for item in session.items}
        self.ran = True
        self.run([by_name[test] for test in self._order if test in by_name], self._seconds)
        return True


def main(arguments: Sequence[str]) -> int:
    """Judge; then say how it stands."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.run")
    parser.add_argument("files", nargs="*", default=list(SCOPE))
    parser.add_argument("--tests", nargs="*", default=list(TESTS))
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds of tests for one mutant")
    parser.add_argument("--again", action="store_true", help="forget what earlier runs found")
    given = parser.parse_args(arguments)
    STATE.mkdir(exist_ok=True)
    if given.again:
        (STATE / "results.jsonl").unlink(missing_ok=True)
    sys.dont_write_bytecode = True
    hypothesis.settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        report_multiple_bugs=False,
    )
    hypothesis.settings.load_profile("mutation")
    Run(given.files, given.tests, patience=given.patience).all()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
