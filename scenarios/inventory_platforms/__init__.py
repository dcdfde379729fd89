"""Inventories and use as platforms print them themselves: JSON and text, one file each."""
