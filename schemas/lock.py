"""`python -m schemas.lock`: give new contracts their ids; refuse a change to a locked one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from schemas import registry
from schemas.registry import ContractBroken


def lock(ids: Path = registry.IDS) -> list[str]:
    """Add the contracts that have no id yet and return their names; raise ContractBroken on any change."""
    rows = json.loads(ids.read_text(encoding="utf-8"))["contracts"] if ids.exists() else []
    locked = {(row["name"], row["version"]): row for row in rows}
    added: list[str] = []
    following = max((row["id"] for row in rows), default=0) + 1
    for (name, version), path in registry.files().items():
        sha256 = registry.fingerprint(path.read_text(encoding="utf-8"))
        row = locked.get((name, version))
        if row is None:
            rows.append({"id": following, "name": name, "version": version, "sha256": sha256})
            added.append(f"{name}.{version} = {following}")
            following += 1
        elif row["sha256"] != sha256:
            raise ContractBroken(f"{name} version {version} was changed")
    text = ",\n".join("  " + json.dumps(row) for row in rows)
    ids.write_text('{"contracts": [\n' + text + "\n]}\n", encoding="utf-8")
    return added


if __name__ == "__main__":
    try:
        for line in lock():
            sys.stdout.write(line + "\n")
    except ContractBroken as broken:
        sys.exit(f"{broken}\n{broken.advice}")
