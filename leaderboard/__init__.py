"""The leaderboard: a pure function of scores and cards, and what is written from it."""
