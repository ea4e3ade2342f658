"""`thrive how-much`: true where it answers, and refused where the map cannot tell."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmark.errors import ThriveError
from maps.answer import how_much
from thrive.cli import main

SHARES = np.arange(0, 17) / 16


def map_of(root, noise=0.01, diverged=False, **more):
    """A map of the KDE: excess a (1 - x) with a = 1 on moons and a = 2 on blobs, twice that at n = 32 and at temperature 0.9, growing with t."""
    lines = []
    for data, slope in {"moons": 1.0, "blobs": 2.0}.items():
        for n, temperature in ((32, 1.0), (100, 1.0), (100, 0.9)):
            for t in (10, 20):
                for share in SHARES:
                    mean = slope * (1 - share) * (2 if n == 32 else 1) * (2 if temperature < 1 else 1) * t / 20
                    half = noise * (share < 1)
                    mean, half = (np.inf, np.nan) if diverged and share < 1 else (mean, half)
                    lines.append({"data": data, "bandwidth": 0.5, "n": n, "sampler_temperature": temperature, "ratio": np.nan, "share": share, "t": t,
                                  "seeds": 10, "mean": mean, "low": mean - half, "high": mean + half} | more)  # fmt: skip
    folder = root / "maps" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(lines).to_csv(folder / "kde.csv", index=False)
    return root


def test_the_answer_is_the_root_of_the_excess(tmp_path):
    """Excess 1 - x is 0.2 at 80 %: 12/16 = 75 % is unsafe, and 13/16 = 81.25 % is safe."""
    found = how_much(map_of(tmp_path), "kde", 0.2, {"data": "moons", "n": 100})
    assert found.lines[0].boundary == pytest.approx((0.8, 0.75, 0.8125))
    for words in (
        "moons, h = 0.5, n = 100,",
        "a share of 80 % real rows (75 % is shown to be too few, 81 % to be enough)",
        "0.2 nats per example",
        "20 iterations",
        "10 seeds",
    ):
        assert words in found.sentence


def test_without_a_choice_the_hardest_unbiased_instance_answers(tmp_path):
    """Blobs at n = 32: 4 (1 - x) is 0.4 at 90 %."""
    found = how_much(map_of(tmp_path), "kde", 0.4, {})
    assert len(found.lines) == 4
    assert found.lines[0].name == "blobs, h = 0.5, n = 32"
    assert found.lines[0].boundary.least == pytest.approx(0.9)
    assert {line.numbers["sampler_temperature"] for line in found.elsewhere} == {0.9}


def test_the_sentence_says_where_the_answer_stops_holding(tmp_path):
    """At T / 2 the excess is half: 0.2 at 60 %. Elsewhere 2 (1 - x), twice and four times: 0.2 at 90 % to 95 %."""
    sentence = how_much(map_of(tmp_path), "kde", 0.2, {"data": "moons", "n": 100}).sentence
    assert "(60 % after 10; mean over 10 seeds; " in sentence
    assert "on the 5 other measured instances the least share is 90 % to 95 %" in sentence


def test_a_share_beyond_the_largest_measured_one_is_not_named(tmp_path):
    """0.01 is below the excess at 15/16, which is shown to be above it."""
    sentence = how_much(map_of(tmp_path), "kde", 0.01, {"data": "moons", "n": 100}).sentence
    assert "only a share of more than 94 % real rows (which is shown to be too few; " in sentence


def test_a_share_is_named_as_harmless_only_if_it_is_shown(tmp_path):
    """At 2 nats every share is safe, 0 included: 1 - x is at most 1."""
    assert (
        "any share of real rows, 0 % included,"
        in how_much(map_of(tmp_path), "kde", 2, {"data": "moons", "n": 100}).sentence
    )


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        ({"n": 5000}, "-n 5000: not measured, and the map is not extrapolated. Measured: 32, 100"),
        ({"n": 64}, "-n 64: not measured"),
        ({"t": 100}, "--iterations 100: not measured, .* Measured: 10, 20"),
        ({"data": "circles"}, "--data circles: not measured, .* Measured: blobs, moons"),
        ({"d": 3}, "-d 3: instances of kde have no such number"),
        ({"n": 32, "sampler_temperature": 0.9}, "no row has .* together"),
    ],
)
def test_what_was_not_measured_is_refused_with_what_to_run(tmp_path, chosen, complaint):
    with pytest.raises(ThriveError, match=complaint) as error:
        how_much(map_of(tmp_path), "kde", 0.2, chosen)
    assert "thrive map --task kde" in str(error.value) or "d" in chosen


def test_a_threshold_below_the_noise_is_refused(tmp_path):
    with pytest.raises(ThriveError, match=r"--excess 0.05 is below the noise: .* to within 0.06 nats. .*more seeds"):
        how_much(map_of(tmp_path, noise=0.06), "kde", 0.05, {"data": "moons", "n": 100})


def test_runs_that_diverge_everywhere_are_refused(tmp_path):
    with pytest.raises(ThriveError, match="runs diverge at every share of real rows up to 94 %"):
        how_much(map_of(tmp_path, diverged=True), "kde", 0.2, {})


def test_without_a_map_the_command_that_makes_it_is_named(tmp_path):
    with pytest.raises(ThriveError, match="There are maps of: kde. Make it: thrive map --task gaussian"):
        how_much(map_of(tmp_path), "gaussian", 0.1, {})


def test_the_command_prints_the_sentence_and_the_table(tmp_path, monkeypatch):
    (map_of(tmp_path) / "params.yaml").touch()
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["how-much", "--excess", "0.2", "--task", "kde", "--data", "moons", "-n", "100"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith(
        "On moons, h = 0.5, n = 100, a share of 80 % real rows (75 % is shown to be too few, 81 % to be enough)"
    )
    assert "| blobs, h = 0.5, n = 100, sampler temperature 0.9 |" in done.output
    refused = CliRunner().invoke(main, ["how-much", "--excess", "0", "--task", "kde"])
    assert refused.exit_code == 2
