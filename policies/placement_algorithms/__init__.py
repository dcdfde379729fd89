"""Placement policies, one algorithm a file."""
