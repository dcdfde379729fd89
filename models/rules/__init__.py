"""Placement rules and reserves for failures."""
