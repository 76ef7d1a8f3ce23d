"""The review desk: opens the whole submission, keeps it encrypted, and signs that it is stored.

Opens the section `review-T` and no other. Knows nothing of other tenants and of the helpdesk.
"""
