"""How the commands for people find the role directories of this machine and open one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.home import Home, NoHub
from schemas.errors import HubError

if TYPE_CHECKING:
    from hub.role import Role


class NotEnrolled(HubError):
    """There is no such role in this home."""

    code = "cli.not-enrolled"
    hint = "`eltax-hub keys list` shows the roles of HUB_HOME."


def the_home() -> Home:
    """HUB_HOME, `.hub` by default."""
    from hub.settings import HomeSettings

    return Home(HomeSettings().home.resolve())


def open_role(home: Home, principal: str) -> Role:
    """Load a role of this home; the brokers' address is that of the hub that runs here, if one does.

    Raises NotEnrolled, RoleIncomplete, RoleForeign.
    """
    from cli.noting import NOWHERE
    from hub.role import load_role
    from hub.settings import HomeSettings, RoleSettings

    if not home.role(principal).is_dir():
        raise NotEnrolled(f"{principal} in {home.path}")
    settings = HomeSettings()
    namespace, partitions, bootstrap = settings.namespace, settings.partitions, NOWHERE
    try:
        running = home.running()
    except NoHub:
        pass
    else:
        namespace, partitions, bootstrap = running.namespace, running.partitions, running.bootstrap
    return load_role(
        RoleSettings(
            role_dir=home.role(principal),
            bootstrap=bootstrap,
            namespace=namespace,
            partitions=partitions,
            topics_file=home.declared_in(settings.topics_file),
        )
    )


def desks(home: Home, kind: str, tenant: str | None) -> list[str]:
    """The principals of one kind of desk that have a store here; one tenant's, or all.

    Raises NotEnrolled if there is none.
    """
    found = [
        name
        for name in home.roles(f"{kind}-")
        if (home.role(name) / "state" / "store.db").exists() and tenant in (None, name.rpartition("-")[2])
    ]
    if not found:
        raise NotEnrolled(f"{kind} {tenant or ''} in {home.path}")
    return found
