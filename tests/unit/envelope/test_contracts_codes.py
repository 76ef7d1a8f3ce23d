"""The codec's refusals are told as the envelope's reasons."""

from __future__ import annotations

import pytest

from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.reasons import EnvelopeError, Reason


def test_record_with_more_items_than_anybody_writes_is_too_large() -> None:
    fields = {"audience": "a", "epoch": 202604, "key_id": bytes(8), "destroyed_at": 0}
    body = encode_body("KeyDestroyed", fields | {"waivers": [bytes(32)] * 25_001})
    with pytest.raises(EnvelopeError) as refused:
        decode_body("KeyDestroyed", body)
    assert refused.value.reason is Reason.TOO_LARGE
