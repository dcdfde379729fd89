"""Errors as the user reads them."""
