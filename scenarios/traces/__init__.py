"""Formats of recorded load: how a scenario names each, and its reader."""
