"""What the system says of itself: metrics, probes for liveness and readiness, and the structured log.

Everything here is an adapter of the facts that the core emits. The core does not import this room.
Nothing that leaves a process from here carries personal data: metric labels come from bounded sets,
log lines carry ids, counts and codes, and the text of an exception is never written anywhere.
"""
