"""Metrics and tables over all topics, conservation, assumptions."""
