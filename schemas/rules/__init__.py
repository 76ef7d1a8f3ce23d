"""Rules of substance. In law the portal has accepted the filing: what they find travels on, and refuses nothing.

Each rule is pure and names its id, its source in law or catalogue, its severity, and its message in two languages;
a finding says where, and never what stands there. `docs/rules.md` lists them. What a rule reads is in
`facts`, the rules are in files by subject, `engine` puts them into one table.
"""

from schemas.rules.engine import RULES, Table, findings, fingerprint, rules_fingerprint, severity
from schemas.rules.model import Finding, Rule, Severity

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "Severity",
    "Table",
    "findings",
    "fingerprint",
    "rules_fingerprint",
    "severity",
]
