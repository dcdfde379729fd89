"""Readers of traces, arrivals, rules and assignments."""
