"""The second job: what the brokers and the registry must hold before a role starts. It is done again at every start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hub.applying import Applied, Wanted, admin_endpoint, apply, last_applied
from hub.crypto.certificates import CertificateAuthority
from schemas.errors import HubError
from topics.plan import tenants_removed


class NotSetUp(HubError):
    """The brokers did not take on the declared topology."""

    code = "deploy.topology"
    hint = "`eltax-hub topics plan` shows what is left; the job may be run again."


def settle(home: Path, wanted: Wanted, bootstrap: str, tell: Callable[[str], None]) -> Wanted:
    """Make the declaration hold on the brokers, unless it takes a tenant away; return what holds now.

    Only a person takes a tenant away, by `topics apply`. Raises NotSetUp, TransportError and what `apply` raises.
    """
    applied = last_applied(home)
    removed = () if applied is None else tenants_removed(applied.topology, wanted.topology)
    if applied is not None and removed:
        codes = ", ".join(each.code for each in removed)
        tell(f"{codes} declared no more, still served: `eltax-hub topics plan` shows what `apply` would do")
        wanted = applied
    authority = CertificateAuthority.load(home / "authority")
    done: Applied = asyncio.run(
        apply(home, wanted, authority, admin_endpoint(home, bootstrap), lambda: datetime.now(UTC))
    )
    if not done.left.empty:
        raise NotSetUp(f"{len(done.left.steps)} steps")
    tell(f"{len(done.plan.steps)} steps done; trust list {done.trust_serial}, declaration {done.declaration_serial}")
    return wanted
