"""No hue carries a meaning alone: what is told apart by colour is told apart by a mark or by lightness too."""

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from benchmark.results import colours
from benchmark.results.labels import VERDICTS


def lightness(colour) -> float:
    """Relative luminance of sRGB (WCAG 2.2), 0 to 1."""
    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    "marks",
    [
        [look.mark for look in colours.VERDICTS.values()],
        [look.marker for look in colours.VERDICTS.values()],
        [marker for _, marker in colours.WORKFLOWS.values()] + list(colours.MARKERS),
    ],
    ids=["verdicts in text", "verdicts in figures", "entries"],
)
def test_every_mark_is_there_once(marks):
    assert len(set(marks)) == len(marks)


def test_verdicts_have_a_look_each_that_can_be_read_on_both_pages():
    assert list(colours.VERDICTS) == list(VERDICTS)
    for look in colours.VERDICTS.values():
        assert 1.05 / (lightness(look.light) + 0.05) >= 4.5  # contrast with white, for text
        assert (lightness(look.dark) + 0.05) / (lightness("#15181b") + 0.05) >= 4.5


def test_what_is_ordered_grows_lighter():
    shades = [lightness(colour) for colour in matplotlib.colormaps[colours.ORDERED](np.linspace(0, 1, 20))]
    assert (np.diff(shades) > 0).all()


def test_rows_differ_in_lightness():
    shades = sorted(map(lightness, (colours.REAL, colours.SYNTHETIC, colours.UNUSED)))
    assert min(np.diff(shades)) > 0.15
