"""What must be refused, and with which code."""

from __future__ import annotations

from tests.vectors.build_world import Json


def negative(known: dict[str, Json], sent: dict[str, Json], listed: list[Json]) -> Json:
    return {}
