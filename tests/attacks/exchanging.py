"""Exchanges single fields of a record with those of another one, for every field that its contract names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas import codec, registry


def fields(name: str) -> list[str]:
    """Return the path of every field of a contract that holds a value: `cause.leaf`, `audiences[].epoch`."""
    return list(_fields(registry.contract(name).schema, ""))


def _fields(schema: Any, path: str) -> Iterator[str]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _fields(branch, path)
    elif isinstance(schema, Mapping) and schema["type"] == "record":
        for field in schema["fields"]:
            place = f"{path}.{field['name']}" if path else field["name"]
            inner = list(_fields(field["type"], place))
            yield from inner or [place]
    elif isinstance(schema, Mapping) and schema["type"] == "array":
        yield from list(_fields(schema["items"], f"{path}[]")) or [path]


def exchanged(name: str, record: Mapping[str, Any], donor: Mapping[str, Any], path: str) -> Iterator[bytes]:
    """Yield `record`, encoded as the codec does, with what `path` names taken from `donor`; nothing if it is the same.

    Of an array, each element's field is exchanged by itself with that of the element at its place in the donor.
    """
    for value in _replaced(record, donor, path.split(".")):
        if value != record:
            yield codec.encode(name, value)


def _replaced(record: Any, donor: Any, steps: list[str]) -> Iterator[Any]:
    step, rest = steps[0], steps[1:]
    field = step.removesuffix("[]")
    ours = record[field]
    theirs = donor.get(field) if donor else None
    if step.endswith("[]"):
        for number, element in enumerate(ours):
            if theirs and number < len(theirs):
                for made in _replaced(element, theirs[number], rest):
                    yield {**record, field: [*ours[:number], made, *ours[number + 1 :]]}
    elif not rest:
        yield {**record, field: theirs}
    elif ours is None:
        if theirs is not None:
            yield {**record, field: theirs}
    else:
        for made in _replaced(ours, theirs, rest):
            yield {**record, field: made}


def decoded(framed: bytes) -> tuple[str, dict[str, Any]]:
    """Return name and value of a framed record."""
    contract = registry.by_id(codec.frame_id(framed))
    assert contract is not None
    found = codec.decode(framed, {contract.name})
    return found.name, found.value
