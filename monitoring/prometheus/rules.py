"""All rules, and the rule files that Prometheus reads: `python -m monitoring.prometheus.rules [DIRECTORY]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from monitoring.prometheus import slo
from monitoring.prometheus.alerts import BY_SUBJECT
from monitoring.prometheus.base import Alert, Group, Recording, hastened, in_seconds
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.plain_yaml import Plain, dump

DIRECTORY: Final = Path("monitoring/prometheus/rules")
PREFIX: Final = "eltax-hub-"
HEADING: Final = "Written by `make docs` from monitoring/prometheus; do not edit."


def groups(limits: Limits) -> tuple[Group, ...]:
    """Every rule once, in groups that become files."""
    named = [Group(subject, alerts(limits)) for subject, alerts in BY_SUBJECT.items()]
    storage: tuple[Alert | Recording, ...] = (*slo.recordings(), *slo.alerts())
    return (*named, Group("objectives", storage))


def all_alerts(limits: Limits | None = None) -> dict[str, Alert]:
    """The alerts by name; two of one name are a mistake."""
    found: dict[str, Alert] = {}
    for group in groups(limits or Limits.packaged()):
        for rule in group.rules:
            if isinstance(rule, Alert):
                if rule.name in found:
                    raise ValueError(f"two alerts {rule.name}")
                found[rule.name] = rule
    return found


def all_recordings(limits: Limits | None = None) -> dict[str, Recording]:
    """The recording rules by name."""
    found = groups(limits or Limits.packaged())
    return {rule.name: rule for group in found for rule in group.rules if isinstance(rule, Recording)}


def files(limits: Limits, *, runbooks: str = "", factor: float = 1.0, every: str = "") -> dict[str, str]:
    """The rule files by name.

    `runbooks` stands before the path of each runbook (a URL that ends in a slash). `factor` below 1 makes all
    durations shorter and `every` the evaluations more frequent: for tests.
    """
    return {
        f"{PREFIX}{group.name}.yaml": dump(
            {"groups": [_group(group, runbooks, factor, every or group.every)]}, heading=HEADING
        )
        for group in groups(limits)
    }


def _group(group: Group, runbooks: str, factor: float, every: str) -> Plain:
    rules = [rule if factor == 1.0 else hastened(rule, factor) for rule in group.rules]
    return {
        "name": f"{PREFIX}{group.name}",
        "interval": every,
        "rules": [_alert(rule, runbooks) if isinstance(rule, Alert) else _recording(rule) for rule in rules],
    }


def _recording(rule: Recording) -> Plain:
    labels: Plain = {"labels": dict(rule.labels)} if rule.labels else {}
    assert isinstance(labels, dict)
    return {"record": rule.name, "expr": rule.expr, **labels}


def _alert(rule: Alert, runbooks: str) -> Plain:
    waits: dict[str, Plain] = {"for": rule.lasts} if in_seconds(rule.lasts) else {}
    return {
        "alert": rule.name,
        "expr": rule.expr,
        **waits,
        "labels": {"severity": rule.severity.value, "team": rule.team.value},
        "annotations": {
            "summary": rule.summary_en,
            "summary_ja": rule.summary_ja,
            "runbook_url": f"{runbooks}{rule.runbook}",
            "measures": " ".join(rule.measures),
        },
    }


def write(directory: Path, texts: dict[str, str]) -> None:
    """Write the files, and take away those of ours that are no more."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob(f"{PREFIX}*.yaml"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write the rules of the packaged declaration."""
    write(Path(arguments[0]) if arguments else DIRECTORY, files(Limits.packaged()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
