"""Backup and restore of a home: role directories, stores, keys. What must be erasable goes into archives of its own.

    backup-<time>.eltax          everything but what ends with an epoch; one key opens it, which is kept elsewhere
    escrow-<epoch>-<time>.eltax  the audience keys of one epoch, and the data keys of the submissions sealed to it

Both are sealed to the escrow's public key. `escrow.jsonl` in the home registers every escrow archive that was ever
made: when an epoch is destroyed, they go too, and no backup brings back what was erased (docs/decisions/0252).
"""
