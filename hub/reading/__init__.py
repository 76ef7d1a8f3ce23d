"""What every reader of events needs before it can judge one: valid sessions, current audience keys, letters.

Nothing on the wire adds trust: what is read here counts only as far as the role's trust file lets it.
"""
