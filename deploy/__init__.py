"""The hub as containers: which service runs where, with which files, and what each is allowed. Generated, not typed."""
