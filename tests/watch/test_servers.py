"""The servers that the other tests of the watch stand on: they start, answer, page and end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.watch.receiving import receiver
from tests.watch.servers import (
    ALERTMANAGER,
    PROMETHEUS,
    PROMTOOL,
    QueryRefused,
    alertmanager,
    need,
    prometheus,
    tool,
)

need(PROMETHEUS, PROMTOOL, ALERTMANAGER)

RULES = """
groups:
- name: own
  rules:
  - {alert: Always, expr: vector(1), labels: {severity: page}}
"""


def test_a_prometheus_scrapes_itself_and_pages_through_an_alertmanager(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    with receiver() as mailbox:
        routes = f"""
route: {{receiver: all, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: all, webhook_configs: [{{url: "{mailbox.url}/all"}}]}}]
"""
        with alertmanager(tmp_path / "alertmanager", routes) as pager:
            configuration = tmp_path / "prometheus.yml"
            configuration.write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{tmp_path / "rules.yaml"}]
scrape_configs:
- job_name: pager
  static_configs: [{{targets: ["{pager.address}"]}}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{pager.address}"]}}]}}]}}
""")
            assert tool(PROMTOOL, "check", "config", configuration).returncode == 0
            began = time.time()
            with prometheus(tmp_path / "prometheus", configuration) as server:
                assert [each.value for each in server.until('up{job="pager"} == 1')] == [1.0]
                assert list(server.targets().values()) == ["up"]
                assert mailbox.until(lambda each: each.says("Always", "firing")).path == "/all"
                assert server.firing() == {"Always"}
                assert [each["labels"]["alertname"] for each in pager.alerts()] == ["Always"]
                assert server.range("up", began, time.time(), step=0.1)[0].values[-1][1] == 1.0
                assert [each["health"] for each in server.rules()] == ["ok"]
                with pytest.raises(QueryRefused, match="parse error"):
                    server.query("up{")
                (tmp_path / "rules.yaml").write_text(RULES.replace("vector(1)", "vector(1) > 1"))
                server.reload()
                server.until_empty("ALERTS")
                number = server.process.pid
            with pytest.raises(ProcessLookupError):
                os.kill(number, 0)
            # Prometheus is gone without a word about its alert: it ends by itself after resolve_timeout at the latest
            mailbox.until(lambda each: each.says("Always", "resolved"))


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nonsense"), prometheus(tmp_path, "nonsense: [1]"):
        pass
