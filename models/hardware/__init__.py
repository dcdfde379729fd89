"""Servers: power, sleep states, DVFS, CPU features, racks, reliability."""
