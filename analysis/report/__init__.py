"""The page of a run, its figures, the history of one VM."""
