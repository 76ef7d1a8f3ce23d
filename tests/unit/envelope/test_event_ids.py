"""Text that parts event ids by their time."""

from __future__ import annotations

from hub.envelope.event_ids import id_of_time, new_event_id


def test_time_stands_between_the_ids_before_and_after() -> None:
    now = 0x0123_4567_89AB
    assert id_of_time(now) == "01234567-89ab"
    assert new_event_id(now - 1, lambda count: b"\xff" * count) < id_of_time(now) < new_event_id(now, bytes)
    assert id_of_time(0) == id_of_time(1 << 48) == "00000000-0000"


def test_an_id_takes_10_random_bytes() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    new_event_id(0, random)
    assert asked == [10]
