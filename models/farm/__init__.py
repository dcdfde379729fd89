"""The only mutable state of a run, its verbs and its audit."""
