"""The drivers that are built in."""
