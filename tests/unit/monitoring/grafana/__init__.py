"""Dashboards, their pictures, and the page on the logging duty."""
