"""Writes dashboards/*.json from boards/: `python -m monitoring.grafana [DIRECTORY]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from monitoring.grafana.boards import BOARDS
from monitoring.grafana.writing import written

COMMITTED: Final = Path(__file__).parent / "dashboards"


def main(arguments: list[str]) -> int:
    """Write each board, and remove the JSON of boards that are no more."""
    target = Path(arguments[0]) if arguments else COMMITTED
    target.mkdir(parents=True, exist_ok=True)
    files = written(BOARDS)
    for stale in target.glob("*.json"):
        if stale.name not in files:
            stale.unlink()
    for name, said in files.items():
        (target / name).write_text(said, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
