"""Figures: their tables, not their pixels, are compared; measurements lie on closed forms; missing data are reported."""

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmark.results.about import About
from benchmark.results.gather import Results
from paper import theory
from paper.plots import closed_forms, figures, style
from paper.plots.figures import FIGURES
from paper.plots.source import Source
from tests.conftest import ROOT
from thrive.cli import main

COMMITTED = [
    (home, path.stem) for home in ("leaderboard", "paper") for path in sorted((ROOT / home).glob("figures/*.csv"))
]
SMALL = ["workflows", "fig3"]


@pytest.fixture(autouse=True)
def _closed():
    import matplotlib.pyplot as plt

    style.apply()
    yield
    plt.close("all")


def test_all_figures_are_committed():
    assert {name for _, name in COMMITTED} >= {name for name, drawing in FIGURES.items() if drawing.unasked}


@pytest.mark.parametrize(("home", "name"), COMMITTED)
def test_the_committed_table_is_what_is_drawn(root, home, name):
    """Byte for byte, from the committed results. The `figures` stages of the pipelines rebuild it."""
    at = Path("leaderboard") if home == "leaderboard" else None
    _, table = figures.made(name, figures.source(root, name, at))
    assert figures.as_csv(table) == (root / home / "figures" / f"{name}.csv").read_text()


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_a_short_file(name):
    drawn = FIGURES[name].draw
    path = Path(inspect.getsourcefile(getattr(drawn, "func", drawn)))
    assert len(path.read_text().splitlines()) < 80


def test_drawn_again_the_bytes_are_the_same(root, tmp_path):
    first, second = (figures.draw_figures(root, None, tmp_path / str(k), SMALL) for k in range(2))
    assert [path.name for path in first] == [f"{name}.{kind}" for name in SMALL for kind in ("pdf", "png", "csv")]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_fonts_are_embedded_as_text(root, tmp_path):
    """As TrueType, since journals refuse Type 3, and so that text stays text. Logarithmic axes use the fonts of formulas too."""
    for path in figures.draw_figures(root, None, tmp_path, ["fig2"]):
        if path.suffix == ".pdf":
            assert b"/FontFile2" in path.read_bytes()
            assert b"/Type3" not in path.read_bytes()


def test_slides_have_larger_words_on_larger_panels():
    import matplotlib as mpl

    sizes = {}
    for look in style.LOOKS:
        style.apply(look)
        sizes[look] = np.array(
            [mpl.rcParams["font.size"], mpl.rcParams["lines.linewidth"], *mpl.rcParams["figure.figsize"]]
        )
    assert (sizes["slides"] > sizes["paper"]).all()


def measured(root):
    """All committed results of quantities with a closed form."""
    source = figures.source(root, "closed-forms")
    return pd.concat([table for _, _, table in closed_forms.tables(source)])


def test_what_is_measured_lies_on_the_closed_forms(root):
    """|z| < 4 as long as a mean over seeds is informative, which is until t = n.

    Under replace, d = 1, a run's variance has the squared coefficient of variation ((1 + 1/n) / (1 - 1/n))^t - 1, which is about
    e^(2t/n) - 1. Beyond t = n a few runs make up the whole mean; until then the exact spread is used, not that of the seeds.
    A KDE's closed form starts from the measured t = 1, whose error counts too.
    """
    table = measured(root)
    table = table[table["theory"].notna() & (table["t"] <= table["n"])]
    exact = (table["entry"] == "replace") & (table["quantity"] == "trace_ratio")
    known = [
        np.sqrt(theory.replace_variances(int(row.d), int(row.n), int(row.t))[0]) for row in table[exact].itertuples()
    ]
    sd = table["sd"].to_numpy(float, copy=True)
    sd[exact.to_numpy()] = known
    error = pd.Series(sd, table.index) / np.sqrt(table["seeds"])
    first = error[table["t"] == 1].set_axis(
        table.loc[table["t"] == 1, "instance"] + table.loc[table["t"] == 1, "entry"]
    )
    kde = table["task"] == "kde"
    start = (table["instance"] + table["entry"]).map(first[~first.index.duplicated()]).where(kde, 0)
    z = (table["mean"] - table["theory"]) / np.hypot(error, start)
    z = z[~(kde & (table["t"] == 1))]
    assert len(z) > 300
    assert z.abs().max() < 4, table.loc[z.abs().idxmax()]


def test_named_entries_are_the_facets(root, tmp_path):
    ids = ["accumulate", "anchor-0.5"]
    written = figures.draw_figures(root, None, tmp_path, ["fig2"], ids)
    table = pd.read_csv(written[-1])
    assert set(table["entry"]) == set(ids)
    found, _ = figures.made("fig2", figures.source(root, "fig2", entries=ids))
    assert [ax.get_title().split("\n")[0] for ax in found.axes[:2]] == ["Accumulate", "anchor-0.5"]


@pytest.mark.parametrize(("words", "target"), [
    ([], None),
    (["--only", "fig2"], None),
    (["--only", "fig2", "--entries", "accumulate,anchor-0.5"], "results/figures"),
    (["--style", "slides"], "results/figures"),
    (["--at", "leaderboard"], "results/figures"),
    (["--at", "leaderboard", "--to", "elsewhere"], "elsewhere"),
])  # fmt: skip
def test_only_plain_figures_overwrite_the_committed_ones(root, monkeypatch, words, target):
    written = []
    monkeypatch.setattr(figures, "made", lambda name, source: ("figure", "table"))
    monkeypatch.setattr(figures, "_write", lambda figure, table, path: written.append(path) or [])
    monkeypatch.chdir(root)
    assert CliRunner().invoke(main, ["figures", *words]).exit_code == 0
    homes = {"paper/figures", "leaderboard/figures"} if target is None else {target}
    assert {str(path.parent.relative_to(root)) for path in written} <= homes
    assert written


