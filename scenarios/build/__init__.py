"""A scenario becomes an engine."""
