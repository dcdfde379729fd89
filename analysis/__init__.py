"""Metrics, tables, figures, reports and comparisons of runs."""
