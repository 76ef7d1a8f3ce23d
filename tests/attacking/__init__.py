"""Attacks as rows: who tries what, what is expected, and what a test saw; `docs/attacks.md` is written from them."""

from tests.attacking.rows import Attacker, Attempt, Row, Verdict

__all__ = ["Attacker", "Attempt", "Row", "Verdict"]
