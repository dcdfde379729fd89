"""Migrations and links: values, tables and figures."""
