"""Names of a scenario become catalogue objects and rows."""
