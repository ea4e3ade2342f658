"""Experiments of the paper that are no profile: cardinality, collapse time, a plain loop that shares no code."""
