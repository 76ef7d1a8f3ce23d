"""Fixtures for everyone: a real Kafka, started once per test process, and a namespace of one's own."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.kafka import TestKafka, fresh_namespace, kind, start

os.environ.setdefault("HUB_KAFKA_COMPILER", "quick")  # its nodes live for minutes
hypothesis.settings.register_profile("any-machine", deadline=None)  # how fast a test is says nothing here
hypothesis.settings.load_profile("any-machine")
LONG_FILES = (
    *("test_chaos", "test_hub", "test_evil_broker", "test_router", "test_returns", "test_node"),
    *(
        "test_java_reader",
        "test_portal",
        "test_spoiled_events",
        "test_exchanged_fields",
        "test_letters",
        "test_router_insider",
    ),
)
"""long ones first, or several workers would wait for one in the end; those with a whole hub of their own apart from
one another: a dozen processes cost even when they do nothing"""


def pytest_configure() -> None:
    """A Kafka that nobody knows is said at once."""
    kind()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order of files, which several workers take one after another; what one broker alone can be asked is left out."""
    place = {name: number for number, name in enumerate(LONG_FILES)}
    if kind() != "embedded":
        for item in items:
            if item.get_closest_marker("one_broker"):
                item.add_marker(pytest.mark.skip(reason="written for one embedded broker"))
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG_FILES)))


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay to the end: walking over them again and again took a seventh of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def kafka() -> Iterator[TestKafka]:
    """The Kafka of HUB_TEST_KAFKA. If it cannot be had, the tests fail; they are never skipped."""
    directory = Path(tempfile.mkdtemp(prefix="eltax-hub-test-"))
    made = None
    try:
        made = start(directory)
        yield made
    finally:
        if made is not None:
            made.kafka.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def namespace() -> str:
    """A fresh `rehearsal-…` namespace."""
    return fresh_namespace()
