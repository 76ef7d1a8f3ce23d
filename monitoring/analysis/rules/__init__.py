"""The table of rules. A rule is data and pure functions; the windows (monitoring.analysis.windows) apply it.

Silence is no row of it: nobody sends a line that he is silent (monitoring.analysis.silence).
"""

from __future__ import annotations

from typing import Final

from monitoring.analysis.marks import Family
from monitoring.analysis.rules import access, system
from monitoring.analysis.rules.base import Rule

RULES: Final[tuple[Rule, ...]] = (*access.RULES, *system.RULES)
BY_NAME: Final = {rule.name: rule for rule in RULES}
OF_FAMILY: Final = {family: tuple(rule for rule in RULES if rule.family is family) for family in Family}
