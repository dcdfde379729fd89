"""The parts of a scenario as inert data, one part a file."""
