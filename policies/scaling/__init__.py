"""Scaling of applications."""
