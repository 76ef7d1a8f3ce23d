"""The catalogue of procedures, read from the contracts: they are its only source.

Nine new procedures with 144 items; nine existing ones as header and attachments. Item names, labels and
classes as in 資料16-2 of the ward's document; 様式 and code lists are not public.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from schemas.registry import Contract, all_contracts

GENERIC = "GenericSubmission"
TAX_ITEMS = ("resident-tax", "light-vehicle-tax", "tobacco-tax", "bathing-tax")


class ItemType(StrEnum):
    """What an item holds; all but yen and integer are text."""

    STRING = "string"
    DATE = "date"
    YEN = "yen"
    INTEGER = "integer"
    KANA = "kana"
    MY_NUMBER = "my_number"
    CORPORATE_NUMBER = "corporate_number"
    PHONE = "phone"
    POSTAL_CODE = "postal_code"
    ADDRESS = "address"
    ENUM = "enum"

    @property
    def is_number(self) -> bool:
        """Whether its JSON form is a whole number."""
        return self in (ItemType.YEN, ItemType.INTEGER)


class Mask(StrEnum):
    """What the helpdesk sees of an item."""

    ABSENT = "absent"
    HIDDEN = "hidden"
    NAME = "name"
    WARD = "ward"
    LAST_FOUR = "last-four"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a form. `max_length` in characters; 0 for numbers. `group` names its repeated group."""

    name: str
    seq: int
    label: str
    type: ItemType
    classification: str
    subject: str
    group: str | None
    mask: Mask
    max_length: int
    doc_en: str


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure: `kind` is new (items) or existing (attachments only)."""

    slug: str
    number: int
    label: str
    version: int
    kind: str
    items: tuple[Item, ...]
    groups: tuple[str, ...]
    record_name: str
    legal_basis: str
    tax_items: tuple[str, ...] = TAX_ITEMS


@cache
def procedures() -> Mapping[str, Procedure]:
    """All procedures by slug, the new ones first."""
    newest: dict[str, Contract] = {}
    for contract in sorted(all_contracts(), key=lambda each: each.version):
        if "procedure" in contract.schema or "procedures" in contract.schema:
            newest[contract.name] = contract
    found = [_new(each) for each in newest.values() if "procedure" in each.schema]
    found.sort(key=lambda each: each.number)
    generic = newest[GENERIC]
    found += [
        Procedure(row["slug"], row["number"], row["label"], generic.version, row["kind"], (), (), GENERIC, "")
        for row in generic.schema["procedures"]
    ]
    return MappingProxyType({each.slug: each for each in found})


def _new(contract: Contract) -> Procedure:
    said = contract.schema["procedure"]
    fields = {field["name"]: field for field in contract.schema["fields"]}
    items: list[Item] = []
    groups: list[str] = []
    for field in fields["items"]["type"][1]["fields"]:
        if "item_type" in field:
            items.append(_item(field, None))
        elif "derived_from" not in field:
            groups.append(field["name"])
            rows = field["type"][1]["items"]["fields"]
            items += [_item(row, field["name"]) for row in rows if "item_type" in row]
    items.sort(key=lambda each: each.seq)
    return Procedure(
        slug=said["slug"],
        number=said["number"],
        label=said["label"],
        version=contract.version,
        kind=said["kind"],
        items=tuple(items),
        groups=tuple(groups),
        record_name=contract.name,
        legal_basis=said["legal_basis"],
    )


def _item(field: Mapping[str, Any], group: str | None) -> Item:
    return Item(
        name=field["name"],
        seq=field["seq"],
        label=field["label"],
        type=ItemType(field["item_type"]),
        classification=field["class"],
        subject=field["subject"],
        group=group,
        mask=Mask(field["mask"]),
        max_length=field.get("max_length", 0),
        doc_en=field["doc"].partition(" / ")[2],
    )
