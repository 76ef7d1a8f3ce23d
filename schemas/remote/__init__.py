"""A schema registry on the network, for `schemas publish`, `resolve` and `check`; no role imports this.

What a role needs to read and write stands in `schemas.registry`; a registry that is away stops nobody.
"""
