"""What Prometheus and Alertmanager are told: rules, routes and runbooks, declared here and written as files."""
