"""The router's clerk shows no key."""

from __future__ import annotations

from hub.router.batch import Clerk
from tests.unit.envelope.support import identity


def test_key_of_the_clerk_is_not_shown() -> None:
    clerk = Clerk("router", "letters", identity("router"), lambda: None, lambda _: ())
    assert "identity" not in repr(clerk) and "IdentityKey" not in repr(clerk)
