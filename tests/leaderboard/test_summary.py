"""The sentences on top of the page follow the board: another winner, a tie, nothing significant."""

import numpy as np
import pytest

from benchmark.entries.catalogue import find
from leaderboard.board import build, summary
from tests.leaderboard.test_board import REPLACE, rows_of, some_results

SEEDS = 12


@pytest.fixture(scope="module")
def cards(root):
    return {entry.id: entry.card for entry in find(root).values()}


def runs(level, noise=0.01, seed=0):
    """Test losses of some seeds: 1, then on the way to a level."""
    rng = np.random.default_rng(seed)
    return [[1, (1 + level) / 2, level + x] for x in noise * rng.normal(size=SEEDS)]


def board(cards, **levels):
    """Of blind entries beside opponents at 1.1, 1.2 … 1.9, of which the base workflow is one."""
    losses = {id.replace("_", "-"): found if isinstance(found, list) else runs(found) for id, found in levels.items()}
    field = (
        "anchor-0.1",
        "anchor-0.5",
        "golden-ratio",
        "real-mass",
        "sliding-window",
        "fresh-data-0.1",
        "fresh-data-0.5",
    )
    losses |= {id: runs(1.1 + 0.1 * k, seed=k) for k, id in enumerate(field)}
    found = {"replace": runs(3), "real-only": [[1, 1, 1]] * SEEDS, "accumulate-subsample": runs(1.75)} | losses
    return build.build_board(some_results(found), cards)


def blind(found):
    [sentence] = [line for line in summary.in_short(found) if line.startswith("Without telling")]
    return sentence


def test_the_winner_is_named_with_cost_and_what_it_beats(cards):
    found = board(cards, model_averaging=1.05, low_temperature=1.65)
    assert "model-averaging is first on any seeds" in blind(found)
    assert "shown to be better than accumulate-subsample" in blind(found)
    assert "the cost of replace, 97\u00a0% of replace's damage avoided" in blind(found)


def test_another_winner_is_another_sentence(cards):
    assert "low-temperature is first on any seeds" in blind(board(cards, model_averaging=1.65, low_temperature=1.05))


def test_a_tie_is_said_to_be_one(cards):
    said = blind(board(cards, model_averaging=1.05, low_temperature=runs(1.05)))
    assert "low-temperature and model-averaging share the first place" in said


def test_what_is_not_significant_is_not_said_to_be(cards):
    """Noise that outweighs every difference."""
    wild = {
        "model_averaging": runs(1.5, 3, 1),
        "low_temperature": runs(1.5, 3, 2),
        "accumulate_subsample": runs(1.5, 3, 3),
    }
    said = blind(board(cards, **wild))
    assert "not separable from accumulate-subsample" in said or "the base workflow itself" in said
    assert "may be as good" in said
    assert "any seeds" not in said


def test_no_strategy_beats_the_real_data_until_one_does(cards):
    assert summary.in_short(board(cards, model_averaging=1.05))[0].startswith("No strategy is shown to beat")
    beaten = summary.in_short(board(cards, model_averaging=0.8))[0]
    assert "model-averaging on Gaussian; no other strategy is" in beaten


def test_a_task_setting_of_few_instances_is_said_to_say_nothing_of_others(cards):
    found = board(cards, model_averaging=1.05)
    assert f"Gaussian rests on 1 instance and {SEEDS} seeds" in summary.in_short(found)[-1]


def test_an_entry_in_short(cards):
    found = board(cards, model_averaging=1.05)
    [division] = [d for d in found.divisions if d.track == "blind"]
    said = summary.of_entry(rows_of(found)["model-averaging"], division)
    assert said.startswith("Rank 1 (1–1) of 2: it wins ")
    assert "Stable on 1 of 1 instances; by task-setting: Gaussian stable." in said


def test_an_empty_board_still_has_a_sentence(cards):
    found = build.build_board(some_results({"replace": REPLACE}), cards)
    assert summary.in_short(found)[0].startswith("No strategy is shown to beat training on the real data alone")
