"""Dashboards for Grafana, declared as data, written as JSON by `python -m monitoring.grafana`.

`boards/` says what is shown, `board.py` what a board is, `writing.py` (the only place that knows Grafana's SDK, a
dependency of development) makes the committed `dashboards/*.json` of it, `picture.py` draws a board from the answers
of a Prometheus. `provisioning/` is what Grafana reads at its start.
"""
