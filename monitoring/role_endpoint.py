"""The endpoint of a role's own process: which certificate it shows, and whom it admits."""

from __future__ import annotations

from hub.enrolment import ENDPOINT
from hub.role import Role, RoleIncomplete
from monitoring.endpoint import EndpointTls


def tls_of(role: Role) -> EndpointTls:
    """Return what a role's endpoint needs; RoleIncomplete if its directory lacks the endpoint's certificate.

    Admitted is who the declaration that holds now says scrapes, and the super user; but nobody all of whose
    identity keys the trust list revokes: who is shut out sees no metrics either. The role itself may ask how it is.
    """
    directory = role.directory / ENDPOINT
    certificate, key = directory / f"{role.principal}.crt", directory / f"{role.principal}.key"
    if not certificate.is_file() or not key.is_file():
        raise RoleIncomplete(f"{role.directory} ({ENDPOINT}/{certificate.name})")

    def admitted() -> frozenset[str]:
        known = role.trust.principals
        return frozenset(
            name
            for name in role.topology.scrapers
            if name not in known or any(each.revoked_at is None for each in known[name].identities)
        )

    return EndpointTls(certificate, key, role.tls.ca, admitted, own=role.principal)
