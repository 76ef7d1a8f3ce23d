"""Writes the cases for promtool: `python -m tests.watch.rules.write [DIRECTORY]`; committed beside the rules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from monitoring.prometheus.plain_yaml import Plain, dump
from monitoring.prometheus.rules import HEADING, PREFIX, all_alerts
from tests.watch.rules import cases, cases_later, objectives
from tests.watch.rules.case import Case, Series

DIRECTORY: Final = Path("monitoring/prometheus/tests")
BY_FILE: Final[dict[str, tuple[Case, ...]]] = {
    "processes": cases.PROCESSES,
    "flow": cases.FLOW,
    "proof": cases.PROOF,
    "network": cases.NETWORK,
    "operations": cases.OPERATIONS,
    "collected": cases.COLLECTED,
    "ends": cases_later.ENDS,
    "brokers": cases_later.BROKERS,
    "servers": cases.SERVERS,
    "objectives": objectives.CASES,
}
_LONG: Final = "objectives"
"""evaluated every ten minutes: three days at once a minute would take promtool a minute"""


def files() -> dict[str, str]:
    """The test files by name."""
    return {
        f"{name}.yaml": dump(
            {
                "rule_files": [f"../rules/{PREFIX}{name}.yaml"],
                "evaluation_interval": "10m" if name == _LONG else "1m",
                "tests": [test for each in found for test in _tests(each)],
            },
            heading=HEADING.replace("monitoring/prometheus", "tests/watch/rules"),
        )
        for name, found in BY_FILE.items()
    }


def _tests(case: Case) -> list[Plain]:
    waits = {} if case.begins is None else {f"{case.begins - 1}m": 0, f"{case.begins}m": case.count}
    first, *others = case.fires
    made = [_test(case, "fires", first, {**waits, case.at: case.count})]
    made += [_test(case, "fires", series, {case.at: case.count}) for series in others]
    made += [_test(case, "does not fire", series, {case.quiet_at: 0}) for series in case.quiet]
    return made


def _test(case: Case, what: str, series: Series, expected: dict[str, int]) -> Plain:
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}}) or vector(0)'
    return {
        "name": f"{case.alert} {what}",
        "interval": case.interval,
        "input_series": [{"series": name, "values": values.strip()} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": firing, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}]}
            for at, value in expected.items()
        ],
    }


def main(arguments: list[str]) -> int:
    """Write all files; a case of an alert that there is not is a mistake."""
    known = all_alerts()
    for found in BY_FILE.values():
        for case in found:
            known[case.alert]
    directory = Path(arguments[0]) if arguments else DIRECTORY
    directory.mkdir(exist_ok=True)
    for name, text in files().items():
        (directory / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
