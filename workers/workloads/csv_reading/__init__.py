"""Reads CSV files of any size into a database on disk; what cannot be read is refused, with its row named."""
