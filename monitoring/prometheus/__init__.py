"""What Prometheus and Alertmanager are told: generated from the declared list and the declaration, never by hand."""
