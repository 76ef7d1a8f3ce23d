"""The runbooks, executed as they stand: each command of docs/runbooks against a real hub."""
