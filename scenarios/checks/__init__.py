"""Consistency checks of a scenario."""
