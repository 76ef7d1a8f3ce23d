"""The node's data directory before Kafka touches it: whether it is new, whole, or has lost what makes it readable.

Kafka itself starts on a directory whose metadata log is gone, takes its topics for strays and deletes them. So that
is looked at first.
"""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NODE_ID: Final = 1
_METADATA: Final = "__cluster_metadata-0"
_PARTITION: Final = re.compile(r".+-\d+")


@dataclass(frozen=True, slots=True)
class Storage:
    """What was found."""

    cluster_id: str
    """empty if none could be read"""
    metadata: bool
    partitions: int
    """how many partitions of topics have files here"""

    @property
    def damaged(self) -> str:
        """Why topics here could not be found again; empty if they can, or if there are none."""
        if self.partitions and not self.cluster_id:
            return "meta.properties is missing or unreadable"
        if self.partitions and not self.metadata:
            return f"the metadata log in {_METADATA} is missing"
        return ""

    @property
    def formatted(self) -> bool:
        """Whether it was formatted once, at least in part."""
        return bool(self.cluster_id) and self.metadata


def look(data: Path, node_id: int = NODE_ID) -> Storage:
    """Look at the data directory of this node; writes nothing."""
    return Storage(
        _cluster_id(data / "meta.properties", node_id),
        any((data / _METADATA).glob("*.log")),
        sum(
            1 for each in data.iterdir() if each.is_dir() and _PARTITION.fullmatch(each.name) and each.name != _METADATA
        ),
    )


def new_cluster_id() -> str:
    """A random id in Kafka's form: 16 bytes, URL-safe base64 without padding.

    One that starts with a hyphen would be taken for an option by Kafka's tools; Kafka does not make such either.
    """
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def _cluster_id(file: Path, node_id: int) -> str:
    try:
        said = dict(line.split("=", 1) for line in file.read_text("latin-1").splitlines() if "=" in line)
    except FileNotFoundError:
        return ""
    return said.get("cluster.id", "") if said.get("node.id") == str(node_id) else ""
