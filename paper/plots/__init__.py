"""The figures, one a file, their style, and their registry."""

import os

os.environ["MPLBACKEND"] = (
    "agg"  # files alone; a notebook's, which a shell may have inherited, is refused when matplotlib is imported
)
