"""Answers to planners: data quality, size, headroom, failure tables, what load is known."""
