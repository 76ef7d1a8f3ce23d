"""Rules, routes and runbooks."""
