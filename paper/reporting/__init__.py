"""The report, a section a file."""
