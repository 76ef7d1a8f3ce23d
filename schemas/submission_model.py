"""A submission as the portal sent it: frozen, and text for text what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = str | int
Row: TypeAlias = Mapping[str, Value]
Items: TypeAlias = Mapping[str, "Value | tuple[Row, ...]"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file; nothing of it is believed or opened."""

    file_name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Submission:
    """One filing. `accepted_at` is RFC 3339 as sent; `items` is None if it came as attachments only."""

    procedure: str
    receipt_number: str
    tenant: str
    tax_item: str | None
    accepted_at: str
    calculation_check: str
    signature_check: str
    rehearsal: bool
    replaces: str | None
    withdraws: str | None
    items: Items | None = field(repr=False)
    attachments: tuple[Attachment, ...] = field(repr=False)
