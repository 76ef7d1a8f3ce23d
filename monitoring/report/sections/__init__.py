"""Sections of the report, each made of a basis: what was filed, who used what, what the log says. Pure."""
