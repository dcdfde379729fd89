"""Which VM leaves an overloaded host."""
