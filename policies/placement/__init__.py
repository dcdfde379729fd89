"""Candidate hosts, their costs and order."""
