"""A Kafka to run on: real Apache Kafka as one embedded KRaft node, from pip packages and Maven jars alone.

For trials, tests and demonstrations. Principals, certificates and topics are passed in; this room knows
nothing of submissions.
"""
