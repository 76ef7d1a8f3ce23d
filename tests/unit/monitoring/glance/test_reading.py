"""An endpoint's text as numbers: what is no sample is left out, and nothing of it is obeyed."""

from __future__ import annotations

import random

import pytest

from monitoring.glance import reading
from monitoring.glance.reading import read
from monitoring.metrics import Metrics


def test_what_our_endpoint_says_is_read_whole() -> None:
    from prometheus_client.exposition import generate_latest

    metrics = Metrics(tenants=("131041",), procedures=("tobacco-tax",), sources=())
    metrics.count("hub_router_events_total", 7, tenant="131041", procedure="tobacco-tax")
    metrics.set("hub_lag_records", 3, tenant="131041", dataset="review", partition="0")
    metrics.observe("hub_router_delay_seconds", [0.02, 700.0])
    found = read(generate_latest(metrics.registry))
    assert found.refused == 0
    assert found.total("hub_router_events_total") == 7
    assert found.total("hub_lag_records", dataset="review") == 3
    assert found.total("hub_lag_records", dataset="audit") == 0
    assert found.total("hub_router_delay_seconds_bucket", le="+Inf") == 2
    assert next(found.rows("hub_build_info"))[1] == 1


@pytest.mark.parametrize(
    "line",
    [
        "hub_x +Inf",
        "hub_x",
        "hub_x{a=b} 1",
        'hub_x{a="b} 1',
        'hub_x{a="b"c="d"} 1',
        "hub_x 1 2 3",
        f'hub_x{{a="{"y" * 500}"}} 1',
        "hub_x 0x1f",
        "hub_" + "x" * 200 + " 1",
        "hub_x １",
    ],
)
def test_what_is_no_sample_is_left_out_and_counted(line: str) -> None:
    found = read(f"{line}\nhub_good 1\n".encode())
    assert dict(found.samples) == {"hub_good": {(): 1.0}}
    assert found.refused == 1


def test_a_label_may_hold_anything_and_is_cut() -> None:
    found = read(b'hub_x{a="\\"quoted\\"\\n\\\\",b="\x1b[2J"} 4\n')
    ((labels, value),) = found.rows("hub_x")
    assert labels == {"a": '"quoted"\n\\', "b": "\x1b[2J"}
    assert value == 4
    ((labels, _),) = read(f'hub_x{{a="{"y" * 399}"}} 1\n'.encode()).rows("hub_x")
    assert len(labels["a"]) == reading.MAX_LABEL


def test_what_a_process_does_not_know_is_no_part_of_a_sum() -> None:
    found = read(b'hub_x{a="1"} NaN\nhub_x{a="2"} 3\n')
    assert found.total("hub_x") == 3
    assert found.refused == 0


def test_a_flood_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_SAMPLES", 100)
    found = read("".join(f'hub_x{{a="{n}"}} 1\n' for n in range(1_000)).encode())
    assert found.total("hub_x") == 100
    assert found.refused == 900
    monkeypatch.setattr(reading, "MAX_BYTES", 50)
    assert read(b"hub_x 1\n" * 100).total("hub_x") == 1


def test_names_that_are_not_ours_are_not_taken() -> None:
    assert read(b"go_goroutines 5\n# HELP hub_x y\n").samples == {}


def test_no_bytes_stop_the_reading() -> None:
    dice = random.Random(23)
    alphabet = [b"hub_x", b'{a="', b'"}', b" 1", b"\n", b"\\", b"\x00", b"\xff", b"\xf0\x9f", b",", b"NaN"]
    for _ in range(2_000):
        read(b"".join(dice.choices(alphabet, k=dice.randint(1, 12))))
