"""A queue in which everybody gets a turn: one item of each name after the other, each name's own items in order.

A city that sends ten times as much as all others waits for itself; another's next item is behind one item of each
name that waits, not behind everything that came before. Order within a name stays, and with it the order of a
receipt's events, for a receipt is one city's.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Bounded by who puts; each operation costs the same however many wait."""

    def __init__(self) -> None:
        """Empty."""
        self._by_name: OrderedDict[str, deque[T]] = OrderedDict()
        self._count = 0

    def put(self, name: str, item: T) -> None:
        """Add an item behind those of the same name; a name that had none waits for its first turn at the end."""
        self._by_name.setdefault(name, deque()).append(item)
        self._count += 1

    def first(self) -> T:
        """Return whose turn it is and leave it there; IndexError if nobody waits."""
        for items in self._by_name.values():
            return items[0]
        raise IndexError

    def take(self) -> T:
        """Take whose turn it is; the next is another's, if another waits. IndexError if nobody waits."""
        for name, items in self._by_name.items():
            item = items.popleft()
            self._count -= 1
            if items:
                self._by_name.move_to_end(name)
            else:
                del self._by_name[name]
            return item
        raise IndexError

    def clear(self) -> None:
        """Forget all."""
        self._by_name.clear()
        self._count = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def __iter__(self) -> Iterator[T]:
        """All of them, name by name."""
        for items in self._by_name.values():
            yield from items
