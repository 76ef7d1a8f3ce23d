"""Plain dictionaries, lists, texts, numbers and truth values as YAML; texts are quoted as in JSON, which YAML reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def as_yaml(value: Mapping[str, object]) -> str:
    """Return a document. Keys must be plain words; raises TypeError for a value that is none of the above."""
    return "\n".join(_mapping(value)) + "\n"


def _mapping(value: Mapping[str, object]) -> list[str]:
    lines = []
    for key, each in value.items():
        inner = _lines(each)
        if isinstance(each, (Mapping, list, tuple)) and each:
            lines += [f"{key}:", *(f"  {line}" for line in inner)]
        else:
            lines.append(f"{key}: {inner[0]}")
    return lines


def _lines(value: object) -> list[str]:
    if isinstance(value, Mapping) and value:
        return _mapping(value)
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        found = []
        for each in value:
            first, *rest = _lines(each)
            found += [f"- {first}", *(f"  {line}" for line in rest)]
        return found
    if value is None or isinstance(value, (str, int, float, list, tuple, Mapping)):
        return [json.dumps(value, ensure_ascii=False)]
    raise TypeError(type(value).__name__)
