"""Simulation: clock, engine, events and records."""
