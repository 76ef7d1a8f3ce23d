"""A review desk with accepted submissions, for the tests of exports. Everybody in it is artificial."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyzipper

from consumers.review.cases import Dossiers
from consumers.review.desk import Kept
from consumers.review.export.characters import Writing
from consumers.review.export.exporter import Desk, Exporter, Report, Wish
from consumers.store.casework import NewDecision
from consumers.store.model import Batch, Content, NewEvent, Status
from consumers.store.sql import SqlStore, open_sqlite
from consumers.store.vault import Vault
from hub.crypto.random import system_random
from schemas.generator import generate
from schemas.judging import as_portal, judge
from schemas.parts import encode_section
from schemas.submission import Refused, parse
from tests.unit.consumers.making import NOW, SESSION, TENANT, event_id, leaf

NAMESPACE = "rehearsal"
OWNER = f"{NAMESPACE}/review-{TENANT}"
EPOCH = 202701
PASSWORD = "artificial-password-0123456789"


@dataclass
class PlainKeys:
    """Epoch keys that seal nothing: so that two processes of a test have the same."""

    gone: set[int] = field(default_factory=set)

    def seal(self, epoch: int, info: bytes, secret: bytes) -> tuple[bytes, bytes] | None:
        return b"artifice", secret

    def open(self, epoch: int, key_id: bytes, info: bytes, sealed: bytes) -> bytes | None:
        return None if epoch in self.gone else sealed

    def forget(self) -> None:
        """Nothing is kept."""


def document(number: int, procedure: str = "seizure-release-under-grace", **items: Any) -> dict[str, Any]:
    return {
        "procedure": procedure,
        "receipt_number": f"R7-99999-{number:09d}",
        "tenant": TENANT,
        "tax_item": None,
        "accepted_at": "2027-01-15T17:00:00+09:00",
        "checks": {"calculation": "passed", "signature": "not_performed"},
        "rehearsal": True,
        "items": items or {"applicant_name": "見本　太郎"},
    }


class Bench:
    """One desk's store with its keys, and a clock that goes on by a second at each look."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.out = directory / "out"
        self.out.mkdir(exist_ok=True)
        self.store: SqlStore = open_sqlite(directory / "store.db", OWNER)
        self.keys = PlainKeys()
        self.now = NOW
        self.vault = Vault(OWNER, self.keys, self.store.store_key, system_random)
        self.dossiers = Dossiers(self.store, self.vault)

    def close(self) -> None:
        self.store.close()

    def clock(self) -> int:
        self.now += 1_000
        return self.now

    def stored(self, documents: Sequence[dict[str, Any]]) -> list[int]:
        """Store submissions; return their rows."""
        first = self.store.counts()["events"]
        events = [self._event(first + n, each) for n, each in enumerate(documents)]
        self.store.commit(Batch(at_ms=NOW, advances=(), events=tuple(events), store_keys=self.vault.new_keys()))
        self.vault.committed(self.vault.new_keys())
        return list(range(first + 1, first + 1 + len(documents)))

    def _event(self, number: int, sent: dict[str, Any]) -> NewEvent:
        submission = parse(json.dumps(sent, ensure_ascii=False).encode(), rehearsal=True)
        assert not isinstance(submission, Refused), submission
        found = judge(submission)
        kept = Kept(encode_section(submission, as_portal(found)), found).encode()
        content: Content = self.vault.seal(EPOCH, TENANT, event_id(number), leaf(number), kept)
        return NewEvent(
            tenant=TENANT,
            producer="portal",
            event_id=event_id(number),
            leaf=leaf(number),
            session=SESSION,
            sequence=number,
            topic=f"{NAMESPACE}.{TENANT}.review",
            partition=0,
            offset=number,
            kind="submission",
            receipt_number=submission.receipt_number,
            procedure=submission.procedure,
            procedure_version=1,
            tax_item=None,
            accepted_at_ms=NOW,
            produced_at_ms=NOW,
            stored_at_ms=NOW,
            findings=len(found),
            content=content,
        )

    def decide(self, row: int, what: str, *tax_items: str) -> int:
        after = {"accept": Status.ACCEPTED, "revoke": Status.REVOKED, "return": Status.RETURNED, "hold": Status.HELD}
        reason = {"accept": "complete", "revoke": "decided-in-error", "return": "item-missing", "hold": "inquiry"}
        revision = self.store.cases.case(row).revision
        return self.store.cases.decide(
            NewDecision(row, revision, what, after[what], reason[what], "reviewer", self.clock(), tax_items)
        )

    def accepted(self, *documents: dict[str, Any]) -> list[int]:
        """Store and accept submissions; return their rows."""
        rows = self.stored(documents)
        for row in rows:
            self.decide(row, "accept", "resident-tax")
        return rows

    def accepted_at_once(self, documents: Sequence[dict[str, Any]]) -> None:
        """The same for thousands, in one transaction."""
        from sqlalchemy import insert, update

        from consumers.store import tables

        rows = self.stored(documents)
        accepted = {"decision": "accept", "revision": 1, "reason": "complete", "decided_by": "reviewer"}
        rest = {"decided_at_ms": self.clock(), "tax_items": '["resident-tax"]'}
        with self.store._writing() as db:
            db.execute(insert(tables.case_file), [{"event": row, "revision": 1} for row in rows])
            db.execute(insert(tables.decision), [{"event": row, **accepted, **rest} for row in rows])
            db.execute(update(tables.event).where(tables.event.c.number.in_(rows)).values(status="accepted"))

    def exporter(self, by: str = "exporter") -> Exporter:
        desk = Desk(NAMESPACE, TENANT, self.directory / "export.lock")
        return Exporter(self.store, self.dossiers, desk, by, self.clock)

    def wish(self, series: str = "tax", encoding: str = "utf-8", on_missing: str = "refuse", **more: Any) -> Wish:
        return Wish(series, Writing.declared(encoding, on_missing), more.pop("directory", self.out), **more)

    def export(self, **wish: Any) -> Report:
        return self.exporter().export(self.wish(**wish), PASSWORD)

    def erase(self, row: int) -> None:
        """Delete a data key, as erasure of one receipt will."""
        from sqlalchemy import delete

        from consumers.store import tables

        with self.store._writing() as db:
            db.execute(delete(tables.data_key).where(tables.data_key.c.event == row))


def generated(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    return generate(seed, count, [TENANT])


def members(path: Path, password: str = PASSWORD) -> dict[str, bytes]:
    """Open an archive as its receiver would."""
    with pyzipper.AESZipFile(path) as archive:
        archive.setpassword(password.encode())
        return {name: archive.read(name) for name in archive.namelist()}


def table(data: bytes, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    """Read a CSV file as its receiver would."""
    return list(csv.DictReader(io.StringIO(data.decode(encoding), newline=""), strict=True))


def receipts(path: Path, name: str = "seizure-release-under-grace.csv") -> list[str]:
    return [row["hub_receipt_number"] for row in table(members(path)[name])]
