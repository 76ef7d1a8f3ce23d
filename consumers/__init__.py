"""The desks: review, helpdesk and audit. Each opens only its own section and owns its store.

This room reads routed topics, judges records, and writes what it found into one database per role in
the same transaction as its place in the topic. It refuses to know how records were routed, how Kafka
is spoken (hub.transport) and how keys are kept (hub.crypto). No desk reads another desk's database.
"""
