"""Writes both compose files: `python -m deploy.write [DIRECTORY]`; for a declaration of your own HUB_TOPICS_FILE."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.compose import Variant, document
from deploy.services import services
from hub.settings import HomeSettings
from topics.declaration import load
from topics.expanding import expand

TOP = Path(__file__).parent.parent


def texts(topics_file: Path | None = None) -> dict[str, str]:
    """Return the files by name, for the tenants of a declaration; by default of the packaged one."""
    found = services(expand(load(topics_file), HomeSettings().namespace))
    return {variant.value: document(found, variant) for variant in Variant}


def main(arguments: Sequence[str]) -> int:
    """Write them into a directory, by default the top of the repository."""
    target = Path(arguments[0]) if arguments else TOP
    for name, text in texts(HomeSettings().topics_file).items():
        (target / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
