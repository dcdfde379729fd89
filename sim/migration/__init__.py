"""Ongoing migrations."""
