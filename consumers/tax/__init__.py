"""A tax team's own consumer: takes over what was accepted for it, each filing once, sealed at rest.

A reference for real tax systems and a part of the demonstration; it knows `consumers.kit`, its own key and its
own store, and nothing of review, helpdesk or other teams.
"""
