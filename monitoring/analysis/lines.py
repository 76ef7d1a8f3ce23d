"""Reads many lines of the operations log at once, and believes each for the same reason as OperationEvent.read.

A signature costs ten times what everything else does. But a line names the hash of the line before it, so a signature
under the last of a run of chained lines vouches for all of them: whoever signed it signed the hashes. In a run each
line must still be its principal's, by the same key, listed at the line's own time. What is in no run, or in one whose
last line is not good, is verified by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hub.envelope.operations import OperationEvent
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust

_Line = tuple[int, OperationEvent, Signed, bytes]
"""place in the batch, the line, its record, its key's id"""


def read_lines(values: Sequence[bytes], trust: Trust) -> list[OperationEvent | Reason]:
    """Return for each record the line, or why it does not count; the same as OperationEvent.read for honest signers."""
    found: list[OperationEvent | Reason] = [Reason.MALFORMED] * len(values)
    for run in _runs(values, trust, found):
        _, last, signed, _ = run[-1]
        refused = trust.signed_by(signed, last.principal, last.operation.occurred_at)
        if refused is None:
            for place, event, _, _ in run:
                found[place] = event
        else:
            found[run[-1][0]] = refused
            for place, event, one, _ in run[:-1]:
                found[place] = trust.signed_by(one, event.principal, event.operation.occurred_at) or event
    return found


def _runs(values: Sequence[bytes], trust: Trust, found: list[OperationEvent | Reason]) -> Iterator[list[_Line]]:
    """Put lines that hang together into runs; what cannot be read is written into `found` at once."""
    open_runs: dict[bytes, list[_Line]] = {}
    for place, value in enumerate(values):
        try:
            event, signed = OperationEvent.parse(value)
        except EnvelopeError as problem:
            found[place] = problem.reason
            continue
        if event.namespace != trust.namespace or not trust.instance_known(event.principal, event.instance):
            found[place] = Reason.NOT_PERMITTED
            continue
        line = (place, event, signed, signed.signatures[0].key_id)
        if len(signed.signatures) != 1 or not trust.identity(event.principal, line[3], event.operation.occurred_at):
            found[place] = trust.signed_by(signed, event.principal, event.operation.occurred_at) or event
            continue
        run = open_runs.get(event.log)
        if run is not None and _follows(run[-1], line):
            run.append(line)
        else:
            if run is not None:
                yield run
            open_runs[event.log] = [line]
    yield from open_runs.values()


def _follows(before: _Line, line: _Line) -> bool:
    """Say whether a line's signer vouches for the line before by its hash."""
    _, last, signed, key = before
    _, event, _, own = line
    return (
        event.previous == signed.hash
        and event.sequence == last.sequence + 1
        and (event.principal, event.instance, own) == (last.principal, last.instance, key)
    )
