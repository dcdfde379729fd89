"""Columns of tables, plotting, wording."""
