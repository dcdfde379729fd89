"""A run becomes numbers and pictures: metrics, comparison, tables, figures, report."""
