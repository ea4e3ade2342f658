"""Experiments of the paper outside the profiles: cardinality, collapse time, and a plain loop that shares no code with the benchmark."""
