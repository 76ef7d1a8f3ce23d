"""The names of topics: `<namespace>.<dataset>` and `<namespace>.<tenant>.<dataset>`."""

from __future__ import annotations


def submissions(namespace: str) -> str:
    """Sealed submissions of all tenants."""
    return f"{namespace}.submissions"


def sessions(namespace: str) -> str:
    """Sessions and closes of portals."""
    return f"{namespace}.sessions"


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


def dead_letters(namespace: str, principal: str) -> str:
    """The dead letters of one writer."""
    return f"{namespace}.dead-letters.{principal}"


def resolutions(namespace: str) -> str:
    """What the operator did with dead letters; one partition, one writer."""
    return f"{namespace}.resolutions"


def of_tenant(namespace: str, tenant: str, dataset: str) -> str:
    """A dataset of one tenant: review, helpdesk, audit, status, accepted, sessions."""
    return f"{namespace}.{tenant}.{dataset}"


def review(namespace: str, tenant: str) -> str:
    """Routed copies for the review desk."""
    return of_tenant(namespace, tenant, "review")


def helpdesk(namespace: str, tenant: str) -> str:
    """Routed copies for the helpdesk."""
    return of_tenant(namespace, tenant, "helpdesk")


def audit(namespace: str, tenant: str) -> str:
    """Routed copies without ciphertext."""
    return of_tenant(namespace, tenant, "audit")


def status(namespace: str, tenant: str) -> str:
    """Receipts and decisions of the desk."""
    return of_tenant(namespace, tenant, "status")


def accepted(namespace: str, tenant: str) -> str:
    """Accepted submissions for tax systems."""
    return of_tenant(namespace, tenant, "accepted")


def endpoint_host(principal: str) -> str:
    """The name that the certificate of a process's own endpoint bears: no host's, so that it is no broker's either."""
    return f"{principal}.role.eltax-hub.invalid"


def desk_sessions(namespace: str, tenant: str) -> str:
    """Sessions and closes of a desk."""
    return of_tenant(namespace, tenant, "sessions")
