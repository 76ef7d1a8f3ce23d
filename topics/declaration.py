"""Reads the declaration and checks it whole; what it returns is frozen and consistent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from topics.errors import DeclarationInvalid

PACKAGED: Final = Path(__file__).with_name("declaration.yaml")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]*(\{(T|tax_item)\}[a-z0-9-]*)*")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A municipality: its 6-digit code with check digit, its names, and whether it is made up for trials."""

    code: str
    name: str
    name_en: str
    artificial: bool


@dataclass(frozen=True, slots=True)
class TopicTemplate:
    """A topic as declared: name with placeholders, partitions (None: the route's), retention, record limit."""

    key: str
    name: str
    partitions: int | None
    retention_hours: int | None
    compacted: bool
    max_bytes: int

    @property
    def per_tenant(self) -> bool:
        """Whether there is one for each tenant."""
        return "{T}" in self.name


@dataclass(frozen=True, slots=True)
class PrincipalTemplate:
    """A kind of principal as declared; topics are named by their keys."""

    name: str
    audience: str | None
    instances: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    produces: tuple[str, ...]
    group: str | None
    transactional_ids: str | None
    dead_letters: bool
    produce_bytes_per_second: int | None
    super_user: bool


@dataclass(frozen=True, slots=True)
class RouteTemplate:
    """From a source topic to a tenant's topic, keeping one audience's ciphertext, or none."""

    name: str
    source: str
    topic: str
    keeps: str | None


@dataclass(frozen=True, slots=True)
class Declaration:
    """Everything declared, still without a namespace."""

    partitions: int
    replication_factor: int
    min_in_sync: int
    tenants: tuple[Tenant, ...]
    tax_items: tuple[str, ...]
    topics: Mapping[str, TopicTemplate]
    principals: tuple[PrincipalTemplate, ...]
    routes: tuple[RouteTemplate, ...]


def municipality_check_digit(first_five: str) -> int:
    """The 6th digit of a 全国地方公共団体コード (weights 6 to 2, 11 minus remainder, last digit)."""
    total = sum(int(digit) * weight for digit, weight in zip(first_five, (6, 5, 4, 3, 2), strict=True))
    return (11 - total % 11) % 10


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice; YAML would keep the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=deep)
            if name in seen:
                raise DeclarationInvalid(f"line {key.start_mark.line + 1}", f"the key {name!r} stands twice")
            seen.add(name)
        return super().construct_mapping(node, deep)


def load(path: Path | None = None) -> Declaration:
    """Load a declaration file (default: the packaged one). Raises DeclarationInvalid with the place."""
    return _load_packaged() if path is None else parse(path.read_text(encoding="utf-8"))


@cache
def _load_packaged() -> Declaration:
    return parse(PACKAGED.read_text(encoding="utf-8"))


def parse(text: str) -> Declaration:
    """Check and freeze the YAML text of a declaration."""
    try:
        raw = yaml.load(text, _Strict)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DeclarationInvalid(f"line {mark.line + 1}" if mark else "file", "this is not YAML") from None
    top = _keys(
        raw,
        "file",
        {"version", "partitions", "replication", "tenants", "tax_items", "topics", "principals", "routes"},
    )
    if top["version"] != 1:
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
    )
    _check(declared)
    return declared


def _tenant(raw: object, path: str) -> Tenant:
    row = _keys(raw, path, {"code", "name", "name_en", "artificial"})
    code = _text(row["code"], f"{path}.code")
    if not re.fullmatch(r"[0-9]{6}", code) or municipality_check_digit(code[:5]) != int(code[5]):
        raise DeclarationInvalid(f"{path}.code", "not a 6-digit 団体コード with its check digit")
    if not isinstance(row["artificial"], bool):
        raise DeclarationInvalid(f"{path}.artificial", "true or false")
    return Tenant(code, _text(row["name"], f"{path}.name"), _text(row["name_en"], f"{path}.name_en"), row["artificial"])


def _topic(key: str, raw: object) -> TopicTemplate:
    path = f"topics.{key}"
    row = _keys(raw, path, {"name", "partitions", "max_mib"}, {"retention_hours", "compacted"})
    compacted = bool(row.get("compacted", False))
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
    if not _NAME.fullmatch(name):
        raise DeclarationInvalid(path, "lower-case letters, digits, hyphens, {T} and {tax_item}")
    optional = {
        "audience", "instances", "reads", "writes", "produces", "group", "transactional_ids",
        "dead_letters", "produce_mib_per_second", "super_user",
    }  # fmt: skip
    row = _keys(raw, path, set(), optional)

    def texts(key: str) -> tuple[str, ...]:
        return tuple(_text(each, f"{path}.{key}") for each in _list(row.get(key, []), f"{path}.{key}"))

    quota = row.get("produce_mib_per_second")
    return PrincipalTemplate(
        name=name,
        audience=row.get("audience"),
        instances=texts("instances") or (f"{name}-1",),
        reads=texts("reads"),
        writes=texts("writes"),
        produces=texts("produces"),
        group=row.get("group"),
        transactional_ids=row.get("transactional_ids"),
        dead_letters=bool(row.get("dead_letters", False)),
        produce_bytes_per_second=None
        if quota is None
        else _number(quota, f"{path}.produce_mib_per_second", 1, 10_000) * 2**20,
        super_user=bool(row.get("super_user", False)),
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


def _check(declared: Declaration) -> None:
    codes = [tenant.code for tenant in declared.tenants]
    if not codes or len(set(codes)) != len(codes):
        raise DeclarationInvalid("tenants", "at least one, and no code twice")
    if declared.min_in_sync > declared.replication_factor:
        raise DeclarationInvalid("replication.min_in_sync", "more than there are copies")
    known = {principal.audience for principal in declared.principals}
    for principal in declared.principals:
        for key in ("reads", "writes", "produces"):
            for topic in getattr(principal, key):
                if topic not in declared.topics:
                    raise DeclarationInvalid(f"principals.{principal.name}.{key}", f"no topic {topic!r} is declared")
        if set(principal.produces) - set(principal.writes):
            raise DeclarationInvalid(f"principals.{principal.name}.produces", "more than it may write")
    for i, route in enumerate(declared.routes):
        for key in (route.source, route.topic):
            if key not in declared.topics:
                raise DeclarationInvalid(f"routes[{i}]", f"no topic {key!r} is declared")
            if declared.topics[key].partitions is not None:
                raise DeclarationInvalid(f"topics.{key}.partitions", "all topics of a route share its number: `route`")
        if not declared.topics[route.topic].per_tenant:
            raise DeclarationInvalid(f"routes[{i}].topic", "an output belongs to one tenant: {T} in its name")
        if route.keeps is not None and route.keeps not in known:
            raise DeclarationInvalid(f"routes[{i}].keeps", f"no principal has the audience {route.keeps!r}")
    _check_retention(declared)


def _check_retention(declared: Declaration) -> None:
    """A session must be there for as long as an event of it may have to be judged (docs/envelope.md, Trust)."""
    hours = {key: topic.retention_hours or 0 for key, topic in declared.topics.items()}
    events = max(hours.get(route.topic, 0) for route in declared.routes)
    for key in ("sessions", "desk-sessions"):
        if key in hours and hours[key] <= events + hours.get("dead-letters", 0) + 48:
            raise DeclarationInvalid(f"topics.{key}.retention_hours", "must exceed events + dead letters + 48")


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


def _number(raw: object, path: str, least: int, most: int) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
        raise DeclarationInvalid(path, f"a whole number of {least} to {most} is expected")
    return raw
