"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from schemas.catalogue import Procedure
from schemas.rules.facts import FactsCheck


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: where (JSON pointer), which rule, in two languages; never the value."""

    path: str
    rule: str
    message: str
    message_ja: str


class Severity(StrEnum):
    """What a finding asks of the reviewer. No severity refuses anything: in law the portal has accepted the filing."""

    CORRECT = "correct"
    """It cannot be right as it stands: ask the filer to correct it (補正)."""
    ASK = "ask"
    """It may be right and rarely is: look again, or ask the filer (確認)."""
    NOTE = "note"
    """For the reviewer's information: a habit of writing, or a matter of other systems (参考)."""


Check: TypeAlias = FactsCheck
Parameter: TypeAlias = int | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `bind(procedure, **parameters)` returns its check for a procedure, None if it says nothing there.

    `revision` goes up when the check changes without its parameters, so that both ends know they judge differently.
    """

    id: str
    source: str
    severity: Severity
    message: str
    message_ja: str
    bind: Callable[..., Check | None]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    revision: int = 1

    def check(self, procedure: Procedure) -> Check | None:
        """Return the check for one procedure's submissions."""
        return self.bind(procedure, **self.parameters)
