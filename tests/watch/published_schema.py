"""Are the committed dashboards valid by Grafana's published JSON Schemas? `python -m tests.watch.published_schema DIR`.

DIR holds `dashboard.jsonschema.json`, `prometheus.jsonschema.json` and one file per panel plugin, as the repository
grafana/grafana-foundation-sdk has them under `jsonschema/` on the branch of a Grafana version. They are not committed
here; docs/decisions/0235 says what came of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from monitoring.grafana.__main__ import COMMITTED

BEYOND = {"Panel": {"fieldConfig", "options", "targets"}}
"""plugins fill these in; each is held to its own schema"""


def problems(dashboard: dict[str, Any], schemas: Path) -> Iterator[str]:
    """Yield what a dashboard has that the schemas do not allow."""
    yield from _against(_schema(schemas, "dashboard"), "", dashboard, "dashboard")
    for panel in dashboard["panels"]:
        name = f"panel {panel['id']} ({panel['type']})"
        if panel["type"] == "row":
            yield from _against(_schema(schemas, "dashboard"), "RowPanel", panel, name)
            continue
        yield from _against(_schema(schemas, "dashboard"), "Panel", panel, name)
        plugin = _schema(schemas, panel["type"])
        yield from _against(plugin, "Options", panel["options"], f"{name} options")
        custom = panel["fieldConfig"]["defaults"].get("custom")
        if custom is not None:
            yield from _against(plugin, "FieldConfig", custom, f"{name} custom field options")
        for target in panel.get("targets", ()):
            yield from _against(_schema(schemas, "prometheus"), "dataquery", target, f"{name} query")


def _schema(schemas: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((schemas / f"{name}.jsonschema.json").read_text(encoding="utf-8"))
    return found


def _against(schema: dict[str, Any], definition: str, value: object, where: str) -> Iterator[str]:
    whole = {**schema, "$ref": f"#/definitions/{definition}"} if definition else schema
    for error in Draft7Validator(whole).iter_errors(value):
        yield f"{where}: {error.json_path}: {error.message[:300]}"


def main(arguments: list[str]) -> int:
    """Print the problems; 0 if there is none."""
    found = 0
    for path in sorted(COMMITTED.glob("*.json")):
        for problem in problems(json.loads(path.read_text(encoding="utf-8")), Path(arguments[0])):
            print(f"{path.name}: {problem}")
            found += 1
    print(f"{found} problems in {len(list(COMMITTED.glob('*.json')))} dashboards")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
