"""Integrals over time: energy, work, violations, time on hosts."""
