"""An artificial municipality's month for the report: seeded, so that the committed example can be made again.

`python -m tests.unit.monitoring.report.artificial docs/examples` writes it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from consumers.audit.report import Period as AuditPeriod
from consumers.audit.report import day, month
from hub.crypto.hkdf import sha256
from hub.envelope.event_ids import new_event_id
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent
from hub.envelope.records import ReportEntry
from monitoring.network.judgement import Control
from monitoring.report import html, pdf, places
from monitoring.report.composing import compose
from monitoring.report.model import (
    Audit,
    Basis,
    Checkpoint,
    Finding,
    Findings,
    Gap,
    Log,
    Period,
    Place,
    Retention,
)
from monitoring.report.tallying import Tally
from schemas.catalogue import procedures

TENANT: Final = "999997"
_CONTROLS: Final = tuple(each.value for each in Control)
_PRINCIPALS: Final = (
    *("portal", "router", "operator", "monitor", "analysis"),
    *(f"{desk}-{TENANT}" for desk in ("review", "helpdesk", "audit")),
)
_ACCOUNTS: Final = ("zei-01", "zei-02", "zei-03", "madoguchi-01", "madoguchi-02", "kanri-01")
_USES: Final = (Kind.VIEWED, Kind.LISTED, Kind.LOOKED_UP, Kind.DECIDED, Kind.EXPORTED)


def period(text: str) -> Period:
    """Return a day or month."""
    found: AuditPeriod = month(text) if len(text) == 7 else day(text)
    return Period(found.name, found.begin_ms, found.end_ms)


def line(
    kind: Kind,
    at_ms: int,
    *,
    principal: str = "router",
    outcome: str = "ok",
    actor: str = "",
    address: str = "",
    tenant: str = "",
    about: str = "",
    code: str = "",
    count: int = 1,
) -> OperationEvent:
    """Return a line as the collector would hand it over; nothing here is signed."""
    moment = datetime.fromtimestamp(at_ms / 1_000, UTC)
    said = Operation(kind, moment, outcome, actor, address, tenant, "", about, code, count)
    return OperationEvent(principal, f"{principal}-1", "rehearsal", bytes(16), 0, FIRST, said)


def lines(span: Period, seed: int, *, calm: bool = False) -> Iterator[OperationEvent]:
    """Yield an artificial month of lines; a calm one has nothing that must be looked at."""
    dice = random.Random(seed)
    days = (span.end_ms - span.begin_ms) // 86_400_000
    for principal in _PRINCIPALS:
        yield line(Kind.CONFIGURED, span.begin_ms + 1_000, principal=principal, code=sha256(principal.encode()).hex())
        yield line(Kind.STARTED, span.begin_ms + 2_000, principal=principal)
    for number in range(days):
        begin = span.begin_ms + number * 86_400_000
        weekend = datetime.fromtimestamp((begin + 43_200_000) / 1_000, UTC).weekday() >= 5
        for control in _CONTROLS:
            yield line(Kind.PROBED, begin + 60_000, principal="monitor", outcome="refused", about=control)
        for hour in range(24):
            yield line(Kind.PROBED, begin + hour * 3_600_000, principal="monitor", about="round", count=13)
        for account in _ACCOUNTS:
            for kind in _USES:
                count = dice.randint(0, 3) if weekend else dice.randint(4, 40)
                at = begin + dice.randint(8 * 60, 18 * 60) * 60_000
                if kind is Kind.EXPORTED:
                    count //= 20
                if count:
                    desk = "helpdesk" if kind is Kind.LOOKED_UP else "review"
                    principal = f"{desk}-{TENANT}"
                    yield line(kind, at, principal=principal, actor=account, tenant=TENANT, count=count)
        if not calm and dice.random() < 0.3:
            at = begin + dice.randint(0, 86_399) * 1_000
            yield line(
                Kind.DENIED, at, actor="helpdesk-999997", about="rehearsal.999997.review", count=dice.randint(1, 9)
            )
            yield line(Kind.HANDSHAKE_REFUSED, at + 1, code="certificate-unknown", count=dice.randint(1, 40))
        yield line(Kind.COMMANDED, begin + 30_000_000, principal="operator", actor="kanri-01", about="topics plan")
    if not calm:
        yield line(Kind.ALARM, span.begin_ms + 3 * 86_400_000, code="checkpoint-late", principal=f"review-{TENANT}")
        yield line(Kind.PEER_UNEXPECTED, span.begin_ms + 90_000_000, address="192.0.2.44", actor="ANONYMOUS", count=2)
        yield line(Kind.FAILED, span.begin_ms + 100_000_000, principal=f"helpdesk-{TENANT}", code="store.unavailable")
        yield line(Kind.STARTED, span.begin_ms + 100_030_000, principal=f"helpdesk-{TENANT}")
        yield line(Kind.LETTER_ENDED, span.begin_ms + 110_000_000, principal="operator", outcome="replayed")


def filings(span: Period, seed: int, count: int) -> list[places.Row]:
    """Return artificial rows of a review desk; mostly quick."""
    dice = random.Random(seed)
    names = sorted(procedures())
    days = (span.end_ms - span.begin_ms) // 86_400_000
    found = []
    for _ in range(count):
        at = span.begin_ms + dice.randrange(days) * 86_400_000 + int(dice.triangular(0, 86_399_000, 50_000_000))
        stored = at + int(dice.lognormvariate(5.6, 0.8))
        event_id = new_event_id(at, dice.randbytes)
        procedure = names[min(int(dice.expovariate(0.25)), len(names) - 1)]
        found.append(places.Row(event_id, dice.randbytes(32), procedure, at, stored, stored + 2_000))
    return found


def held(rows: list[places.Row], span: Period) -> tuple[Place, ...]:
    """Return what four places say that all have these rows."""
    entries = [ReportEntry(TENANT, row.event_id, row.leaf, "held") for row in rows]
    return (
        places.portal(entries, TENANT, span),
        *(places.desk(kind, rows, (), span) for kind in ("audit", "review", "helpdesk")),
    )


def basis(name: str = "2026-10", *, seed: int = 6, count: int = 2_400, calm: bool = False) -> Basis:
    """Return the figures of an artificial period, with a few things to look at unless it is calm."""
    span = period(name)
    tally = Tally(TENANT, span)
    for each in lines(span, seed, calm=calm):
        tally.take(each)
    use = tally.use()
    when = span.begin_ms + 12 * 86_400_000 if span.monthly else span.begin_ms
    evidence = tuple(f"{sha256(b'log').hex()[:32]}-{number}" for number in (1041, 1042, 1043, 1050))
    listed = () if calm else (
        Finding("f1", "out-of-hours", "ticket", when + 8_100_000, when + 8_900_000, "zei-03", 14, evidence),
        Finding("f2", "bulk-viewing", "notice", when + 40_000_000, when + 40_600_000, "madoguchi-01", 212, evidence),
    )  # fmt: skip
    counts: dict[str, int] = {}
    for each_finding in listed:
        counts[each_finding.rule] = counts.get(each_finding.rule, 0) + 1
    return Basis(
        tenant=TENANT,
        organisation="架空市（試験用）",
        namespace="rehearsal",
        artificial=True,
        period=span,
        taken_at_ms=span.end_ms + 9 * 3_600_000,
        version="0.1.0",
        trust_serial=7,
        declaration_serial=3,
        places=held(filings(span, seed, count), span),
        audit=Audit(
            closed=True,
            size_before=120_344,
            size=127_981,
            root=sha256(b"audit").hex(),
            signed_at_ms=span.end_ms - 1_000,
            sequences_missing=0,
            sessions_without_end=0,
            dead_letters=() if calm else (("signature-invalid", 1),),
            resolved=() if calm else (("replayed", 1),),
        ),
        use=use,
        log=Log(
            Checkpoint(512_004, sha256(b"log").hex(), span.end_ms + 60_000),
            verified=True,
            gaps=() if calm else (Gap("router", sha256(b"gap").hex()[:32], 4_411, 4_413),),
            missing=0 if calm else 3,
        ),
        findings=Findings(
            listed,
            len(listed),
            tuple(sorted(counts.items())),
            (
                ("failure-burst", "短時間の失敗の集中"),
                ("out-of-hours", "開庁時間外の利用"),
                ("bulk-viewing", "大量の閲覧・出力"),
                ("repeated-receipt", "同一受付番号の繰り返し照会"),
                ("two-addresses", "同一利用者の複数アドレスからの利用"),
                ("silent-peer", "記録の途絶えた処理"),
                ("missing-checkpoint", "チェックポイントの欠落"),
                ("erased-look-up", "消去済み記録の照会"),
            ),
            span.end_ms + 60_000,
        ),
        retention=(
            Retention("操作ログ（システム状態）", 2_160),
            Retention("操作ログ（利用・アクセス）", 8_784),
            Retention("監査記録", None),
        ),
        labels=tuple((slug, each.label) for slug, each in procedures().items()),
    )


def write(directory: Path, made: Basis) -> None:
    """Write the report and its figures."""
    name = f"{made.namespace}-{made.tenant}-{made.period.name}"
    document = compose(made)
    (directory / f"{name}.json").write_bytes(made.to_json())
    (directory / f"{name}.html").write_bytes(html.render(document))
    (directory / f"{name}.pdf").write_bytes(pdf.render(document))


if __name__ == "__main__":
    write(Path(sys.argv[1]), basis())
