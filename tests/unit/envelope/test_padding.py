"""Padded sizes: the steps of docs/envelope.md, Padmé above them, and one allowed form to come back from."""

from __future__ import annotations

import pytest

from hub.envelope.padding import pad, padded_bytes, padme, unpad
from hub.envelope.reasons import EnvelopeError, Reason

STEPS = [1_024, 2_048, 4_096, 8_192, 16_384, 32_768]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_taken_up_to_its_last_byte(step: int) -> None:
    """The mark 0x80 takes one byte, so a plaintext of exactly a step needs the next size."""
    assert padded_bytes(step - 1) == step
    assert padded_bytes(step // 2) == step or step == 1_024
    assert padded_bytes(step) == (2 * step if step < 32_768 else padme(32_769))
    assert padded_bytes(0) == 1_024


def test_padme_is_the_papers() -> None:
    """With e = ⌊log2 L⌋ and s = ⌊log2 e⌋ + 1, the last e - s bits of a size are zero."""
    assert [padme(length) for length in (1, 2, 3, 7, 8, 9, 10, 11, 17, 100)] == [1, 2, 3, 7, 8, 10, 10, 12, 18, 104]
    assert [padme(length) for length in (32_769, 34_816, 34_817, 1_000_000)] == [34_816, 34_816, 36_864, 1_015_808]
    for length in range(32_769, 140_000, 77):
        assert length <= padme(length) <= length + length // 16
        assert padme(padme(length)) == padme(length)


@pytest.mark.parametrize("length", [0, 1, *(step + by for step in STEPS for by in (-2, -1, 0, 1)), 40_000])
def test_what_was_padded_comes_back_and_no_other_size_of_it_does(length: int) -> None:
    plaintext = b"\x01" * length
    padded = pad(plaintext)
    assert len(padded) == padded_bytes(length)
    assert unpad(padded) == plaintext
    for other in (padded + b"\x00", padded[:-1], padded + bytes(1_024), padded[:length]):
        with pytest.raises(EnvelopeError) as refused:
            unpad(other)
        assert refused.value.reason is Reason.PADDING


def test_nothing_but_zeros_is_no_padding() -> None:
    for padded in (b"", bytes(1_024), b"text".ljust(1_024, b"\x00"), b"text\x81".ljust(1_024, b"\x00")):
        with pytest.raises(EnvelopeError):
            unpad(padded)
