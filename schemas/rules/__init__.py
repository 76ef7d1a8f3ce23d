"""Rules of substance. In law the portal has accepted the filing: what they find travels on, and refuses nothing.

Each rule is pure and names its id, its source in law or catalogue, and its message in two languages.
"""

from schemas.rules.engine import RULES, Finding, Rule, findings, rules_fingerprint

__all__ = ["RULES", "Finding", "Rule", "findings", "rules_fingerprint"]
