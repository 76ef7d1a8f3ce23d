"""What the exporter is told of its password."""

from __future__ import annotations

import hashlib

from broker.exporter import salted


def test_no_hash_begins_with_a_zero_for_the_exporter_would_leave_it_out() -> None:
    made = [salted("a password") for _ in range(500)]
    assert all(digest == hashlib.sha256(f"{salt}:a password".encode()).hexdigest() for salt, digest in made)
    assert not [digest for _, digest in made if digest.startswith("0")], "one of sixteen otherwise"
    assert len({salt for salt, _ in made}) == 500
