"""The operator: reads the dead letters of every hop, sends records back whole, or discards them for a reason.

It opens the quarantine and nothing else: of a sealed event it sees the public header, never a section. What it
writes back is transport only, for every record is judged again from the start by whoever reads it. It signs what
it did (`LetterResolved`), and that statement and the record become visible together or not at all.
"""
