"""From records to results: scores, curves, comparisons, verified results."""
