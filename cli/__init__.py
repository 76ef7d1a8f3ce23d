"""The front door: one small file per command group.

Composes the other rooms and shows what they say, to people on a terminal and as JSON with `--json`.
It decides nothing. Exit codes: 0 good, 1 failed, 2 wrong usage.
"""
