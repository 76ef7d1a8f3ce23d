"""The choices at the top of the boards. Their values come from declared, bounded labels only."""

from __future__ import annotations

from typing import Final

from monitoring.grafana.board import Variable

TENANT: Final = Variable("tenant", "団体", "Municipality", "hub_router_events_total", "tenant")
PROCEDURE: Final = Variable("procedure", "手続", "Procedure", "hub_router_events_total", "procedure")
INSTANCE: Final = Variable("instance", "プロセス", "Process", "hub_build_info", "instance")
