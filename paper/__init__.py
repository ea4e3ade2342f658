"""The paper's figures, drawn from the scores: one file a figure."""
