"""A quarantined content is not shown."""

from __future__ import annotations

from hub.envelope.letters import Quarantined


def test_ciphertext_of_a_letter_is_not_shown() -> None:
    assert repr(Quarantined(1, b"", b"secret")) == "Quarantined(epoch=1, key_id=b'')"
