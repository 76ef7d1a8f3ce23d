"""The names of topics: `<namespace>.<dataset>` and `<namespace>.<tenant>.<dataset>`, from generation 2 on with `.g<n>`.

The first generation bears no number; topics that have no generations are the same in all.
"""

from __future__ import annotations

import re
from typing import Final

_SUFFIX: Final = re.compile(r"\.g[0-9]+$")


def of_generation(name: str, generation: int) -> str:
    """The name of a topic in a generation, from its name in the first."""
    return name if generation == 1 else f"{name}.g{generation}"


def in_generation(name: str, generation: int) -> str:
    """The name of a topic that has generations in another one, from its name in any."""
    return of_generation(_SUFFIX.sub("", name), generation)


def submissions(namespace: str, generation: int = 1) -> str:
    """Sealed submissions of all tenants."""
    return of_generation(f"{namespace}.submissions", generation)


def sessions(namespace: str, generation: int = 1) -> str:
    """Sessions and closes of portals."""
    return of_generation(f"{namespace}.sessions", generation)


def audiences(namespace: str) -> str:
    """Audience keys, compacted."""
    return f"{namespace}.audiences"


def control(namespace: str) -> str:
    """The trust list and the declaration that hold now, compacted."""
    return f"{namespace}.control"


def operations(namespace: str) -> str:
    """What every process tells of its own doings."""
    return f"{namespace}.operations"


def analysis_marks(namespace: str) -> str:
    """Marks of lines of operations, by subject: the analysis' own."""
    return f"{namespace}.analysis-marks"


def analysis_state(namespace: str) -> str:
    """The state of the analysis' windows, compacted."""
    return f"{namespace}.analysis-state"


def dead_letters(namespace: str, principal: str, generation: int = 1) -> str:
    """The dead letters of one writer."""
    return of_generation(f"{namespace}.dead-letters.{principal}", generation)


def resolutions(namespace: str) -> str:
    """What the operator did with dead letters; one partition, one writer."""
    return f"{namespace}.resolutions"


def of_tenant(namespace: str, tenant: str, dataset: str, generation: int = 1) -> str:
    """A dataset of one tenant: review, helpdesk, audit, status, accepted, sessions."""
    return of_generation(f"{namespace}.{tenant}.{dataset}", generation)


def review(namespace: str, tenant: str, generation: int = 1) -> str:
    """Routed copies for the review desk."""
    return of_tenant(namespace, tenant, "review", generation)


def helpdesk(namespace: str, tenant: str, generation: int = 1) -> str:
    """Routed copies for the helpdesk."""
    return of_tenant(namespace, tenant, "helpdesk", generation)


def audit(namespace: str, tenant: str, generation: int = 1) -> str:
    """Routed copies without ciphertext."""
    return of_tenant(namespace, tenant, "audit", generation)


def status(namespace: str, tenant: str, generation: int = 1) -> str:
    """Receipts and decisions of the desk."""
    return of_tenant(namespace, tenant, "status", generation)


def accepted(namespace: str, tenant: str, generation: int = 1) -> str:
    """Accepted submissions for tax systems."""
    return of_tenant(namespace, tenant, "accepted", generation)


def endpoint_host(principal: str) -> str:
    """The name that the certificate of a process's own endpoint bears: no host's, so that it is no broker's either."""
    return f"{principal}.role.eltax-hub.invalid"


def desk_sessions(namespace: str, tenant: str, generation: int = 1) -> str:
    """Sessions and closes of a desk."""
    return of_tenant(namespace, tenant, "sessions", generation)
