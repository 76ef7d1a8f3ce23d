"""The alerts by what they watch over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from monitoring.prometheus.alerts import brokers, collected, ends, flow, network, operations, processes, proof, servers
from monitoring.prometheus.base import Alert
from monitoring.prometheus.limits import Limits

BY_SUBJECT: Final[dict[str, Callable[[Limits], tuple[Alert, ...]]]] = {
    "processes": processes.alerts,
    "flow": flow.alerts,
    "proof": proof.alerts,
    "network": network.alerts,
    "operations": operations.alerts,
    "collected": collected.alerts,
    "ends": ends.alerts,
    "brokers": brokers.alerts,
    "servers": servers.alerts,
}
"""a rule file each"""
