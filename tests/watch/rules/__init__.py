"""When each alert must fire and when just not, for `promtool test rules`."""
