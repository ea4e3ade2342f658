"""The paper's claims about language models."""

import numpy as np
import pandas as pd
import pytest

from benchmark.recipes import regime


def test_a_bounded_law_is_bounded_and_a_logarithm_is_not() -> None:
    t = np.arange(1, 11)
    law = pd.DataFrame({"replace": 1.0 * t, "accumulate": np.cumsum(1 / t**2)}, index=t)
    assert regime.is_bounded(law)
    assert regime.late_rise(law["accumulate"]) / regime.rise(law["accumulate"]) == pytest.approx(0.16, abs=0.01)
    assert not regime.is_bounded(law.assign(accumulate=0.3 * np.log(t)))
    assert not regime.is_bounded(law.assign(accumulate=10 * law["accumulate"]))
    assert regime.is_bounded(law.assign(accumulate=-np.log(t)))
