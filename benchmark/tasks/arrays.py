"""Types of the arrays that task-settings compute with."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
"""Shape (n,)."""
Matrix = NDArray[np.float64]
"""Shape (n, m)."""
