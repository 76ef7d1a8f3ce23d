"""The operations log of a role: lines kept on disk in a chain, and sent to `<ns>.operations` from there."""

from __future__ import annotations

from collections.abc import Callable

from hub.envelope.operations import Operation

Note = Callable[[Operation], None]
"""Takes one line: durable when it returns; raises `Unlogged`, and then what was to be noted must not happen."""
