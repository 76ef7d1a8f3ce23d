"""What a registry ought to say of the contracts, and how what it says differs. Pure: nothing here asks one.

A registry is a copy for other systems. It is good when each id names the text that the lock gives it, each subject
(the record's full name) has our versions and no others, and the registry itself refuses an incompatible one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from schemas.compatibility import check
from schemas.errors import HubError
from schemas.registry import Contract, ContractBroken, fingerprint

LEVEL: Final = "BACKWARD_TRANSITIVE"


class IncompatibleContract(HubError):
    """A version of a contract cannot read an older one; nothing was published."""

    code: ClassVar[str] = "schemas.incompatible"
    hint: ClassVar[str] = "`eltax-hub schemas check` names the fields; give new ones a default, keep old ones."


class Kind(StrEnum):
    """In what way a registry differs. All but MISSING and LEVEL are for people to resolve."""

    MISSING = "missing"
    """the id names nothing there, or its subject lacks the version"""
    LEVEL = "level"
    """the subject's compatibility level is another"""
    OTHER_TEXT = "other-text"
    """the id names another text: who resolves it reads our records wrongly"""
    OTHER_ID = "other-id"
    """our text stands in its subject under another id"""
    FOREIGN_VERSION = "foreign-version"
    """the subject has a version that is not ours"""


CURABLE: Final = frozenset({Kind.MISSING, Kind.LEVEL})


@dataclass(frozen=True, slots=True)
class Held:
    """One version of a subject as a registry has it."""

    schema_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a registry said: the text of each id of ours that names one, versions and levels of our subjects."""

    texts: Mapping[int, str]
    versions: Mapping[str, Mapping[int, Held]] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One way in which a registry differs from the lock; `schema_id` 0 concerns the subject as a whole."""

    subject: str
    version: int
    schema_id: int
    kind: Kind

    def __str__(self) -> str:
        """One line for people."""
        which = f" version {self.version}" if self.version else ""
        return f"{self.kind.value}: {self.subject}{which}" + (f" (id {self.schema_id})" if self.schema_id else "")


def subject(contract: Contract) -> str:
    """The record's full name, under which a contract is published (docs/decisions/0250)."""
    return f"{contract.schema['namespace']}.{contract.name}"


def text(contract: Contract) -> str:
    """A contract as it is published: JSON without white space, documentation included."""
    return json.dumps(contract.schema, ensure_ascii=False, separators=(",", ":"))


def publishable(contracts: Iterable[Contract]) -> tuple[Contract, ...]:
    """The contracts in the order of publication: by subject, oldest version first. Raises IncompatibleContract."""
    ordered = tuple(sorted(contracts, key=lambda each: (subject(each), each.version)))
    if violations := check(ordered):
        first = violations[0]
        raise IncompatibleContract(f"({first.name} version {first.reader} cannot read version {first.writer})")
    return ordered


def same(contract: Contract, said: str) -> bool:
    """Whether a text is that of a contract, white space and order of keys aside."""
    try:
        return fingerprint(said) == fingerprint(text(contract))
    except ContractBroken:
        return False


def differences(contracts: Iterable[Contract], found: Found) -> tuple[Difference, ...]:
    """How a registry differs from the contracts, sorted; empty is good."""
    told: list[Difference] = []
    by_subject: dict[str, dict[int, Contract]] = {}
    for each in contracts:
        by_subject.setdefault(subject(each), {})[each.version] = each
    for name, ours in by_subject.items():
        theirs = found.versions.get(name, {})
        for version, contract in ours.items():
            said, held = found.texts.get(contract.schema_id), theirs.get(version)
            kinds = set()
            if said is not None and not same(contract, said):
                kinds.add(Kind.OTHER_TEXT)
            if held is not None and not same(contract, held.text):
                kinds.add(Kind.FOREIGN_VERSION)
            elif held is not None and held.schema_id != contract.schema_id:
                kinds.add(Kind.OTHER_ID)
            elif held is None or said is None:
                kinds.add(Kind.MISSING)
            told += [Difference(name, version, contract.schema_id, kind) for kind in kinds]
        told += [
            Difference(name, version, held.schema_id, Kind.FOREIGN_VERSION)
            for version, held in theirs.items()
            if version not in ours
        ]
        if theirs and found.levels.get(name) != LEVEL:
            told.append(Difference(name, 0, 0, Kind.LEVEL))
    return tuple(sorted(told))