def test_each_figure_belongs_to_the_paper_or_to_the_board():
    assert {str(drawing.home) for drawing in FIGURES.values()} == {"paper/figures", "leaderboard/figures"}
    assert str(FIGURES["ranks"].home) == "leaderboard/figures"


def test_an_entry_without_results_is_refused_with_the_way_to_them(root, monkeypatch):
    monkeypatch.chdir(root)
    outcome = CliRunner().invoke(main, ["figures", "--only", "fig2", "--entries", "accumulate,acumulate"])
    assert outcome.exit_code != 0
    assert "no results of 'acumulate'. Did you mean 'accumulate'?" in outcome.output
    assert "thrive run --profile standard -s acumulate && thrive score" in outcome.output


def test_missing_data_are_reported_with_their_command(tmp_path):
    told = []
    assert not figures.draw_figures(tmp_path, tmp_path / "empty", tmp_path, ["fig1", "fig5", "ranks"], tell=told.append)
    for name, line, command in zip(
        ["fig1", "fig5", "ranks"],
        told,
        ["thrive run", "python -m paper.experiments.cardinality", "thrive board"],
        strict=True,
    ):
        assert line.startswith(f"{name}: left out: ")
        assert command in line


def test_a_part_that_is_missing_is_told_of_a_figure_that_is_drawn(root, tmp_path):
    told = []
    paths = figures.draw_figures(
        root, Path("leaderboard"), tmp_path, ["closed-forms"], ["accumulate"], tell=told.append
    )
    assert [path.name for path in paths] == ["closed-forms.pdf", "closed-forms.png", "closed-forms.csv"]
    assert told
    assert all(line.startswith("closed-forms: drawn but for a part: ") for line in told)
    assert len(told) == len(set(told))


def test_closed_forms_have_a_column_for_each_entry_that_is_asked_for(root):
    figure, table = closed_forms.draw(Source(root / "leaderboard", ("accumulate",)))
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == [style.title("accumulate")]
    assert set(table["entry"]) == {"accumulate"}


def test_the_published_variant_of_the_densities_passes_the_variance(root):
    """A density of width σ has the height 1 / (√2π σ). With width σ² the height is the square of that, times √2π."""
    drawn = [figures.made(name, figures.source(root, name))[0] for name in ("fig1", "fig1-as-published")]
    right, published = (figure.axes[0].lines[3].get_ydata().max() for figure in drawn)  # truth, t = 1, 2, 5
    assert published == pytest.approx(np.sqrt(2 * np.pi) * right**2, rel=0.01)
    assert published != pytest.approx(right, rel=0.05)


def test_pooled_bandwidths_need_all_three(root, tmp_path):
    told = []
    figures.draw_figures(root, Path("leaderboard"), tmp_path, ["fig2-pooled"], tell=told.append)
    assert "results of some of the bandwidths" in told[0]


def test_a_source_shows_only_unbiased_samplers(root):
    found = Source(root / "leaderboard").of("gaussian", "test_loss", "replace")
    assert not found["instance"].str.contains("τ").any()


def test_pretraining_is_drawn_beside_the_published_numbers(root, tmp_path, monkeypatch):
    rows = [
        {"task": "language_model", "instance": "surnames n=1500 from scratch", "entry": entry, "quantity": "test_loss", "t": t, "seeds": 2,
         "mean": 2.4 + 0.01 * t, "sd": 0.01, "low": 2.4, "high": 2.6, "first_seed": 2.4}
        for entry in style.WORKFLOWS for t in range(1, 21)
    ]  # fmt: skip
    about = {"unit": "nats per token", "horizon": 20, "seeds": [0, 1], "entries": list(style.WORKFLOWS),
             "instances": [{"name": rows[0]["instance"], "ranked": False, "numbers": {}}]}  # fmt: skip
    found = Results(pd.DataFrame(), pd.DataFrame(rows), About(profile="from-scratch", tasks={"language_model": about}))
    monkeypatch.setattr("paper.plots.pretraining.FOLDERS", {"from-scratch": tmp_path / "from-scratch"})
    source = figures.source(root, "fig4")
    _, table = figures.made("fig4", source)
    assert any("thrive run --profile from-scratch" in line for line in source.missing)
    assert not any("from-scratch" in line for line in table["instance"])
    found.write_curves(tmp_path / "from-scratch")
    drawn, table = figures.made("fig4", figures.source(root, "fig4"))
    own = table[table["instance"] == "ours: surnames n=1500 from scratch"]
    assert own["t"].max() == 20
    assert set(own["entry"]) == set(style.WORKFLOWS)
    lines = [line.get_linestyle() for line in drawn.axes[-3].lines]
    assert {"-", ":"} <= set(lines)


def test_a_family_is_there_whatever_instances_a_profile_has():
    """No instance has both wished numbers: the first decides, and of the second there is what is left."""
    table = pd.DataFrame({"data": ["blobs", "moons", "swiss_roll"], "bandwidth": [0.5, 0.1, 0.5]})
    found, chosen = style.family(table, {"data": "moons", "bandwidth": 0.5})
    assert chosen == {"data": "moons", "bandwidth": 0.1}
    assert len(found) == 1
