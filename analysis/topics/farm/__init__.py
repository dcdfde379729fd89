"""Hosts, their use, energy, power states, and how many were needed."""
