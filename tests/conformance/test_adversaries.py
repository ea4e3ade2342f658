"""Entries that would win without mitigating collapse: each is refused by the rule meant for it, or gains nothing.

The rules are in submissions/README.md.
"""

import pandas as pd
import pytest

from benchmark.conformance.toy_tasks import LanguageModel
from benchmark.core.loop import run
from benchmark.entries.entry import Entry
from benchmark.errors import ContractBroken, Unsupported
from benchmark.results.scoring import per_seed
from benchmark.tasks.gaussian import Gaussian
from benchmark.tasks.kde import KDE
from tests.conftest import ENTRIES, ROOT

ADVERSARIES = ROOT / "tests" / "fixtures" / "adversaries"
BLEND = "weight of the previous model in the blend: {}, and the track and budget allow 0.5"
MASS = "share of real rows in the mass that the model rests on: {}, and the track and budget allow"
ROWS = "share of real rows in the effective number of rows: {}, and the track and budget allow"
LOOK = "features() of the pool can tell rows apart by age"
NOISE = "temperature·bandwidth_factor² is {}: expected at least 0.1"
REFUSED = {
    "freezes": ("gaussian", 1, BLEND.format(1)),
    "freezes-at-2": ("gaussian", 3, BLEND.format(1)),
    "freezes-at-5": ("gaussian", 6, BLEND.format(1)),
    "freezes-nearly": ("gaussian", 1, BLEND.format(0.99)),
    "freezes-synthetic": ("gaussian", 4, BLEND.format(1)),
    "alternates": ("gaussian", 2, BLEND.format(1)),
    "averages-all": ("gaussian", 3, BLEND.format(0.666667)),
    "hoards-fresh-rows": ("gaussian", 3, BLEND.format(0.666667)),
    "leans-on-the-first": ("gaussian", 2, MASS.format("0.954167")),
    "leans-in-assisted": (
        "gaussian",
        5,
        "weight of the first model in the blend: 0.5, and the track and budget allow 0.4",
    ),
    "chains-the-first": ("gaussian", 6, MASS.format("0.6")),
    "half-minus-half": ("gaussian", 2, MASS.format("1")),
    "overshoots": ("text", 2, MASS.format("1")),
    "repels-a-spot": ("wide", 2, "rests on 1 effective rows: expected at least n/2 = 30 different ones"),
    "voids-a-half": ("gaussian", 2, "rests on 1 effective rows: expected at least n/2 = 12 different ones"),
    "lays-a-floor": ("kde", 2, "FitOptions.bandwidth_factor is 16.0: expected a number from 0.25 to 4"),
    "clips-its-own": ("text", 1, "FitOptions.token_loss_clip is 0.3: expected a probability from 0.9 to 1"),
    "asks-the-verifier-again": ("gaussian", 1, "log-likelihood rows: 120, and the track and budget allow 96"),
    "starves-the-pool": ("gaussian", 1, "3 rows: expected at least n = 24"),
    "keeps-half": ("gaussian", 1, "12 rows: expected at least n = 24"),
    "asks-for-three": ("gaussian", 1, "3 candidates: expected at least n = 24"),
    "asks-for-a-googol": ("gaussian", 1, "candidates: 1e+300, and the track and budget allow 96"),
    "brings-its-own-generator": ("gaussian", 1, "the rng is another one, of type Generator: pass context.rng"),
    "clones": ("kde", 1, "SampleRequest.temperature is 1e-24: expected a number from 0.1 to 10"),
    "clones-by-bandwidth": ("kde", 1, "FitOptions.bandwidth_factor is 1e-12"),
    "clones-by-both": ("kde", 1, NOISE.format("0.025")),
    "clones-by-rule": ("wide kde", 1, NOISE.format("0.0538609")),
    "clones-without-variance": ("kde", 1, NOISE.format("0.025")),
    "chooses-copies": ("sparse kde", 2, "of the rows are within 0.1 bandwidths of a real row"),
    "knows-the-standard-truth": ("gaussian", 1, "FitOptions.ddof is -240000.0: expected at least -6"),
    "heats": ("wide", 1, "SampleRequest.temperature is 1000000000000.0: expected a number from 0.1 to 10"),
    "heats-within": ("wide", 2, LOOK),
    "cools-within": ("wide", 2, LOOK),
    "cuts": ("wide", 1, "SampleRequest.top_p is 1e-09: expected a share from 0.5 to 1"),
    "keeps-the-shell": ("wide", 1, LOOK),
    "keeps-the-core": ("wide", 1, LOOK),
    "counts-as-memory": ("wide", 1, "83 rows: expected n = 60 in track 'blind'"),
    "repels-nothing": ("wide", 2, ROWS.format("0.983051")),
    "marks-digits": ("gaussian", 2, LOOK),
    "marks-likelihoods": ("gaussian", 2, "log_likelihood() of the pool can tell rows apart by age"),
    "refits-the-last": ("gaussian", 2, LOOK),
    "leans-by-leverage": ("wide", 2, LOOK),
    "decoys": ("kde", 2, LOOK),
    "carries-moments": ("one axis", 2, LOOK),
    "undoes-the-shrinkage": ("gaussian", 2, ROWS.format("0.916667")),
    "undoes-by-ridge": (
        "one axis",
        2,
        "ridge 1: together they multiply the covariance's trace by 2, expected at most 4/3",
    ),
    "undoes-by-half-a-ridge": ("one axis", 2, ROWS.format("0.958333")),
    "leans-on-one-row": ("text", 2, ROWS.format("0.958333")),
    "repels-a-row": ("wide", 2, ROWS.format("0.961538")),
    "keeps-contexts": ("wide", 30, "of that iteration alone"),
    "keeps-views": ("wide", 30, "of that iteration alone"),
}
"""The instance that refuses each, at which iteration, and what is said."""
INSTANCES = {
    "gaussian": Gaussian(2, 24),
    "one axis": Gaussian(1, 24),
    "kde": KDE("moons", 0.3, 24),
    "text": LanguageModel(24),
    "sparse kde": KDE("swiss_roll", 0.5, 100),
    "wide kde": KDE("moons", 2.0, 100),
    "wide": Gaussian(10, 60),
}


