"""The witness itself: one lock around look, judge, remember and sign, so that no history is cosigned twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from assurance.witness.memory import Memory, WitnessMemoryUnavailable, origin_hash
from assurance.witness.rules import BadRequest, Rejected, judge, read_request
from hub import crashpoints
from hub.crypto.checkpoints import TreeCheckpoint
from hub.crypto.notes import Note, NoteSigner, VerifierKey

_PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = _PLAIN


class Witness:
    """Cosigns for the logs whose public keys it was given; a key's name is its log's origin."""

    def __init__(self, signer: NoteSigner, logs: Iterable[VerifierKey], memory: Memory, now: Callable[[], int]) -> None:
        """`now` gives seconds since 1970. Raises WitnessMemoryDamaged if the memory is not its own."""
        self._signer = signer
        self._own = signer.cosigner()
        self._logs: dict[str, list[VerifierKey]] = {}
        for key in logs:
            self._logs.setdefault(key.name, []).append(key)
        self._memory = memory
        self._now = now
        self._lock = threading.Lock()
        self._latest: dict[str, tuple[TreeCheckpoint, Note]] = {}
        for origin, keys in self._logs.items():
            found = memory.read(origin, self._own, keys)
            if found is not None:
                self._latest[origin] = found

    @property
    def verifier(self) -> VerifierKey:
        """The public key of its cosignatures."""
        return self._own

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer `POST /add-checkpoint`; on 200 the checkpoint is on the disk already."""
        try:
            request = read_request(body)
        except BadRequest:
            return Answer(400)
        origin = request.checkpoint.origin
        with self._lock:
            known = self._latest.get(origin)
            found = judge(request, None if known is None else known[0], self._logs)
            if isinstance(found, Rejected):
                if found.evidence is not None:
                    self._memory.keep_evidence(found.evidence)
                return Answer(found.status, found.body.encode(), found.content_type)
            mark = self._signer.cosign(found.note.text, self._now())
            note = found.note.with_signatures([mark])
            crashpoints.reached("witness.before-remembering")
            try:
                self._memory.write(origin, note)
            except WitnessMemoryUnavailable:
                return Answer(503)
            self._latest[origin] = (found.checkpoint, note)
        crashpoints.reached("witness.before-answer")
        return Answer(200, mark.line().encode())

    def checkpoint(self, hashed: str) -> Answer:
        """Answer `GET /<origin hash>/checkpoint`: the last checkpoint that was cosigned."""
        with self._lock:
            for origin, (_, note) in self._latest.items():
                if origin_hash(origin) == hashed:
                    return Answer(200, note.encode())
        return Answer(404)
