"""Overload detectors."""
