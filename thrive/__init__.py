"""The commands of Thrive: they parse, call and print."""
