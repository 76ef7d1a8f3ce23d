"""`python -m schemas.lock`: give new contracts their ids; refuse a change to a locked one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from schemas import registry
from schemas.registry import ContractBroken


def lock(contracts: Path = registry.CONTRACTS, ids: Path = registry.IDS) -> list[str]:
    """Add the contracts that have no id yet and return them as `name.version = id`.

    Raises ContractBroken, and leaves the lock as it was, if a locked contract was changed or is gone,
    or a new one is no contract.
    """
    before = registry.read_lock(ids)
    found = registry.files(contracts)
    if missing := sorted(before.rows.keys() - found.keys()):
        raise ContractBroken(f"{missing[0][0]} version {missing[0][1]} is locked, but its file is gone")
    rows = dict(before.rows)
    following = before.next_id
    added: list[str] = []
    for (name, version), path in found.items():
        text = path.read_text(encoding="utf-8")
        sha256 = registry.fingerprint(text)
        row = rows.get((name, version))
        if row is None:
            registry.read_schema(text, name, version)  # what cannot be loaded gets no id
            rows[name, version] = registry.Row(following, name, version, sha256)
            added.append(f"{name}.{version} = {following}")
            following += 1
        elif row.sha256 != sha256:
            raise ContractBroken(f"{name} version {version} was changed")
    if added:
        _write(registry.Lock(following, rows), ids)
    return added


def _write(made: registry.Lock, ids: Path) -> None:
    lines = ",\n".join(
        "  " + json.dumps({"id": row.schema_id, "name": row.name, "version": row.version, "sha256": row.sha256})
        for row in sorted(made.rows.values(), key=lambda each: each.schema_id)
    )
    fresh = ids.with_suffix(".new")
    fresh.write_text(f'{{"next": {made.next_id}, "contracts": [\n{lines}\n]}}\n', encoding="utf-8")
    fresh.replace(ids)  # whole, or not at all


def main() -> int:
    """Lock what is new and say so; 1 if a locked contract was changed."""
    try:
        added = lock()
    except ContractBroken as broken:
        sys.stderr.write(f"{broken}\n{broken.advice}\n")
        return 1
    for line in added:
        sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
