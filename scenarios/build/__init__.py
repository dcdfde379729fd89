"""Build an engine from a scenario."""
