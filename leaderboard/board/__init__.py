"""The content of the board: rows, ranks, intervals, verdicts, and the sentences computed from them."""
