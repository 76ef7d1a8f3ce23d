"""What a declaration holds once it is read: templates, still without a namespace. Frozen; nothing is checked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_OF_SESSIONS: Final = ("sessions", "desk-sessions")


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

    @property
    def grows(self) -> bool:
        """Whether each generation has its own: topics of the route, and the sessions that are bound to them."""
        return self.partitions is None or self.key in _OF_SESSIONS


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
    scrapes: bool = False
    certificate_only: bool = False
    mirrors: bool = False

    @classmethod
    def only_mirrors(cls, name: str, instances: tuple[str, ...]) -> PrincipalTemplate:
        """One that copies the topics to another site, and does nothing else."""
        return cls(name, None, instances, (), (), (), None, None, False, None, False, mirrors=True)

    @classmethod
    def only_scrapes(cls, name: str, instances: tuple[str, ...]) -> PrincipalTemplate:
        """One that has a certificate to scrape with, and nothing else."""
        return cls(
            name, None, instances, (), (), (), None, None, False, None, False, scrapes=True, certificate_only=True
        )


@dataclass(frozen=True, slots=True)
class RouteTemplate:
    """From a source topic to a tenant's topic, keeping one audience's ciphertext, or none."""

    name: str
    source: str
    topic: str
    keeps: str | None


@dataclass(frozen=True, slots=True, order=True)
class Generation:
    """A generation of the topics of a route: its number, from 1, and the partitions that they share."""

    number: int
    partitions: int


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
    generation: int = 1
    """of the topics that are written now"""
    earlier: tuple[Generation, ...] = ()
    """the generations before it whose topics are still there to be read, ascending"""
    growing: bool = False
    """nobody who seals begins anything new: the topics are being drained into the next generation"""
