"""The formats of docs/envelope.md: header, sealed event, signed records, trust, and the rules on them.

Everything here is a function of its arguments: bytes in, frozen values or a `Reason` out. It does not know
Kafka, files or clocks; times and randomness are passed in. It does not know what is inside a section.
"""
