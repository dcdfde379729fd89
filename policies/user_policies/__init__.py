"""Policies of users: what they must offer and how their faults are told."""
