"""Sheets, headers and cells of the files that inventories come in."""
