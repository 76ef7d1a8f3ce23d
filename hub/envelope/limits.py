"""Every bound of the envelope, with its unit in its name (docs/envelope.md, "Limits")."""

from __future__ import annotations

from typing import Final

MAX_SEALED_BYTES: Final = 8 * 1024 * 1024
MAX_HEADER_BYTES: Final = 4_096
MAX_SECTIONS: Final = 16
MAX_AUDIENCE_BYTES: Final = 64
MAX_NAME_BYTES: Final = 128
"""principal, instance, tenant, procedure, tax item"""
MAX_RECEIPT_NUMBER_BYTES: Final = 512
MAX_TOPIC_BYTES: Final = 249
MAX_NOTE_CHARACTERS: Final = 200
"""of the operator's words on a discarded letter"""
MAX_SIGNATURES: Final = 8
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_CHECKPOINT_ENTRIES: Final = 4_096
MAX_RECEIPT_ENTRIES: Final = 4_096
MAX_REPORT_ENTRIES: Final = 20_000
MAX_SESSION_AUDIENCES: Final = 64
MAX_PARTITIONS: Final = 4_096
MAX_SESSION_MS: Final = 24 * 3_600 * 1_000
MAX_CLOCK_AHEAD_MS: Final = 10 * 60 * 1_000
"""how far ahead a signed record may be dated: clocks differ, but no session is made for next month"""
MAX_SEQUENCE: Final = 2**63 - 1
"""also of the place after the last entry of a checkpoint: a desk's database has no greater numbers"""
MAX_TIME_MS: Final = 253_402_300_800_000
"""10000-01-01T00:00:00Z, exclusive"""
