"""A malicious broker operator: what the clients take for the broker, with the broker's own certificate and key.

It reads everything as the super user, keeps a copy of each topic for each principal, and serves from these: what a
client sees is what the operator wants it to see, in batches with good checksums. What clients write is passed on,
or acknowledged and thrown away.
"""
