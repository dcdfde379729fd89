"""Migrations under way."""
