"""The codec's refusals are told as the envelope's reasons."""

from __future__ import annotations

from io import BytesIO

import fastavro
import pytest

from hub.envelope.contracts import decode_body, schema_id
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.wire import frame
from schemas import registry


def test_record_with_more_items_than_anybody_writes_is_too_large() -> None:
    """By a writer that does not look; ours refuses to write it."""
    entry = {"tenant": "131041", "event_id": "", "leaf": bytes(32), "state": ""}
    report = {"principal": "p", "namespace": "n", "kind": "k", "created_at": 0, "part": 1, "parts": 1}
    out = BytesIO()
    fastavro.schemaless_writer(out, registry.contract("RoleReport").parsed, report | {"entries": [entry] * 25_001})
    with pytest.raises(EnvelopeError) as refused:
        decode_body("RoleReport", frame(schema_id("RoleReport")) + out.getvalue())
    assert refused.value.reason is Reason.TOO_LARGE
