"""Lead times of alarms, on runs whose alarms are known; and what is measured, on texts and networks that one can count."""

import numpy as np
import pandas as pd
import pytest

from paper import lead_times
from paper.lead_times import LOSS, alarm, bounds, leads
from paper.reporting import early_warning as section
from tests.tasks.test_language_model import folder, task  # noqa: F401

AT = {LOSS: 5, "early": 3, "late": 7, "never": 99}


def table() -> pd.DataFrame:
    """Twenty healthy fits, and runs of two entries whose quantities fall at `AT`, an iteration later in the second entry."""
    rng = np.random.default_rng(0)
    rows = [("real-only", seed, 1, *rng.normal(size=4)) for seed in range(20)]
    for shift, entry in enumerate(("a", "b")):
        for seed in (10, 11, 12):
            rows += [
                (entry, seed, t, *(-100.0 * (t >= at + shift) + rng.normal(0, 0.1) for at in AT.values()))
                for t in range(1, 11)
            ]
    return pd.DataFrame(rows, columns=["entry", "seed", "t", *AT]).assign(data="surnames")


def test_leads_are_those_of_the_alarms():
    """ "never" alarms at 11 in both entries: 11 - 5 and 11 - 6 iterations late. Order: the longest lead first."""
    found = leads(table())
    assert [one.quantity for one in found] == ["early", LOSS, "late", "never"]
    assert [one.lead.centre for one in found] == [2, 0, -2, -5.5]
    assert [one.warned for one in found] == [1, 0, 0, 0]
    assert {(one.entries, one.seeds) for one in found} == {(2, 3)}


def test_a_healthy_fit_alarms_with_the_probability_that_is_promised():
    """1 % in expectation over sets of 10 healthy fits: 20,000 trials have a standard error of 0.07 %, more where bounds are shared."""
    rng = np.random.default_rng(1)
    share = np.mean(
        [
            not low <= rng.normal() <= high
            for low, high in (bounds(pd.Series(rng.normal(size=10))) for _ in range(20_000))
        ]
    )
    assert share == pytest.approx(1 - lead_times.CONFIDENCE, abs=0.003)


def test_an_alarm_is_the_first_value_outside():
    values = pd.Series([0.0, 2.0, 0.0, 3.0], index=[1, 2, 3, 4])
    assert [alarm(values, -1, high) for high in (1, 2, 3)] == [2, 4, 5]


def test_the_report_says_what_leads():
    _, words, shown = section.section(table())
    assert "Intervals above 0: early." in words.text
    assert [row[0] for row in shown.rows] == ["early", "test loss", "late", "never"]
    _, alone = section.section(None)
    assert "python -m paper.experiments.early_warning" in alone.text
    nothing = table().drop(columns=["early"])
    assert "Nothing leads" in list(section.section(nothing))[1].text


def test_what_is_measured_of_a_generation():
    experiment = pytest.importorskip("paper.experiments.early_warning")
    assert experiment.ngrams("ABC") == {"^ABC", "ABC$"}
    found = experiment.of_generation(["ABC", "ABC", "XYZ"], experiment.ngrams_of(["ABCD"]))
    assert found == {"self_overlap": pytest.approx(2 / 3), "copied_ngrams": pytest.approx(1 / 4)}


def test_losses_of_parts_add_up_to_the_loss(task):  # noqa: F811
    """Weighted by their tokens; and calibration is 0 where accuracy is the confidence."""
    experiment = pytest.importorskip("paper.experiments.early_warning")
    texts = task.corpus("test")
    network = task.base.network
    found = experiment.losses_by_part(task, network, texts)
    assert set(found) == {"form", "prompt", "answer"}
    ends = [len(ids) - 1 for ids in task.base.encode(texts)]
    assert min(found.values()) < task.test_loss(network, task.base.encode(texts)) < max(found.values())
    assert len(ends) == len(texts)
    assert 0 <= experiment.fact_recall(task.form, task, network) <= 1
    assert 0 <= experiment.calibration_error(network, task.base.encode(texts), 4) < 1
    together, apart = (experiment.calibration_error(network, task.base.encode(texts), size) for size in (16, 1))
    assert together == pytest.approx(apart, abs=1e-6)


def test_the_figure_shows_each_quantity_with_its_lead(tmp_path):
    from paper.plots import figures, style
    from paper.plots.source import Source

    style.apply()
    table().to_csv(tmp_path / "early_warning.csv", index=False)
    drawn, leads_drawn = figures.made("early-warning", Source(tmp_path))
    assert list(leads_drawn["quantity"]) == ["early", LOSS, "late", "never"]
    assert drawn.axes[0].get_yticklabels()[0].get_text().startswith("early (")
