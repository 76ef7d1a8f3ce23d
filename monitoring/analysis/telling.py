"""What becomes of a finding: a line on the operations log, a row in the store, a number. Once for each id.

found ─> not in the store? ─> its line, durable ─> into the store
                                   └── whoever dies here writes the line again, with the same finding id in `code`
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from hub.envelope.operations import Kind, Operation
from hub.facts import Observer
from hub.operations import Note
from monitoring.analysis.facts import FindingMade
from monitoring.analysis.findings import Finding, FindingStore

_RECEIPT: Final = re.compile(r"[0-9a-f]{32}")
_REMEMBERED: Final = 10_000


def line_of(found: Finding, now: datetime) -> Operation:
    """Return the line that says a finding: `about` is the rule, `code` the finding's id, `actor` whom it is about."""
    name, _, group = found.subject.partition(" ")
    address = name if found.rule == "refused-handshakes" else ""
    return Operation(
        Kind.FINDING,
        now,
        found.severity.value,
        actor="" if address else name,
        address=address,
        tenant=found.tenant,
        receipt=group if _RECEIPT.fullmatch(group) else "",
        about=found.rule,
        code=found.finding_id,
        count=found.count,
    )


class Teller:
    """Call it with findings; when it returns they are told and kept. Raises what `note` and the store raise."""

    def __init__(self, store: FindingStore, note: Note, observer: Observer, now: Callable[[], datetime]) -> None:
        """`now` gives aware times."""
        self._store = store
        self._note = note
        self._observer = observer
        self._now = now
        self._kept: OrderedDict[str, Finding] = OrderedDict()

    def __call__(self, findings: Sequence[Finding]) -> None:
        """Tell what is new, keep what has changed."""
        changed = [each for each in findings if self._kept.get(each.finding_id) != each]
        if not changed:
            return
        new = self._store.unknown(changed)
        for each in new:
            self._note(line_of(each, self._now()))
        self._store.keep(changed)
        for each in new:
            self._observer(FindingMade(each))
        for each in changed:
            self._kept[each.finding_id] = each
            self._kept.move_to_end(each.finding_id)
        while len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)
