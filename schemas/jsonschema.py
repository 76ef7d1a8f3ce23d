"""JSON Schema (draft 2020-12) of the input, made from the catalogue; for those who write submissions."""

from __future__ import annotations

from typing import Any, Final

from schemas.catalogue import GENERIC, TAX_ITEMS, Item, ItemType, Procedure, procedures
from schemas.checks import MAX_ATTACHMENTS, MAX_ROWS, MAX_YEN
from schemas.submission import CHECK_VALUES

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_RECEIPT: Final = {"type": "string", "pattern": "^[\\x21-\\x7e]{1,64}$"}


def json_schema(slug: str | None = None) -> dict[str, Any]:
    """Return the schema of one procedure's submission, or of any. Raises KeyError for an unknown slug."""
    if slug is not None:
        return {"$schema": DIALECT, **_procedure(procedures()[slug])}
    return {
        "$schema": DIALECT,
        "title": "申請・届出 / submission",
        "oneOf": [_procedure(each) for each in procedures().values()],
    }


def _procedure(procedure: Procedure) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "procedure": {"const": procedure.slug},
        "receipt_number": _RECEIPT,
        "tenant": {"type": "string", "pattern": "^[0-9]{6}$"},
        "tax_item": {"enum": [*TAX_ITEMS, None]},
        "accepted_at": {"type": "string", "format": "date-time"},
        "checks": {
            "type": "object",
            "properties": {key: {"enum": list(CHECK_VALUES)} for key in ("calculation", "signature")},
            "required": ["calculation", "signature"],
            "additionalProperties": False,
        },
        "rehearsal": {"type": "boolean"},
        "replaces": _RECEIPT,
        "withdraws": _RECEIPT,
        "attachments": _ATTACHMENTS,
    }
    if procedure.record_name != GENERIC:
        properties["items"] = _items(procedure)
    return {
        "title": procedure.label,
        "type": "object",
        "properties": properties,
        "required": ["procedure", "receipt_number", "tenant", "accepted_at", "checks", "rehearsal"],
        "anyOf": [
            {"required": [each], "properties": {each: {least: 1}}}
            for each, least in (("items", "minProperties"), ("attachments", "minItems"))
            if each in properties
        ],
        "not": {"required": ["replaces", "withdraws"]},
        "additionalProperties": False,
    }


_ATTACHMENTS: Final = {
    "type": "array",
    "maxItems": MAX_ATTACHMENTS,
    "items": {
        "type": "object",
        "properties": {
            "file_name": {"type": "string", "maxLength": 255},
            "media_type": {"type": "string", "maxLength": 255},
            "content_base64": {"type": "string", "contentEncoding": "base64"},
        },
        "required": ["file_name", "media_type", "content_base64"],
        "additionalProperties": False,
    },
}


def _items(procedure: Procedure) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for item in procedure.items:
        if item.group is None:
            properties[item.name] = _item(item)
        else:
            group = properties.setdefault(
                item.group,
                {
                    "type": "array",
                    "maxItems": MAX_ROWS,
                    "items": {"type": "object", "properties": {}, "additionalProperties": False},
                },
            )
            group["items"]["properties"][item.name] = _item(item)
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _item(item: Item) -> dict[str, Any]:
    said = {"title": item.label, "description": f"{item.label} / {item.doc_en}"}
    if item.type.is_number:
        return {**said, "type": "integer", "minimum": -MAX_YEN, "maximum": MAX_YEN}
    if item.type is ItemType.DATE:
        said["description"] += " — 2025-12-01, 令和7年12月1日"
    return {**said, "type": "string", "maxLength": item.max_length}
