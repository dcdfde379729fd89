"""Array types, parameters, estimates with ranges, ties, catalogue tables, metrics."""
