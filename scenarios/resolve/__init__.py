"""Resolve names of a scenario to catalogue objects and rows."""
