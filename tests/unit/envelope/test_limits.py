"""The limits are those of docs/envelope.md; another implementation refuses at the same ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hub.envelope import limits
from hub.envelope.times import from_ms, to_ms

PAGE = (Path(__file__).parents[3] / "docs" / "envelope.md").read_text("utf-8").partition("## Limits")[2]
LIMITS = {
    "MAX_SEALED_BYTES": 8_388_608,
    "MAX_HEADER_BYTES": 4_096,
    "MAX_SECTIONS": 16,
    "MAX_AUDIENCE_BYTES": 64,
    "MAX_NAME_BYTES": 128,
    "MAX_RECEIPT_NUMBER_BYTES": 512,
    "MAX_TOPIC_BYTES": 249,
    "MAX_NOTE_CHARACTERS": 200,
    "MAX_SIGNATURES": 8,
    "MAX_BODY_BYTES": 4_194_304,
    "MAX_CHECKPOINT_ENTRIES": 4_096,
    "MAX_RECEIPT_ENTRIES": 4_096,
    "MAX_REPORT_ENTRIES": 20_000,
    "MAX_SESSION_AUDIENCES": 64,
    "MAX_PARTITIONS": 4_096,
    "MAX_SESSION_MS": 86_400_000,
    "MAX_CLOCK_AHEAD_MS": 600_000,
    "MAX_SEQUENCE": 9_223_372_036_854_775_807,
    "MAX_TIME_MS": 253_402_300_800_000,
}


def test_limits_are_these() -> None:
    assert {name: value for name, value in vars(limits).items() if name.startswith("MAX_")} == LIMITS
    assert from_ms(to_ms(datetime(9999, 12, 31, tzinfo=UTC))).year == 9999


def test_public_page_says_the_same() -> None:
    for row in (
        "| sealed event | 8,388,608 bytes,",
        "| header | 4,096 bytes |",
        "| sections of an event | 16 |",
        "| audiences of a session | 64 |",
        "| audience | 63 ASCII characters |",
        "| receipt number | 512 bytes |",
        "| other names | 128 bytes |",
        "| topic | 249 bytes |",
        "| session | 86,400,000 ms,",
        "| partitions | 4,096 |",
        "| entries of a checkpoint | 4,096 |",
        "| entries of a receipt | 4,096 |",
        "| entries of a report's part | 20,000 |",
        "| body of a signed record | 4,194,304 bytes |",
        "| signatures of a record | 8 |",
        "| time | before 253,402,300,800,000 ms |",
        "| ahead of the reader's clock | 600,000 ms |",
        "| note on a discarded letter | 200 characters |",
    ):
        assert row in PAGE, row
