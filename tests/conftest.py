"""Fixtures for everyone: a real Kafka, started once per test process, and a namespace of one's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.kafka import TestKafka, fresh_namespace, start

os.environ.setdefault("HUB_KAFKA_COMPILER", "quick")  # its nodes live for minutes
WHOLE_HUBS = (("test_story", "test_java_reader", "test_bad_moments"), ("test_hub", "test_returns"))
"""files with a whole hub of their own, by the lane that they share: a dozen processes cost even when they do nothing"""
LONG_FILES = (
    *(file for lane in zip_longest(*WHOLE_HUBS, fillvalue="") for file in lane),
    *("test_evil_broker", "test_router", "test_node", "test_portal", "test_spoiled_events", "test_exchanged_fields"),
    *("test_letters", "test_router_insider", "test_portal_insider"),
)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file stays in one worker, whole hubs in two; long files first, or several would wait for one in the end."""
    place = {name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG_FILES)))
    lanes = {file: f"whole hubs {number}" for number, lane in enumerate(WHOLE_HUBS) for file in lane}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(lanes.get(item.path.stem, str(item.path))))


@pytest.fixture(scope="session")
def kafka() -> Iterator[TestKafka]:
    """One embedded node. If its jars cannot be had, the tests fail; they are never skipped."""
    directory = Path(tempfile.mkdtemp(prefix="eltax-hub-test-"))
    made = None
    try:
        made = start(directory)
        yield made
    finally:
        if made is not None:
            made.node.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def namespace() -> str:
    """A fresh `rehearsal-…` namespace."""
    return fresh_namespace()
