"""What a trust file says that was told nothing."""

from __future__ import annotations

from hub.crypto.audience import Suite
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from tests.unit.envelope.support import NOW, NS, identity


def test_first_list_has_serial_1_and_audiences_without_a_lowest_epoch() -> None:
    made = Trust.load(TrustBuilder(NS).audience("a").sign(NOW, identity("admin")), identity("admin").public)
    assert made.serial == 1
    rule = made.audiences["a"]
    assert (rule.owner, rule.minimum_epoch, rule.suites) == ("a", 0, {Suite.HYBRID})
