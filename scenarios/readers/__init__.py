"""Readers of arrivals, rules and assignments, and which VM gets which series."""
