"""The figures, one a file, their style, and their registry."""
