"""What can be proved across rooms: here, that what the portal sent is what was routed and stored.

Works on signed reports of each role, never on another role's database or keys. The comparison itself
is pure; reading files, clocks and keys belongs to the caller.
"""
