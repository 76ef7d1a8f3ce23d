"""All targets by name, the most exposed ones first."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets.documents import AVRO, LETTERS, SECTIONS, SUBMISSION
from tests.fuzz.targets.events import SEALED
from tests.fuzz.targets.files import ARCHIVE, KEYFILE, REPORTS
from tests.fuzz.targets.http import HTTP
from tests.fuzz.targets.logs import MERKLE, NOTES, PROOFS
from tests.fuzz.targets.records import DECLARATION, SIGNED

ALL: dict[str, Target] = {
    each.name: each
    for each in (
        SEALED,
        SIGNED,
        SUBMISSION,
        AVRO,
        SECTIONS,
        LETTERS,
        PROOFS,
        NOTES,
        MERKLE,
        KEYFILE,
        REPORTS,
        DECLARATION,
        ARCHIVE,
        HTTP,
    )
}
