"""Where a desk keeps what it was given: a port, one SQL implementation, and encryption at rest.

One transaction holds the rows, the place in each topic and everything that is to be sent because of
them. The store never sees plaintext: contents arrive sealed (`vault`), each under its own data key.
SQL and SQLAlchemy stay inside this package; what one database does differently is in `dialect` alone.
"""
