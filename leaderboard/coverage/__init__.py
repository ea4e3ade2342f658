"""Coverage of the board's intervals, ranks and words, by simulation: `python -m leaderboard.coverage` writes leaderboard/statistics.md.

The truth of a population of runs is known. Boards are drawn from it with the board's own numbers of seeds. A method turns each board into
intervals, ranks and words, and `measure` counts how often these are right. A method is a value (see `runs.Method`), so that other methods
are measured by the same code.
"""
