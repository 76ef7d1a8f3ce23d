"""The hub at one glance, without Prometheus or Grafana: what its endpoints say now, and is everything where it must be?

`reading` turns an endpoint's text into numbers, `state` makes one frozen view of all of them. Pure; asking and drawing
are the caller's.
"""
