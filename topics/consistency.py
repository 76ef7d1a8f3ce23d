"""Whether the parts of a declaration agree with each other: names, rights, routes, sizes, retention.

The types of single values are judged where the file is read (`topics.declaration`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from topics.errors import DeclarationInvalid
from topics.templates import Declaration, Generation, PrincipalTemplate

_PLAIN: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PRINCIPAL: Final = re.compile(r"[a-z][a-z0-9]*(-([a-z0-9]+|\{T\}|\{tax_item\}))*")
_TOPIC: Final = re.compile(r"\{ns\}(\.([a-z][a-z0-9]*(-[a-z0-9]+)*|\{T\}|\{principal\}))+")
_LIKE_GENERATION: Final = re.compile(r"g[0-9]+")
_PLACEHOLDER: Final = re.compile(r"\{[^}]*\}")
_NEEDED: Final = (
    "submissions",
    "sessions",
    "desk-sessions",
    "audiences",
    "control",
    "operations",
    "dead-letters",
    "resolutions",
)


def check(declared: Declaration) -> None:
    """Raise DeclarationInvalid at the first place that does not agree."""
    codes = [tenant.code for tenant in declared.tenants]
    if not codes or len(set(codes)) != len(codes):
        raise DeclarationInvalid("tenants", "at least one, and no code twice")
    if declared.min_in_sync > declared.replication_factor:
        raise DeclarationInvalid("replication.min_in_sync", "more than there are copies")
    for i, item in enumerate(declared.tax_items):
        _plain(item, f"tax_items[{i}]")
        _once(item, declared.tax_items[:i], f"tax_items[{i}]")
    _generations(declared)
    _topics(declared)
    for principal in declared.principals:
        _principal(principal, declared)
    _shared_names(declared.principals)
    _routes(declared)
    _retention(declared)


def _plain(text: str, path: str) -> None:
    if not _PLAIN.fullmatch(text):
        raise DeclarationInvalid(path, "lower-case letters, digits and single hyphens")


def _once(text: str, before: Sequence[str], path: str) -> None:
    if text in before:
        raise DeclarationInvalid(path, f"{text!r} stands twice")


def _generations(declared: Declaration) -> None:
    """Each has more partitions than the one before, or nothing would have been gained by it."""
    before = 0
    for i, each in enumerate((*declared.earlier, Generation(declared.generation, declared.partitions))):
        path = f"earlier[{i}]" if i < len(declared.earlier) else "generation"
        if i and each.number <= declared.earlier[i - 1].number:
            raise DeclarationInvalid(path, "ascending, and all before the present generation")
        if each.partitions <= before:
            raise DeclarationInvalid(f"{path}.partitions" if i < len(declared.earlier) else "partitions", "must grow")
        before = each.partitions


def _topics(declared: Declaration) -> None:
    for key in _NEEDED:
        if key not in declared.topics:
            raise DeclarationInvalid(f"topics.{key}", "missing")
    names: list[str] = []
    for key, topic in declared.topics.items():
        path = f"topics.{key}.name"
        _plain(key, f"topics.{key}")
        if not _TOPIC.fullmatch(topic.name):
            raise DeclarationInvalid(path, "{ns}, then lower-case words, {T} or {principal}, with dots between")
        if ("{principal}" in topic.name) != (key == "dead-letters") or topic.name.count("{T}") > 1:
            raise DeclarationInvalid(path, "{T} at most once; {principal} in that of dead letters, and only there")
        if any(_LIKE_GENERATION.fullmatch(part) for part in topic.name.split(".")):
            raise DeclarationInvalid(path, "g with a number is how generations are named")
        _once(topic.name, names, path)
        names.append(topic.name)
    most = max(topic.max_bytes for key, topic in declared.topics.items() if key != "dead-letters")
    if declared.topics["dead-letters"].max_bytes < 2 * most:  # docs/envelope.md, Dead letters
        raise DeclarationInvalid("topics.dead-letters.max_mib", "at least twice the largest of the other topics")


def _principal(principal: PrincipalTemplate, declared: Declaration) -> None:
    path = f"principals.{principal.name}"
    own = _PLACEHOLDER.findall(principal.name)
    if not _PRINCIPAL.fullmatch(principal.name) or len(set(own)) != len(own):
        raise DeclarationInvalid(path, "lower-case letters, digits, hyphens, {T} and {tax_item}, each once")
    for key in ("reads", "writes", "produces"):
        topics: tuple[str, ...] = getattr(principal, key)
        for i, topic in enumerate(topics):
            if topic not in declared.topics:
                raise DeclarationInvalid(f"{path}.{key}", f"no topic {topic!r} is declared")
            _once(topic, topics[:i], f"{path}.{key}")
    if set(principal.produces) - set(principal.writes):
        raise DeclarationInvalid(f"{path}.produces", "more than it may write")
    for i, instance in enumerate(principal.instances):
        _once(instance, principal.instances[:i], f"{path}.instances")
    if principal.audience is not None:
        if not _PRINCIPAL.fullmatch(principal.audience):
            raise DeclarationInvalid(f"{path}.audience", "lower-case letters, digits, hyphens, {T} and {tax_item}")
        if sorted(_PLACEHOLDER.findall(principal.audience)) != sorted(own):
            raise DeclarationInvalid(f"{path}.audience", "the same placeholders as the principal: one key, one owner")
    for key in ("group", "transactional_ids"):
        text: str | None = getattr(principal, key)
        if text is not None and (not text.startswith("{ns}.") or sorted(_PLACEHOLDER.findall(text)) != ["{ns}"]):
            raise DeclarationInvalid(f"{path}.{key}", "begins with {ns}. and has no other placeholder")
        if text is not None and own:
            raise DeclarationInvalid(f"{path}.{key}", "only for a principal that there is once")
    if principal.super_user and (principal.reads or principal.writes or principal.audience or principal.group):
        raise DeclarationInvalid(f"{path}.super_user", "it may do everything and opens nothing: declare nothing else")
    if principal.certificate_only and principal != PrincipalTemplate.only_scrapes(principal.name, principal.instances):
        raise DeclarationInvalid(f"{path}.certificate_only", "it scrapes, holds no key and has no right: nothing else")
    if principal.mirrors and (own or principal != PrincipalTemplate.only_mirrors(principal.name, principal.instances)):
        raise DeclarationInvalid(
            f"{path}.mirrors", "it copies topics and holds no key: nothing else, and no placeholder"
        )


def _shared_names(principals: Sequence[PrincipalTemplate]) -> None:
    """An audience's key, a group and transactional ids belong to one principal; there is one mirror at most."""
    mirrors = [principal.name for principal in principals if principal.mirrors]
    if len(mirrors) > 1:
        raise DeclarationInvalid(f"principals.{mirrors[1]}.mirrors", "one mirror is enough")
    for key in ("audience", "group", "transactional_ids"):
        seen: list[str] = []
        for principal in principals:
            text: str | None = getattr(principal, key)
            if text is not None:
                _once(text, seen, f"principals.{principal.name}.{key}")
                seen.append(text)


