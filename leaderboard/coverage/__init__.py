"""Coverage of what the board prints, by simulation: `python -m leaderboard.coverage` writes leaderboard/statistics.md.

A population of runs has a known truth. Boards are drawn from it at the board's own numbers of seeds, a method turns each into
intervals, ranks and words, and `measure` counts how often these are right. A method is a value (see `runs.Method`): another one is
measured by the same code.
"""
