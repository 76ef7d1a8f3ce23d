"""The audit desk: opens nothing, checks every leaf, checkpoint, session and receipt, and keeps a log.

The log is append-only and RFC 6962; its database rows are authoritative, everything else is derived.
"""
