"""The list of what is frozen: `python -m tests.vectors.freeze` adds what is new to FROZEN and changes nothing in it.

    vector <SHA-256 of the file> <file>
    contract <SHA-256 of its canonical JSON> <record>.<version> <schema id>

Canonical: keys sorted, no white space, UTF-8, docs included.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

PLACE = Path(__file__).parent
LIST = PLACE / "FROZEN"
SCHEMAS = PLACE.parents[1] / "schemas"
ADVICE = (
    "Version 1 of the sealed event is frozen: what was sealed, signed and logged with these bytes must be readable "
    "for years, by implementations that are not ours. A change is a new version beside the old, not an edit: a new "
    'contract file (<Record>.2.avsc, its own id), new labels, new vectors; docs/envelope.md, "Versions".'
)


def found() -> dict[str, str]:
    """What there is: by kind and name, the line that stands for it."""
    lines = {}
    for path in PLACE.glob("*.json"):
        lines[f"vector {path.name}"] = f"vector {hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}"
    ids = json.loads((SCHEMAS / "ids.json").read_text(encoding="utf-8"))["contracts"]
    for row in ids:
        name = f"{row['name']}.{row['version']}"
        (path,) = SCHEMAS.glob(f"contracts/*/{name}.avsc")
        schema = json.loads(path.read_text(encoding="utf-8"))
        text = json.dumps(schema, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        lines[f"contract {name}"] = f"contract {hashlib.sha256(text.encode()).hexdigest()} {name} {row['id']}"
    return lines


def frozen() -> dict[str, str]:
    """What FROZEN says, in the same form."""
    lines = LIST.read_text(encoding="utf-8").splitlines() if LIST.exists() else []
    return {" ".join((line.split()[0], line.split()[2])): line for line in lines}


def main() -> int:
    """Add what is new; 1 and nothing written if anything frozen was changed or is gone."""
    now, before = found(), frozen()
    if changed := sorted(name for name, line in before.items() if now.get(name) != line):
        sys.stderr.write(f"changed: {', '.join(changed)}\n{ADVICE}\n")
        return 1
    LIST.write_text("".join(f"{now[name]}\n" for name in sorted(now)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
