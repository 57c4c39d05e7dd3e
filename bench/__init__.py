"""Measurements: each prints a table, or JSON."""
