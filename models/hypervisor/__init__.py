"""Profiles of hypervisors, what they cost in CPU, memory and licences."""
