"""Which test runs which lines, and how long it takes. Kept per test file, as long as nothing changed."""

from __future__ import annotations

import json
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import coverage
import pytest

from tests.mutation.judging import Verdicts
from tests.mutation.scope import ROOT


def digest_of(paths: Iterable[Path]) -> str:
    """One digest of many files."""
    digest = sha256()
    for path in sorted(paths):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def tracer() -> coverage.Coverage:
    """Line coverage of the hub, in memory."""
    return coverage.Coverage(data_file=None, config_file=False, include=[str(ROOT / "hub" / "*")])


def lines_of(cov: coverage.Coverage) -> dict[str, set[int]]:
    """Lines that ran, by file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a test may run no line of it
        data = cov.get_data()
    return {str(Path(name).relative_to(ROOT)): set(data.lines(name) or ()) for name in data.measured_files()}


@dataclass(slots=True)
class Covering:
    """What every test runs; `seconds` are of the processor, not of the clock."""

    seconds: dict[str, float] = field(default_factory=dict)
    tests: dict[str, dict[int, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))

    def of(self, file: str, lines: Iterable[int]) -> set[str]:
        """Return the tests that run one of these lines."""
        by_line = self.tests.get(file, {})
        return set().union(*(by_line.get(line, ()) for line in lines))

    def take(self, known: dict[str, tuple[float, dict[str, list[int]]]]) -> None:
        """Take in what was measured of some tests."""
        for test, (seconds, files) in known.items():
            self.seconds[test] = seconds
            for name, lines in files.items():
                for line in lines:
                    self.tests[name][line].add(test)


def measure(items: Sequence[pytest.Item], into: Path) -> str:
    """Run tests one by one, each traced alone. One that fails as it is cannot notice anything, and is left out."""
    known: dict[str, tuple[float, dict[str, list[int]]]] = {}
    verdicts = Verdicts()
    items[0].config.pluginmanager.register(verdicts)
    cov = tracer()
    for place, item in enumerate(items):
        cov.erase()
        cov.start()
        began = time.process_time()
        following = items[place + 1] if place + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        spent = time.process_time() - began
        cov.stop()
        if verdicts.failed:
            verdicts.failed = ""
            continue
        known[item.nodeid] = (spent, {name: sorted(lines) for name, lines in lines_of(cov).items()})
    into.write_text(json.dumps(known), "utf-8")
    return ""
