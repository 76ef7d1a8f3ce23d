"""What Prometheus and Alertmanager are told: scrapes, rules, routes, runbooks; declared here, written as files."""
