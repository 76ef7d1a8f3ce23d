"""The exactly-once router: verifies every event, opens none, and gives each output only what is its own.

`rules` are pure; `lanes` knows sessions as the router needs them; `partition` works one input partition;
`engine` joins the group and keeps the partitions' owners apart.
"""
