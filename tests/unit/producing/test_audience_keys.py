"""A producer seals to the key valid now, and never to an older or another one than before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hub.crypto.audience import Suite
from hub.envelope.records import AudienceKey
from hub.producing.audience_keys import SealingKey, choose, choose_all
from hub.producing.errors import AudienceKeyMissing, AudienceKeyRefused

NOVEMBER = (datetime(2026, 10, 31, 15, tzinfo=UTC), datetime(2026, 11, 30, 15, tzinfo=UTC))
DECEMBER = (datetime(2026, 11, 30, 15, tzinfo=UTC), datetime(2026, 12, 31, 15, tzinfo=UTC))
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


def key(epoch: int, validity: tuple[datetime, datetime], name: bytes = b"a", audience: str = "router") -> SealingKey:
    return SealingKey(AudienceKey(audience, epoch, b"12345678", Suite.X25519, b"public", *validity), name)


def test_the_month_decides_which_key_is_sealed_to() -> None:
    keys = [key(202611, NOVEMBER, b"nov"), key(202612, DECEMBER, b"dec")]
    assert choose("router", keys, None, NOW).key.epoch == 202611
    assert choose("router", keys, (202611, b"nov"), DECEMBER[0]).key.epoch == 202612
    assert choose("router", keys, None, DECEMBER[0].replace(minute=0)).key.epoch == 202612


def test_no_valid_key_is_a_retriable_refusal() -> None:
    with pytest.raises(AudienceKeyMissing) as missing:
        choose("router", [key(202612, DECEMBER), key(202611, NOVEMBER, audience="other")], None, NOW)
    assert missing.value.retriable


def test_rolled_back_epoch_is_refused() -> None:
    with pytest.raises(AudienceKeyRefused):
        choose("router", [key(202611, NOVEMBER)], (202612, b"dec"), NOW)


def test_exchanged_key_of_the_same_epoch_is_refused() -> None:
    with pytest.raises(AudienceKeyRefused):
        choose("router", [key(202611, NOVEMBER, b"evil")], (202611, b"good"), NOW)


def test_second_key_of_an_epoch_does_not_displace_the_one_in_use() -> None:
    keys = [key(202611, NOVEMBER, b"good"), key(202611, NOVEMBER, b"evil")]
    assert choose("router", keys, (202611, b"good"), NOW).record_hash == b"good"
    with pytest.raises(AudienceKeyRefused):
        choose("router", keys, None, NOW)


def test_every_audience_needs_its_key() -> None:
    keys = [key(202611, NOVEMBER), key(202611, NOVEMBER, audience="review-131041")]
    chosen = choose_all(("review-131041", "router"), keys, {}, NOW)
    assert [found.key.audience for found in chosen] == ["review-131041", "router"]
    with pytest.raises(AudienceKeyMissing):
        choose_all(("helpdesk-131041", "router"), keys, {}, NOW)