def _routes(declared: Declaration) -> None:
    if not declared.routes:
        raise DeclarationInvalid("routes", "at least one")
    known = {principal.audience for principal in declared.principals}
    names: list[str] = []
    outputs: list[str] = []
    for i, route in enumerate(declared.routes):
        path = f"routes[{i}]"
        _plain(route.name, f"{path}.name")
        _once(route.name, names, f"{path}.name")
        for key in (route.source, route.topic):
            if key not in declared.topics:
                raise DeclarationInvalid(path, f"no topic {key!r} is declared")
            if declared.topics[key].partitions is not None:
                raise DeclarationInvalid(f"topics.{key}.partitions", "all topics of a route share its number: `route`")
        source, topic = declared.topics[route.source], declared.topics[route.topic]
        if source.per_tenant or route.source == "dead-letters":
            raise DeclarationInvalid(f"{path}.source", "one topic for all tenants")
        if not topic.per_tenant:
            raise DeclarationInvalid(f"{path}.topic", "an output belongs to one tenant: {T} in its name")
        _once(route.topic, outputs, f"{path}.topic")
        if topic.max_bytes < source.max_bytes:
            raise DeclarationInvalid(f"topics.{route.topic}.max_mib", "an output must take what its source takes")
        if route.keeps is not None and route.keeps not in known:
            raise DeclarationInvalid(f"{path}.keeps", f"no principal has the audience {route.keeps!r}")
        names.append(route.name)
        outputs.append(route.topic)


def _retention(declared: Declaration) -> None:
    """A session must be there for as long as an event of it may have to be judged (docs/envelope.md, Trust)."""
    hours = {key: topic.retention_hours or 0 for key, topic in declared.topics.items()}
    events = max(hours[key] for route in declared.routes for key in (route.source, route.topic))
    for key in ("sessions", "desk-sessions"):
        if declared.topics[key].compacted or hours[key] <= events + hours["dead-letters"] + 48:
            raise DeclarationInvalid(f"topics.{key}.retention_hours", "must exceed events + dead letters + 48")
    resolutions = declared.topics["resolutions"]
    if resolutions.compacted or hours["resolutions"] <= hours["dead-letters"] + 48:  # or a letter would open again
        raise DeclarationInvalid("topics.resolutions.retention_hours", "must exceed dead letters + 48")
    if resolutions.partitions != 1 or resolutions.per_tenant:
        raise DeclarationInvalid(
            "topics.resolutions.partitions", "one, for all tenants: its order says what came first"
        )
    if not declared.topics["audiences"].compacted:
        raise DeclarationInvalid("topics.audiences", "compacted: an audience's key stays as long as its epoch")
    if not declared.topics["control"].compacted or declared.topics["control"].per_tenant:
        raise DeclarationInvalid("topics.control", "one for all, compacted: the newest trust list stays")
