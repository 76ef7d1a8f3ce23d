"""What is mutated, and which tests are to notice."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
STATE: Final = ROOT / ".mutation"
"""what runs found, as they find it; not committed"""
SCOPE: Final = ("hub/envelope", "hub/crypto", "hub/router/rules.py", "hub/router/batch.py")
TESTS: Final = (
    "tests/unit/envelope",
    "tests/unit/crypto",
    "tests/unit/router",
    "tests/unit/vectors",
    "tests/unit/producing",
    "tests/unit/reading",
    "tests/unit/portal/test_delivery.py",
)
SURVIVED: Final = "survived"
KILLED: Final = "killed"
STUCK: Final = "stuck"
