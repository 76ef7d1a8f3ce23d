"""Speaks of exports in the desk's process: commands for people have no metrics and no log of operations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from consumers.patience import Patience, sleep
from consumers.store.port import Store
from hub.facts import Observer, RowsExported

_LOOK_SECONDS: Final = 5.0


class ExportWatch:
    """Hands a fact to the observer for every file that was taken out, once each."""

    def __init__(self, principal: str, store: Store, observer: Observer, now_ms: Callable[[], int]) -> None:
        """The store is the desk's own."""
        self._principal = principal
        self._store = store
        self._observe = observer
        self._now_ms = now_ms

    async def run(self, patience: Patience, stop: asyncio.Event) -> None:
        """Look until `stop`. Raises what cannot heal."""
        while not stop.is_set():
            if not await patience.until_done("outbox", self._round, stop):
                await sleep(stop, _LOOK_SECONDS)

    async def _round(self) -> int:
        return await asyncio.to_thread(self.look)

    def look(self) -> int:
        """Tell of what was taken out since; return how many files that were."""
        found = self._store.exports.untold()
        if found:
            # Marked first: a file told of twice would be counted twice.
            self._store.exports.told([copy.copy for copy, _ in found], self._now_ms())
        for copy, _ in found:
            self._observe(RowsExported(self._principal, copy.run, copy.rows, copy.withdrawn, copy.again))
        return len(found)
