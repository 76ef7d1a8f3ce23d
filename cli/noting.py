"""Notes what a person does with a command before it is done: who, from where, with what; and once more if it failed.

with noted(role, "review show") as notes:
    notes.note(Kind.VIEWED, receipt=number)   # on the disk, signed, or `Unlogged` and nothing is shown
    show(...)
"""

from __future__ import annotations

import getpass
import os
import pwd
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hub.envelope.names import is_tenant
from hub.envelope.operations import Kind, Operation, fingerprint
from hub.operations.errors import Unlogged
from hub.operations.spool import Spool
from schemas.errors import HubError

if TYPE_CHECKING:
    from hub.operations.spool import Signer
    from hub.role import Role

SEND_SECONDS: Final = 3.0
"""how long a command waits for Kafka at its end; what it could not send waits on the disk"""
NOWHERE: Final = "127.0.0.1:1"
"""the brokers' address while no hub runs here"""


@dataclass(frozen=True, slots=True)
class Person:
    """Who uses a command: the account that they go by, and where from."""

    account: str
    address: str

    @classmethod
    def here(cls, by: str | None = None, environment: Mapping[str, str] = os.environ) -> Person:
        """Whoever runs this process. An account that is not the login's own has the login beside the address."""
        login = _login()
        account = by or _named(login)
        remote = environment.get("SSH_CONNECTION", "").split(" ")[0]
        where = remote or socket.gethostname()
        return cls(account, where if account == login else f"{login}@{where}")


def _login() -> str:
    """The account that the kernel knows; nobody chooses it by a variable."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def _named(login: str) -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return login


class Notes:
    """The log of one role, while one person uses one command."""

    def __init__(self, spool: Spool, who: Person, command: str, tenant: str = "") -> None:
        """`command` is what `about` says; `tenant` a municipality code or nothing."""
        self._spool = spool
        self._who = who
        self._command = command
        self._tenant = tenant

    def note(
        self, kind: Kind, *, receipt: str = "", outcome: str = "ok", about: str = "", code: str = "", count: int = 1
    ) -> None:
        """Write one line, durably. `receipt` is a number (or what was asked for in its place). Raises Unlogged."""
        self._spool.note(self._line(kind, receipt, outcome, about, code, count))

    def tell(self, kind: Kind, *, outcome: str = "ok", about: str = "", code: str = "") -> None:
        """Write one line if it can be written: for what must be possible whatever the disk is like."""
        with suppress(Unlogged):
            self._spool.tell([self._line(kind, "", outcome, about, code, 1)])

    @contextmanager
    def attempt(
        self, kind: Kind, *, receipt: str = "", about: str = "", code: str = "", count: int = 1
    ) -> Iterator[None]:
        """Note what is going to be done; once more, with an error's code, if it then fails. Raises Unlogged first."""
        self.note(kind, receipt=receipt, about=about, code=code, count=count)
        try:
            yield
        except Exception as error:
            outcome = error.code if isinstance(error, HubError) else type(error).__name__
            with suppress(Unlogged):  # it failed anyway, and the line before it stands
                self.note(kind, receipt=receipt, outcome=outcome, about=about, code=code, count=0)
            raise

    def key_used(self, audience: str, epoch: int) -> None:
        """Note that a private key is about to be read. Raises Unlogged."""
        self.note(Kind.KEY_USED, about=audience, code=str(epoch))

    def _line(self, kind: Kind, receipt: str, outcome: str, about: str, code: str, count: int) -> Operation:
        return Operation(
            kind,
            datetime.now(UTC),
            outcome,
            self._who.account,
            self._who.address,
            self._tenant,
            fingerprint(receipt.encode("utf-8", "replace").decode()) if receipt else "",
            about or self._command,
            code,
            count,
        )


def notes_of(role: Signer, command: str, by: str | None = None, spool: Spool | None = None) -> Notes:
    """Return the log of a role for whoever runs this process."""
    tenant = role.principal.rpartition("-")[2]
    return Notes(spool or Spool(role), Person.here(by), command, tenant if is_tenant(tenant) else "")


@contextmanager
def noted(role: Role, command: str, by: str | None = None) -> Iterator[Notes]:
    """The log of a role within a command; at the end what waits is sent, if no process of the role does that."""
    spool = Spool(role)
    try:
        yield notes_of(role, command, by, spool)
    finally:
        with suppress(HubError):
            send_waiting(role, spool)
        spool.close()


def send_waiting(role: Role, spool: Spool) -> None:
    """Send what waits, unless no hub runs, another process of the role sends, or the brokers do not answer soon."""
    import asyncio

    from hub.facts import ignore
    from hub.loop import loop_run
    from hub.operations.sender import SendingLock
    from monitoring.operations.of_process import sender_of

    lock = SendingLock(role.state_directory)
    if role.bootstrap == NOWHERE or not spool.waiting().lines or not lock.take():
        return
    lock.release()

    async def send() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(sender_of(role, spool, ignore).drain(), SEND_SECONDS)

    loop_run(send())
