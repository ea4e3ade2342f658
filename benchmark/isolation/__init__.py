"""Strangers' code in a confined process, and both ends of the line to it."""
