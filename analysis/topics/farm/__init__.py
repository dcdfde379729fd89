"""Hosts, their utilisation, energy and power states, and the number needed."""
