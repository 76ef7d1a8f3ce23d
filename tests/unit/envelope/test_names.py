"""Names that stand in trust files and topics."""

from __future__ import annotations

from hub.envelope.names import ADMIN, OPERATOR, QUARANTINE, ROUTER, Kind


def test_principals_and_kinds_are_called_as_the_page_calls_them() -> None:
    assert (ROUTER, QUARANTINE, OPERATOR, ADMIN) == ("router", "quarantine", "operator", "admin")
    assert [kind.value for kind in Kind] == ["submission", "status", "accepted"]
