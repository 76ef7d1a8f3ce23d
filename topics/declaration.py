"""Reads the declaration and checks it whole; what it returns is frozen and consistent."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from topics.consistency import check
from topics.errors import DeclarationInvalid
from topics.templates import Declaration, Generation, PrincipalTemplate, RouteTemplate, Tenant, TopicTemplate

__all__ = [
    "Declaration",
    "Generation",
    "PrincipalTemplate",
    "RouteTemplate",
    "Tenant",
    "TopicTemplate",
    "load",
    "parse",
    "read",
]

PACKAGED: Final = Path(__file__).with_name("declaration.yaml")
MAX_GENERATION: Final = 999


def municipality_check_digit(first_five: str) -> int:
    """The 6th digit of a 全国地方公共団体コード (weights 6 to 2, 11 minus remainder, last digit)."""
    total = sum(int(digit) * weight for digit, weight in zip(first_five, (6, 5, 4, 3, 2), strict=True))
    return (11 - total % 11) % 10


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""in C where there is libyaml: of 1,788 tenants the text takes two seconds in Python"""


class _Strict(_Loader):  # type: ignore[misc]
    """Refuses a key that stands twice; YAML would keep the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=deep)
            where = f"line {key.start_mark.line + 1}"
            if not isinstance(name, str):
                raise DeclarationInvalid(where, "a key is a text")
            if name in seen:
                raise DeclarationInvalid(where, f"the key {name!r} stands twice")
            seen.add(name)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def load(path: Path | None = None) -> Declaration:
    """Load a declaration file (default: the packaged one). Raises DeclarationInvalid with the place."""
    if path is None:
        return _load_packaged()
    return parse(read(path))


def read(path: Path | None = None) -> str:
    """Return the text of a declaration file (default: the packaged one), unchecked. Raises DeclarationInvalid."""
    path = PACKAGED if path is None else path
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DeclarationInvalid("file", f"{path.name} is not there, or is not UTF-8 text") from None


@cache
def _load_packaged() -> Declaration:
    return parse(read())


def parse(text: str) -> Declaration:
    """Check and freeze the YAML text of a declaration."""
    try:
        raw = yaml.load(text, _Strict)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DeclarationInvalid(f"line {mark.line + 1}" if mark else "file", "this is not YAML") from None
    except (RecursionError, ValueError):  # nested without end; 2025-99-99 is a timestamp to YAML
        raise DeclarationInvalid("file", "this is not YAML that can be read") from None
    top = _keys(
        raw,
        "file",
        {"version", "partitions", "replication", "tenants", "tax_items", "topics", "principals", "routes"},
        {"generation", "earlier", "growing"},
    )
    if _number(top["version"], "version", 0, 1_000) != 1:
        raise DeclarationInvalid("version", "this version of eltax-hub reads version 1")
    replication = _keys(top["replication"], "replication", {"factor", "min_in_sync"})
    declared = Declaration(
        partitions=_number(top["partitions"], "partitions", 1, 1_000),
        replication_factor=_number(replication["factor"], "replication.factor", 1, 16),
        min_in_sync=_number(replication["min_in_sync"], "replication.min_in_sync", 1, 16),
        tenants=tuple(_tenant(row, f"tenants[{i}]") for i, row in enumerate(_list(top["tenants"], "tenants"))),
        tax_items=tuple(_text(item, f"tax_items[{i}]") for i, item in enumerate(_list(top["tax_items"], "tax_items"))),
        topics={key: _topic(key, row) for key, row in _mapping(top["topics"], "topics").items()},
        principals=tuple(_principal(name, row) for name, row in _mapping(top["principals"], "principals").items()),
        routes=tuple(_route(row, f"routes[{i}]") for i, row in enumerate(_list(top["routes"], "routes"))),
        generation=_number(top.get("generation", 1), "generation", 1, MAX_GENERATION),
        earlier=tuple(
            _generation(row, f"earlier[{i}]") for i, row in enumerate(_list(top.get("earlier", []), "earlier"))
        ),
        growing=_flag(top.get("growing", False), "growing"),
    )
    check(declared)
    return declared


def _tenant(raw: object, path: str) -> Tenant:
    row = _keys(raw, path, {"code", "name", "name_en", "artificial"})
    code = _text(row["code"], f"{path}.code")
    if not re.fullmatch(r"[0-9]{6}", code) or municipality_check_digit(code[:5]) != int(code[5]):
        raise DeclarationInvalid(f"{path}.code", "not a 6-digit 団体コード with its check digit")
    artificial = _flag(row["artificial"], f"{path}.artificial")
    return Tenant(code, _text(row["name"], f"{path}.name"), _text(row["name_en"], f"{path}.name_en"), artificial)


def _generation(raw: object, path: str) -> Generation:
    row = _keys(raw, path, {"generation", "partitions"})
    return Generation(
        _number(row["generation"], f"{path}.generation", 1, MAX_GENERATION),
        _number(row["partitions"], f"{path}.partitions", 1, 1_000),
    )


def _topic(key: str, raw: object) -> TopicTemplate:
    path = f"topics.{key}"
    row = _keys(raw, path, {"name", "partitions", "max_mib"}, {"retention_hours", "compacted"})
    compacted = _flag(row.get("compacted", False), f"{path}.compacted")
    if compacted == ("retention_hours" in row):
        raise DeclarationInvalid(path, "give either retention_hours or compacted: true")
    shared = row["partitions"] == "route"
    return TopicTemplate(
        key=key,
        name=_text(row["name"], f"{path}.name"),
        partitions=None if shared else _number(row["partitions"], f"{path}.partitions", 1, 1_000),
        retention_hours=None if compacted else _number(row["retention_hours"], f"{path}.retention_hours", 1, 100_000),
        compacted=compacted,
        max_bytes=_number(row["max_mib"], f"{path}.max_mib", 1, 64) * 2**20,
    )


def _principal(name: str, raw: object) -> PrincipalTemplate:
    path = f"principals.{name}"
    optional = {
        "audience", "instances", "reads", "writes", "produces", "group", "transactional_ids",
        "dead_letters", "produce_mib_per_second", "super_user", "scrapes", "certificate_only", "mirrors",
    }  # fmt: skip
    row = _keys(raw, path, set(), optional)

    def texts(key: str) -> tuple[str, ...]:
        return tuple(_text(each, f"{path}.{key}") for each in _list(row.get(key, []), f"{path}.{key}"))

    def text(key: str) -> str | None:
        return _text(row[key], f"{path}.{key}") if key in row else None

    quota = row.get("produce_mib_per_second")
    return PrincipalTemplate(
        name=name,
        audience=text("audience"),
        instances=texts("instances") or (f"{name}-1",),
        reads=texts("reads"),
        writes=texts("writes"),
        produces=texts("produces"),
        group=text("group"),
        transactional_ids=text("transactional_ids"),
        dead_letters=_flag(row.get("dead_letters", False), f"{path}.dead_letters"),
        produce_bytes_per_second=None
        if quota is None
        else _number(quota, f"{path}.produce_mib_per_second", 1, 10_000) * 2**20,
        super_user=_flag(row.get("super_user", False), f"{path}.super_user"),
        scrapes=_flag(row.get("scrapes", False), f"{path}.scrapes"),
        certificate_only=_flag(row.get("certificate_only", False), f"{path}.certificate_only"),
        mirrors=_flag(row.get("mirrors", False), f"{path}.mirrors"),
    )


def _route(raw: object, path: str) -> RouteTemplate:
    row = _keys(raw, path, {"name", "source", "topic", "keeps"})
    keeps = row["keeps"]
    return RouteTemplate(
        _text(row["name"], f"{path}.name"),
        _text(row["source"], f"{path}.source"),
        _text(row["topic"], f"{path}.topic"),
        None if keeps is None else _text(keeps, f"{path}.keeps"),
    )


def _mapping(raw: object, path: str) -> dict[str, Any]:
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise DeclarationInvalid(path, "a mapping is expected")
    return raw


def _keys(raw: object, path: str, required: set[str], optional: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    row = _mapping(raw, path)
    if unknown := sorted(row.keys() - required - optional):
        raise DeclarationInvalid(f"{path}.{unknown[0]}", "unknown key")
    if missing := sorted(required - row.keys()):
        raise DeclarationInvalid(f"{path}.{missing[0]}", "missing")
    return row


def _list(raw: object, path: str) -> list[Any]:
    if not isinstance(raw, list):
        raise DeclarationInvalid(path, "a list is expected")
    return raw


def _text(raw: object, path: str) -> str:
    if not isinstance(raw, str) or not raw or len(raw) > 200:
        raise DeclarationInvalid(path, "a text of 1 to 200 characters is expected (numbers in quotes)")
    return raw


def _flag(raw: object, path: str) -> bool:
    if not isinstance(raw, bool):
        raise DeclarationInvalid(path, "true or false, without quotes")
    return raw


def _number(raw: object, path: str, least: int, most: int) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
        raise DeclarationInvalid(path, f"a whole number of {least} to {most} is expected")
    return raw
