"""How long the oldest record that nobody has read has been waiting, from where a reader stood and where a topic ended.

Records' own times prove nothing, and a topic's end says only how far it reached when it was asked. So each look is kept
until the reader has passed what it saw: what ended there then is at least as old as that look. Pure, by a monotonic
clock; never more than the truth, and less by one interval of looking at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

Place = tuple[str, int]
_LOOKS: Final = 256
"""kept for each place; beyond it every second one is forgotten, so that a long backlog is known less finely"""


class Backlog:
    """Remembers looks at the ends of partitions."""

    def __init__(self) -> None:
        """Nothing was looked at."""
        self._looks: dict[Place, deque[tuple[int, float]]] = {}

    def look(self, found: Mapping[Place, tuple[int, int]], now: float) -> dict[str, float]:
        """Take (position, end) of each place at a moment; return the oldest age by topic, in seconds, 0 if all is read.

        Places that are not looked at any more are forgotten.
        """
        self._looks = {place: looks for place, looks in self._looks.items() if place in found}
        ages: dict[str, float] = {}
        for (topic, partition), (position, end) in found.items():
            looks = self._looks.setdefault((topic, partition), deque())
            while looks and looks[-1][0] > end:  # the topic was made anew
                looks.pop()
            if not looks or looks[-1][0] < end:
                looks.append((end, now))
            while looks and looks[0][0] <= position:
                looks.popleft()
            if len(looks) > _LOOKS:
                self._looks[topic, partition] = deque([*list(looks)[:-1:2], looks[-1]])
            age = max(0.0, now - looks[0][1]) if looks else 0.0
            ages[topic] = max(ages.get(topic, 0.0), age)
        return ages
