"""Where, and who may: topics, retention, principals, rights, quotas, tenants, audiences and routes.

One YAML file declares them; it is checked when loaded, laid out for a namespace, and compared with what a
cluster has. All of that is pure: this room opens no socket. `hub.transport.admin` carries a plan out.
"""
