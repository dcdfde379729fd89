"""Decisions: pure functions of a read-only view of the farm, and the table of them."""
