"""Committed bytes of the formats in docs/envelope.md, and derivations of them that share no code with the hub."""
