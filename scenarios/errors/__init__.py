"""Error messages for users."""
