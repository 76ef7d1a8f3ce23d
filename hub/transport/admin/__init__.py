"""The administrator's side of Kafka: what a cluster has, and carrying a topic plan out."""

from hub.transport.admin.client import Admin

__all__ = ["Admin"]
