"""Allowed output destinations, and atomic replacement."""
