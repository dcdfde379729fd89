"""Run a case; the result and its directory."""
