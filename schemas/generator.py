"""Makes submissions of artificial people, the same for the same seed; nobody in them can be mistaken for real.

Families are called 見本, 架空, 試験; they live in テスト区. Numbers have good check digits, so that they are
treated like real ones, and no rule finds anything: what is at the edge of the allowed is in `edge_cases`.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from schemas import forms
from schemas.catalogue import GENERIC, Procedure, procedures

_JST: Final = timezone(timedelta(hours=9))
START: Final = datetime(2025, 12, 1, 9, 30, tzinfo=_JST)
_ATTACHED: Final = frozenset({"heir-representative-designation", "unregistrable-pledge-priority-proof"})
"""procedures whose joint signature or proof travels as an attachment"""


def generate(
    seed: int,
    count: int,
    tenants: Sequence[str],
    *,
    rehearsal: bool = True,
    start: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield `count` documents over all procedures and tenants in turn, in the JSON form of the input.

    Receipt numbers are unique within a seed. `start` is the first acceptance time (aware).
    """
    rng = random.Random(seed)  # noqa: S311 - artificial data, and it must be repeatable
    catalogue = list(procedures().values())
    new = [each for each in catalogue if each.kind == "new"]
    existing = [each for each in catalogue if each.kind != "new"]
    accepted = start or START
    for number in range(count):
        tenant = tenants[number % len(tenants)]
        as_attachments = number % 23 == 22
        procedure = (
            existing[number // 11 % len(existing)] if number % 11 == 10 else new[number // len(tenants) % len(new)]
        )
        accepted += timedelta(seconds=rng.randrange(1, 90))
        made = document(rng, procedure, tenant, receipt(tenant, seed, number), accepted, rehearsal, as_attachments)
        if number and rng.random() < 0.02:
            before = range(number % len(tenants), number, len(tenants))  # those of the same tenant
            if before:
                made["replaces"] = receipt(tenant, seed, rng.choice(before))
        yield made


def document(
    rng: random.Random,
    procedure: Procedure,
    tenant: str,
    receipt_number: str,
    accepted: datetime,
    rehearsal: bool = True,
    as_attachments: bool = False,
    most_rows: int = 4,
) -> dict[str, Any]:
    """Return one document of a procedure, with items unless it has none or comes as attachments."""
    made: dict[str, Any] = {
        "procedure": procedure.slug,
        "receipt_number": receipt_number,
        "tenant": tenant,
        "tax_item": None,
        "accepted_at": accepted.isoformat(),
        "checks": {
            "calculation": rng.choice(("passed", "passed", "passed", "failed", "not_performed")),
            "signature": rng.choice(("passed", "passed", "not_performed")),
        },
        "rehearsal": rehearsal,
    }
    if procedure.record_name != GENERIC and not as_attachments:
        day = accepted.astimezone(_JST).date()
        made["items"] = forms.items(rng, procedure, tenant, receipt_number, day, most_rows)
    if "items" not in made or procedure.slug in _ATTACHED or rng.random() < 0.15:
        made["attachments"] = [attachment(rng) for _ in range(rng.randrange(1, 3))]
    return made


def receipt(tenant: str, seed: int, number: int) -> str:
    """Return a receipt number that is unique within a seed."""
    return f"R7-{tenant[:5]}-{seed % 100_000:05d}{number:07d}"


def attachment(rng: random.Random) -> dict[str, str]:
    """Return a small file that begins like a PDF and is none."""
    content = b"%PDF-1.7 artificial\n" + rng.randbytes(rng.randrange(100, 3_000))
    return {
        "file_name": f"見本{rng.randrange(100)}.pdf",
        "media_type": "application/pdf",
        "content_base64": base64.b64encode(content).decode(),
    }
