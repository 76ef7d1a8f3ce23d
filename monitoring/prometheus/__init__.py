"""What Prometheus and Alertmanager are told: scrapes, rules, routes and runbooks, declared here and written as files."""
