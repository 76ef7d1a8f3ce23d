"""Keys, sealing, signatures, Merkle trees: what is cryptography and nothing else.

This room owns the library `cryptography`. It knows byte strings, seeds and digests; it does not know
what a submission, a session or a topic is. Derivations and sizes are those of docs/envelope.md.
"""
