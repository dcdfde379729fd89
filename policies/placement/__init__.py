"""Candidate hosts, their costs and their order."""
