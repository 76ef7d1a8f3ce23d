"""The watch on real servers: Debian's Prometheus and Alertmanager look at a running hub."""
