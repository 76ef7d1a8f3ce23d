"""Hands accepted rows over to other systems as files: CSV in an AES-256 ZIP, each row once per series.

Columns, text and characters are pure; `archive` alone knows pyzipper; `exporter` puts a run together.
What the receiver gets is described in docs/export.md, which is written from here.
"""
