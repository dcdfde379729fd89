"""YAML, units, fields, conditions, names."""
