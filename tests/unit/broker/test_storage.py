"""The data directory before Kafka touches it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from broker.storage import look, new_cluster_id

META = "#\nversion=1\ncluster.id=abcdefghijklmnopqrstuv\nnode.id=1\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "meta.properties").write_text(META)
    (tmp_path / "__cluster_metadata-0").mkdir()
    (tmp_path / "__cluster_metadata-0" / "00000000000000000000.log").write_bytes(b"")
    (tmp_path / "eltax.submissions-0").mkdir()
    (tmp_path / "eltax.submissions-5").mkdir()
    return tmp_path


def test_a_whole_directory_is_used_as_it_is(data: Path) -> None:
    found = look(data)
    assert found.formatted
    assert not found.damaged
    assert found.cluster_id == "abcdefghijklmnopqrstuv"
    assert found.partitions == 2


def test_a_new_directory_is_neither_formatted_nor_damaged(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert not found.formatted
    assert not found.damaged


def test_a_format_cut_short_can_be_done_again_since_no_topic_is_there(tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text(META)
    found = look(tmp_path)
    assert not found.formatted
    assert not found.damaged


def test_topics_without_metadata_are_not_given_to_kafka(data: Path) -> None:
    (data / "__cluster_metadata-0" / "00000000000000000000.log").unlink()
    assert "metadata log" in look(data).damaged


@pytest.mark.parametrize("text", [None, "", "\x00" * 80, META.replace("node.id=1", "node.id=2"), "cluster.id"])
def test_topics_without_identity_are_not_given_to_kafka(data: Path, text: str | None) -> None:
    if text is None:
        (data / "meta.properties").unlink()
    else:
        (data / "meta.properties").write_text(text)
    assert "meta.properties" in look(data).damaged


def test_cluster_ids_are_what_kafka_takes() -> None:
    for made in {new_cluster_id() for _ in range(2_000)}:
        assert len(base64.urlsafe_b64decode(made + "==")) == 16
        assert not made.startswith("-")


def test_the_data_of_another_member_of_the_cluster_is_not_taken(data: Path) -> None:
    assert look(data, 1).formatted
    assert "meta.properties" in look(data, 2).damaged