NO_GAIN = {
    "reads-the-grid": (Gaussian(10, 316, 0.9), "model-averaging", "final"),
    "spoils-one": (Gaussian(1, 100), "model-averaging", "slope"),
}
"""Those that no rule refuses, for they gain nothing: an instance where they did, the entry that is no worse, and by what."""
ALLOWED = {"stays-at-generation-1"}
"""Named in the table of what is allowed."""
SEEDS, HORIZON = 6, 40


def test_every_adversary_is_listed():
    assert {folder.name for folder in ADVERSARIES.iterdir()} == {*REFUSED, *NO_GAIN, *ALLOWED}


@pytest.mark.parametrize("id", NO_GAIN)
def test_what_no_rule_refuses_gains_nothing(id):
    task, honest, by = NO_GAIN[id]
    both = [
        pd.DataFrame(
            record for seed in range(SEEDS) for record in run(task, found.make, found.rules, seed, HORIZON)
        ).assign(task="gaussian", instance="i", entry=found.id)
        for found in (Entry(ADVERSARIES / id), ENTRIES[honest])
    ]
    won, lost = (per_seed(records.drop(columns="texts"))[by].mean() for records in both)
    assert won > lost


@pytest.mark.parametrize("id", REFUSED)
def test_an_adversary_is_refused_by_the_rule_meant_for_it(id):
    instance, t, complaint = REFUSED[id]
    entry, records = Entry(ADVERSARIES / id), []
    with pytest.raises(ContractBroken) as refused:
        records += run(INSTANCES[instance], entry.make, entry.rules, 0, 12 if instance != "wide" else 30)
    assert f"at iteration {t}: " in str(refused.value)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("id", [id for id, (instance, *_) in REFUSED.items() if instance == "gaussian"])
@pytest.mark.parametrize("instance", ["kde", "text"])
def test_an_adversary_is_refused_in_every_task_setting(id, instance):
    entry = Entry(ADVERSARIES / id)
    with pytest.raises((ContractBroken, Unsupported)):
        list(run(INSTANCES[instance], entry.make, entry.rules, 0, 12))
