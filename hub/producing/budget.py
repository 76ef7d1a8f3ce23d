"""How much may be under way at once. Callers wait their turn, city by city; nothing is dropped."""

from __future__ import annotations

import asyncio

from hub.producing.turns import Turns


class Budget:
    """A bound on bytes and items in memory. One item larger than the whole budget goes alone."""

    def __init__(self, max_bytes: int, max_items: int) -> None:
        """Both bounds are hard, except for a single item that exceeds `max_bytes` by itself."""
        self._max_bytes = max_bytes
        self._max_items = max_items
        self._bytes = 0
        self._items = 0
        self._waiting: Turns[tuple[int, asyncio.Future[None]]] = Turns()
        self._unused = asyncio.Event()
        self._unused.set()

    @property
    def used_bytes(self) -> int:
        """Bytes taken now."""
        return self._bytes

    def _fits(self, size: int) -> bool:
        if self._items == 0:
            return True
        return self._items < self._max_items and self._bytes + size <= self._max_bytes

    async def take(self, size: int, name: str = "") -> None:
        """Wait until `size` bytes and one item fit, then hold them until `give_back`; `name` is whose they are."""
        if not self._waiting and self._fits(size):
            self._hold(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(name, (size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # our turn came while we were being cancelled
                self.give_back(size)
            raise

    def give_back(self, size: int) -> None:
        """Let go of what `take` held."""
        self._bytes -= size
        self._items -= 1
        if self._items == 0:
            self._unused.set()
        while self._waiting:
            following, turn = self._waiting.first()
            if turn.done():  # cancelled
                self._waiting.take()
            elif self._fits(following):
                self._waiting.take()
                self._hold(following)
                turn.set_result(None)
            else:
                return

    async def unused(self) -> None:
        """Wait until nothing is held."""
        while self._items:
            await self._unused.wait()

    def _hold(self, size: int) -> None:
        self._unused.clear()
        self._bytes += size
        self._items += 1
