"""Asks witnesses to cosign a checkpoint before it is published (C2SP tlog-witness, "add-checkpoint").

All are asked at once, and none longer than a limit: a witness that is away, slow or hostile costs the log a
few seconds and a fact. One that saw a longer log, or another, is an alarm: either it is wrong, or our
database was rolled back.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final
from urllib.parse import urlsplit

from hub.crypto.checkpoints import read_decimal
from hub.crypto.notes import (
    Note,
    NoteMalformed,
    NoteSignature,
    VerifierKey,
    read_lines,
    to_base64,
)
from hub.crypto.tiles import TiledTree, TilesDamaged
from hub.facts import Alarm, Observer, WitnessAnswered
from schemas.errors import HubError

ANSWER_SECONDS: Final = 8.0
PAUSE_SECONDS: Final = 30.0
MAX_WITNESSES: Final = 16
_MAX_ANSWER_BYTES: Final = 64 * 1024
_SIZE_TYPE: Final = "text/x.tlog.size"

COSIGNED: Final = "cosigned"
UNREACHABLE: Final = "unreachable"
REFUSED: Final = "refused"
INVALID: Final = "invalid"
CONTRADICTS: Final = "contradicts"


class WitnessesMalformed(HubError):
    """The file of witnesses is not one `URL vkey` a line."""

    code: ClassVar[str] = "witnesses.malformed"
    hint: ClassVar[str] = "A line is an http or https address, a space, and the vkey that `witness init` printed."


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """Where a witness is asked, and the public key of its cosignatures."""

    url: str
    key: VerifierKey


def read_witnesses(text: str) -> tuple[WitnessAddress, ...]:
    """Read the file of witnesses; lines that begin with # are remarks. Raises WitnessesMalformed."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split()
        try:
            url = urlsplit(parts[0])
            key = VerifierKey.parse(parts[1])
            good = len(parts) == 2 and url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except (ValueError, IndexError, NoteMalformed):
            good = False
        if not good or not key.kind.cosigns or url.query or url.fragment or url.username:
            raise WitnessesMalformed(f"(line {number})")
        found.append(WitnessAddress(parts[0].rstrip("/"), key))
    if len(found) > MAX_WITNESSES or len({each.key for each in found}) != len(found):
        raise WitnessesMalformed("(too many, or one twice)")
    return tuple(found)


@dataclass(slots=True)
class _Known:
    """What we remember of a witness: the size it cosigned last, and until when it is left alone."""

    size: int = 0
    quiet_until: float = 0.0
    code: str = COSIGNED


@dataclass(slots=True)
class _Call:
    """One witness being asked, in a thread of its own."""

    address: WitnessAddress
    note: Note
    tree: TiledTree
    size: int
    seconds: float
    code: str = UNREACHABLE
    signature: NoteSignature | None = None
    connection: http.client.HTTPConnection | None = None
    thread: threading.Thread = field(default_factory=threading.Thread)

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, name="witness-call", daemon=True)
        self.thread.start()

    def abort(self) -> None:
        """End a call that takes too long; its thread ends with the connection."""
        connection = self.connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _run(self) -> None:
        try:
            self._ask()
        except (OSError, http.client.HTTPException, ValueError):
            self.code = UNREACHABLE
        except (NoteMalformed, TilesDamaged):
            self.code = INVALID
        finally:
            if self.connection is not None:
                self.connection.close()

    def _ask(self) -> None:
        for _ in range(3):  # once to learn the size, and once more if somebody else was quicker
            if self.size > self.tree.size:
                self.code = CONTRADICTS
                return
            status, kind, answer = self._post()
            if status == 200:
                self._take(answer)
                return
            if status != 409:
                self.code = CONTRADICTS if status == 422 else REFUSED
                return
            size = read_decimal(answer.decode("ascii").removesuffix("\n"))
            if kind != _SIZE_TYPE or size is None or size == self.size:
                self.code = INVALID
                return
            self.size = size
        self.code = REFUSED

    def _post(self) -> tuple[int, str | None, bytes]:
        proof = self.tree.consistency(self.size) if self.size else ()
        lines = [f"old {self.size}", *(to_base64(each) for each in proof), "", ""]
        body = "\n".join(lines).encode() + self.note.encode()
        url = urlsplit(self.address.url)
        secure = url.scheme == "https"
        made = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        if self.connection is None:
            self.connection = made(url.hostname or "", url.port, timeout=self.seconds)
        self.connection.request("POST", f"{url.path}/add-checkpoint", body, {"Content-Type": "text/plain"})
        response = self.connection.getresponse()
        answer = response.read(_MAX_ANSWER_BYTES)
        if not response.isclosed():
            self.connection.close()
        return response.status, response.getheader("Content-Type"), answer

    def _take(self, answer: bytes) -> None:
        """Find our witness's line and verify it; lines of keys that we do not know are ignored."""
        for line in read_lines(answer):
            if line.names(self.address.key):
                good = self.address.key.holds(self.note.text, line.signature)
                self.signature = line if good else None
                self.code = COSIGNED if good else INVALID
                self.size = self.tree.size
                return
        self.code = INVALID


class Witnesses:
    """The witnesses of one log. Implements `consumers.audit.publishing.Cosigners`."""

    def __init__(
        self,
        addresses: Sequence[WitnessAddress],
        tenant: str,
        observer: Observer,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`tenant` labels the facts; `seconds` is the longest that one call may take."""
        self._addresses = tuple(addresses)
        self._tenant = tenant
        self._observe = observer
        self._monotonic = monotonic
        self._seconds = seconds
        self._known = {each.key: _Known() for each in self._addresses}

    def missing(self, note: Note) -> bool:
        """Say whether a witness that may be asked now has not cosigned this note."""
        return bool(self._to_ask(note))

    def _to_ask(self, note: Note) -> list[WitnessAddress]:
        now = self._monotonic()
        return [
            each
            for each in self._addresses
            if self._known[each.key].quiet_until <= now and not any(mark.names(each.key) for mark in note.signatures)
        ]

    def cosign(self, note: Note, tree: TiledTree) -> Sequence[NoteSignature]:
        """Ask all that have not cosigned; return the good cosignatures, in the order of the file."""
        own = Note(note.text, note.signatures[:1])
        calls = [
            # Each thread reads tiles through a tree of its own.
            _Call(each, own, tree.again(), self._known[each.key].size, self._seconds)
            for each in self._to_ask(note)
        ]
        for call in calls:
            call.start()
        until = time.monotonic() + self._seconds
        found = []
        for call in calls:
            call.thread.join(max(0.0, until - time.monotonic()))
            if call.thread.is_alive():
                call.abort()
                self._take(call.address, UNREACHABLE, self._known[call.address.key].size)
                continue
            self._take(call.address, call.code, call.size)
            if call.signature is not None:
                found.append(call.signature)
        return found

    def _take(self, address: WitnessAddress, code: str, size: int) -> None:
        known = self._known[address.key]
        self._observe(WitnessAnswered(self._tenant, code))
        if code == CONTRADICTS and known.code != code:
            self._observe(Alarm("witness-contradicts", f"audit-{self._tenant}"))
        known.code = code
        known.size = size if code == COSIGNED else 0
        known.quiet_until = 0.0 if code == COSIGNED else self._monotonic() + PAUSE_SECONDS
