"""The reading side of the operations log: collects every role's lines, and the brokers' own logs.

    <ns>.operations ─> signature, permission ─> chain ─> row + leaf + offset (one transaction) ─> tiles, checkpoint
    broker logs     ─> parsed codes ─> lines of our own, the same way

What does not count is kept whole, within a bound, and rings. See docs/operations-collector.md.
"""
