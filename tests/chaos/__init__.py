"""A bad day: known submissions flow through three brokers and two routers while one fault after another is caused.

`plan` says which faults, from a seed; `site` is the hub; `load` files and keeps every answer; `causing` makes faults
and heals them; `counting` reads what is on the topics with a client that is not ours; `judging` says what is wrong.
"""
