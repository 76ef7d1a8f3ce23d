"""Runs the portal end for one call of `submit`: as a role process of its own, or within the hub of this home."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from cli.people import open_role, the_home
from cli.process_frame import Frame, framed, renewing
from hub.facts import Lifecycle
from hub.loop import loop_run
from hub.reading.control import kept_current
from hub.role import Role, load_role
from hub.settings import RoleSettings
from hub.standing import RoleGrown
from monitoring.hooks import install_hooks
from monitoring.logs import configure
from portal.files import chunks, submit_documents
from portal.producer import PortalProducer
from portal.results import Result
from schemas.errors import HubError

PORTAL = "portal"
_LOOK_SECONDS = 0.2
_BEGUN, _ENDED = "begun", "ended"


def portal_role() -> Role:
    """The role of this process: HUB_ROLE_DIR if it is set, else the portal of the hub that runs in HUB_HOME."""
    if "HUB_ROLE_DIR" in os.environ:
        return load_role(RoleSettings.from_environment())
    home = the_home()
    home.running()
    return open_role(home, PORTAL)


def run_submit(files: Iterable[tuple[str, Iterable[bytes] | None]], show: Callable[[Result], None]) -> None:
    """Submit all documents of all files and show each answer as it comes; while topics grow, wait first.

    Raises HubError.
    """
    begun: list[str] = []
    while True:
        try:
            return _run(files, show, begun)
        except RoleGrown:
            if _ENDED in begun:
                return None
            if begun:  # some were read: the same once more, and what was accepted is answered as duplicate
                raise


def _run(files: Iterable[tuple[str, Iterable[bytes] | None]], show: Callable[[Result], None], begun: list[str]) -> None:
    role = portal_role()
    log = role.directory / "state" / "portal.jsonl"
    configured = configure(principal=role.principal, instance=role.instance, file=log)
    install_hooks()
    told = {"bootstrap": role.bootstrap, "instance": role.instance, "namespace": role.namespace}
    try:
        port = int(os.environ.get("HUB_METRICS_PORT", "0"))
        with framed(role, frozenset({"journal"}), told, port=port) as frame:
            loop_run(_submit(role, frame, files, show, begun))
    finally:
        configured.close()


async def _submit(
    role: Role,
    frame: Frame,
    files: Iterable[tuple[str, Iterable[bytes] | None]],
    show: Callable[[Result], None],
    begun: list[str],
) -> None:
    observer, stop = frame.observer, asyncio.Event()

    async def work() -> None:
        while role.holds_back():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
                return  # the next generation is there, and we are of the one before
        begun.append(_BEGUN)
        async with PortalProducer(role, observer) as portal:
            for name, pieces in files:
                source = chunks(Path(name)) if pieces is None else pieces
                async for answered in submit_documents(portal, source, name):
                    show(answered.result)
        begun.append(_ENDED)

    async with frame.operations.sending(observer):
        observer(Lifecycle("started", {"command": "submit"}))
        certificates = asyncio.create_task(renewing(), name="certificates")
        try:
            await kept_current(role, observer, stop, work)
        except HubError as error:
            observer(Lifecycle("failed", {"command": "submit", "code": error.code}))
            raise
        finally:
            certificates.cancel()
        observer(Lifecycle("stopped", {"command": "submit"}))
