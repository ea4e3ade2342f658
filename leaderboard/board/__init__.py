"""What stands on the board: rows, ranks, intervals, verdicts, and the sentences computed from them."""
