"""The pinned ids, which every role goes by, under the contract of a registry."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from schemas.lock import lock
from schemas.publication import publishable, same, subject, text
from schemas.registry import CONTRACTS, IDS, Book, Contract, load
from tests.registry.contract import RegistryContract


class Pinned:
    """A copy of the package's contracts and lock; to publish is to write the file and lock it."""

    def __init__(self, directory: Path) -> None:
        self._contracts, self._ids = directory / "contracts", directory / "ids.json"
        shutil.copytree(CONTRACTS, self._contracts)
        shutil.copyfile(IDS, self._ids)

    @property
    def _book(self) -> Book:
        return load(self._contracts, self._ids)

    def text(self, schema_id: int) -> str | None:
        found = self._book.by_id.get(schema_id)
        return None if found is None else text(found)

    def id_of(self, name: str, said: str) -> int | None:
        ours = (each for each in self._book.by_id.values() if subject(each) == name and same(each, said))
        return next((each.schema_id for each in ours), None)

    def versions(self, name: str) -> Mapping[int, int]:
        return {each.version: each.schema_id for each in self._book.by_id.values() if subject(each) == name}

    def publish(self, contracts: tuple[Contract, ...]) -> tuple[int, ...]:
        before = set(self._book.by_id)
        for each in publishable(contracts):
            if each.schema_id not in before:
                (self._contracts / f"{each.name}.{each.version}.avsc").write_text(text(each), "utf-8")
        lock(self._contracts, self._ids)
        return tuple(sorted(set(self._book.by_id) - before))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    return Pinned(tmp_path_factory.mktemp("pinned"))


class TestPinned(RegistryContract):
    """All tests are inherited."""
