"""Ratios measured in one run on one machine; no test asserts any of them."""
