"""The reproduction report: the right number beside each published one, nothing dropped, and text that stays text."""

import html
import json
import re

import numpy as np
import pandas as pd
import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import ThriveError
from benchmark.results import Results
from paper import data, document, plain_loop, published, report, report_cardinality
from paper.document import Heading, Paragraph, Table
from paper.evidence import Estimate, Evidence, at, compared, number, shown

NASTY = r"""a_b *c* `x|y` \d ~ # [e](f) <b> & $5 %} {z^ "q" // /* = @g @_h """


def curve(task, instance, entry, quantity, means: dict, sd=0.1, seeds=100) -> pd.DataFrame:
    rows = {"task": task, "instance": instance, "entry": entry, "quantity": quantity, "seeds": seeds, "sd": sd, "low": 0.0, "high": 0.0, "first_seed": 0.0}  # fmt: skip
    return pd.DataFrame([rows | {"t": t, "mean": mean} for t, mean in means.items()])


def results(profile, *curves, **about) -> Results:
    found = pd.concat(curves, ignore_index=True)
    tasks = {
        task: {
            "horizon": int(part["t"].max()),
            "seeds": list(range(int(part["seeds"].max()))),
            "instances": [{"name": name, "ranked": True, "numbers": {}} for name in part["instance"].unique()],
            "cost": {"runs": 400, "cpu_seconds": 1234.5},
            **about,
        }
        for task, part in found.groupby("task")
    }
    return Results(pd.DataFrame(), found, {"profile": profile, "tasks": tasks})


GAUSSIAN = curve("gaussian", "d=1 n=10", "replace", "trace_ratio", {1: 0.947, 2: 0.9}, sd=0.3)
SWISS = curve("kde", "swiss_roll h=0.1 n=1000", "replace", "test_loss", {50: 664}, sd=60)
MOONS = curve("kde", "moons h=0.1 n=100", "replace", "test_loss", {1: 5.0})


def evidence(*curves, as_published=None, collapse_times=None, cardinality=None, loop=None) -> Evidence:
    return Evidence(results("paper", *(curves or (GAUSSIAN,))), as_published, collapse_times, cardinality, loop)


def row_of(found: pd.DataFrame, instance: str, t: int):
    return found[(found["instance"] == instance) & (found["entry"] == "replace") & (found["t"] == t)].iloc[0]


def tables(made) -> dict[str, Table]:
    return {block.name: block for block in made if isinstance(block, Table)}


def test_z_counts_both_numbers_of_seeds_and_the_reading():
    """ours .9, published .812 of 100 seeds each, sd .3: error² = .3²·(1/100 + 1/100) + (.003·.812)² + .0005²."""
    row = row_of(published.compare(GAUSSIAN), "d=1 n=10", 2)
    assert row["z"] == pytest.approx((0.9 - 0.812) / np.sqrt(0.09 * 0.02 + (0.003 * 0.812) ** 2 + 0.0005**2))
    assert row["verdict"] == "agrees"
    assert (row["low"] + row["high"]) / 2 == pytest.approx(0.9)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.984 * 0.03, rel=1e-3)  # t of 99 degrees of freedom


def test_a_mean_over_bandwidths_is_one_of_independent_means():
    parts = [curve("kde", f"moons h={h} n=10", "replace", "test_loss", {1: m}, sd=s) for h, m, s in (("0.1", 1, 3), ("0.5", 2, 0), ("1.0", 6, 0))]  # fmt: skip
    row = row_of(published.compare(pd.concat(parts)), "moons h=0.1,0.5,1.0 n=10", 1)
    assert row["ours"] == 3
    assert row["error"] == pytest.approx(1 / np.sqrt(100))  # (3/3)²/100
    assert row_of(published.compare(pd.concat(parts[:2])), "moons h=0.1,0.5,1.0 n=10", 1)["verdict"] == "not run"


def test_a_mean_of_unknown_seeds_counts_as_exact():
    times = pd.DataFrame({"K": [10], "n": [100], "seeds": [400], "mean": [187.0], "se": [4.0], "exact": [188.5]})
    found = compared(evidence(collapse_times=times)).set_index("instance").loc["K=10 n=100"]
    assert found["z"] == pytest.approx((187 - 204) / np.sqrt(4**2 + (0.003 * 204) ** 2 + 0.5**2))
    assert (found["verdict"], found["closed"]) == ("differs", 188.5)
    assert "high" in found["reason"]
    doubtful = compared(evidence(collapse_times=times.assign(se=5.5))).set_index("instance").loc["K=10 n=100"]
    assert (doubtful["verdict"], doubtful["reason"]) == ("agrees", found["reason"])  # z = -3.1


def test_what_differs_has_its_reason_and_what_nobody_explained_says_so():
    found = compared(evidence(SWISS, MOONS))
    assert "second loop" in row_of(found, "swiss_roll h=0.1 n=1000", 50)["reason"].lower()
    assert row_of(found, "moons h=0.1 n=100", 1)["reason"] == "Not explained yet."
    shown_there = {
        row[0]: row[-1] for row in tables(report.blocks(evidence(SWISS, MOONS), report.HERE))["differences"].cells
    }
    assert shown_there["KDE, moons h=0.1 n=100"] == "Not explained yet."


def test_every_published_number_stands_in_the_report_once():
    """Run or not: by index, and as the text that was published."""
    made = report.blocks(evidence(), report.HERE)
    known = published.read()
    held = [index for table in tables(made).values() for index in table.holds]
    assert sorted(held) == list(known.index)
    for table in tables(made).values():
        texts = sorted(known.loc[list(table.holds), "text"])
        cells = [cell.removeprefix("0") if cell.startswith("0.") else cell for row in table.cells for cell in row]
        assert all(cells.count(text) >= texts.count(text) for text in set(texts)), table.name
    cardinality = pd.read_csv(report_cardinality.CARDINALITY, dtype=str)["published"]
    cells = [cell for row in tables(made)["cardinality-published"].cells for cell in row[1:]]
    assert sorted(cell for cell in cells if cell != "–") == sorted(cardinality)


def test_what_was_not_run_names_its_command():
    made = tables(report.blocks(evidence(), report.HERE))
    commands = {row[1] for row in made["not-run"].cells}
    assert "`thrive run --profile paper -t linear_regression && python -m paper.data`" in commands
    assert "`thrive run --profile as-published -t kde && python -m paper.data`" in commands
    assert "`python -m paper.collapse_time`" in commands
    assert sum(int(row[0]) for row in made["not-run"].cells) == (compared(evidence())["verdict"] == "not run").sum()
    assert {row[-1] for row in made["linear-regression"].cells} == {"not run"}


def test_the_summary_counts():
    summary = {row[0]: row[1:] for row in tables(report.blocks(evidence(GAUSSIAN, SWISS), report.HERE))["summary"].cells}  # fmt: skip
    known = published.read()
    trace = len(known[known["quantity"] == "trace_ratio"])
    assert summary["Gaussian estimation: trace ratio"][:5] == [str(trace), "2", "2", "0", str(trace - 2)]
    assert next(v for k, v in summary.items() if k.startswith("Kernel"))[1:4] == ["1", "0", "1"]


def test_closed_forms_are_those_of_the_textbook():
    found = compared(evidence()).set_index(["task", "instance", "entry", "quantity", "t"])["closed"]
    assert found["gaussian", "d=1 n=10", "replace", "trace_ratio", 5] == pytest.approx(0.9**5)
    assert found["gaussian", "d=100 n=1000", "replace", "mean_error", 10] == pytest.approx(100 * (1 - 0.999**10))
    b = 10 / (32 - 10 - 1)
    assert found["linear_regression", "d=10 n=32 σ²=1", "replace", "mse", 50] == pytest.approx(50 * b)
    by_sum = b * sum(1 / k**2 for k in range(1, 11))
    assert found["linear_regression", "d=10 n=32 σ²=1", "accumulate", "mse", 10] == pytest.approx(by_sum)
    assert found["kde"].isna().all()


def test_defects_show_both_numbers_beside_the_published_one():
    kde = [curve("kde", f"blobs h=1.0 n=1000{end}", "replace", "test_loss", {1: mean}) for end, mean in ((" as published", 20.9), ("", 4.0))]  # fmt: skip
    text = [curve("language_model", f"factbook n=200{end}", "replace", "duplicate_rate", {1: mean, 2: mean}) for end, mean in (("", 0.01), (" copies=64", 0.9))]  # fmt: skip
    made = tables(report.blocks(evidence(as_published=results("as-published", *kde, *text)), report.HERE))
    first, second = made["defects"].cells[:2]
    assert first[0] == "1"
    assert "Blobs" in first[1]
    assert first[4] == "21.2"
    assert first[5].startswith("20.9 (")
    assert first[6].startswith("4 (")
    assert (second[5].split()[0], second[6].split()[0]) == ("0.9", "0.01")


@pytest.mark.parametrize(("accumulate", "word"), [(4.5, "yes"), (4.02, "open"), (3.5, "no:")])
def test_patterns_are_compared_by_the_side_that_the_interval_lies_on(accumulate, word):
    """Published: accumulate rises. Ours starts at 4 ± .05."""
    ends = {"replace": 6.0, "accumulate-subsample": 5.0, "accumulate": accumulate}
    curves = [curve("language_model", "factbook n=200", e, "test_loss", {1: 4.0, 4: end}, seeds=3, sd=0.05) for e, end in ends.items()]  # fmt: skip
    rows = {row[0]: row for row in tables(report.blocks(evidence(*curves), report.HERE))["language-model-patterns"].cells}  # fmt: skip
    assert rows["accumulate, change since t = 1"][-1].startswith(word)
    assert rows["replace, change since t = 1"][-1] == "yes"
    assert rows["replace, change since t = 1"][1] == number(2.149 - 1.064)
    assert "Not explained" not in rows["accumulate, change since t = 1"][-1]
    assert rows["change of accumulate-subsample as a share of replace's: below 1"][-1] == "yes"


def test_a_ratio_has_the_error_of_both():
    """Monte Carlo of two independent normals, relative errors .01 and .02."""
    a, b = Estimate(2.0, 0.02, 50), Estimate(4.0, 0.08, 50)
    rng = np.random.default_rng(0)
    drawn = rng.normal(2, 0.02, 100_000) / rng.normal(4, 0.08, 100_000)
    assert a.over(b).error == pytest.approx(drawn.std(), rel=0.02)
    assert shown(Estimate(1.5, np.nan, 1)) == "1.5"


def test_the_workflows_coincide_at_their_first_iteration():
    """A slip of the finger in published.csv would show: same seeds, same real data, and so the same first fit, but for reading."""
    known = published.read()
    first = known[known["t"] == 1].groupby(["task", "instance", "quantity"])["published"]
    assert ((first.max() - first.min()) / first.min() < 2 * published.READING_ERROR).all()
    assert not known.duplicated(["task", "instance", "entry", "quantity", "t"]).any()
    assert known["source"].str.len().gt(0).all()


# Renderers


def a_table(*cells: str) -> Table:
    return Table("t", ["a", "b"], "lp", [list(cells), None, ["1", "`x`"]])


def test_text_stays_text_in_markdown():
    line = document.markdown([a_table(NASTY, "|")], report.HERE).splitlines()[2]
    assert len(re.findall(r"(?<!\\)\|", line)) == 3
    assert not set("<>") & set(re.sub("</?code>", "", line))
    unescaped = html.unescape(re.sub(r"\\(.)", r"\1", document.markdown_text(NASTY)))
    assert unescaped == NASTY


def words_of(content) -> str:
    """The text in what `typst query` returns."""
    if isinstance(content, dict):
        return content.get("text", "") + "".join(
            words_of(content[k]) for k in ("body", "child", "children") if k in content
        )
    return "".join(map(words_of, content)) if isinstance(content, list) else ""


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="`"), min_size=1))
def test_text_stays_text_in_typst(text):
    for nasty in (text, NASTY.replace("`", "")):
        source = document.typst([Heading(nasty), Paragraph(nasty), a_table(nasty, nasty)], report.HERE, nasty)
        [found] = json.loads(typst.query(source.encode(), "heading"))
        assert words_of(found) == nasty


def test_text_stays_text_in_latex():
    written = document.latex(a_table(NASTY.replace("`", ""), "σ² ‖μ‖ – ∞"), "x")
    assert written.isascii()
    line = next(line for line in written.splitlines() if line.startswith("a\\_b"))
    assert len(re.findall(r"(?<!\\)&", line)) == 1
    assert not re.search(r"(?<!\\)[%$#_]", line.replace(r"\ensuremath{^2}", ""))
    assert line.count("{") - line.count(r"\{") == line.count("}") - line.count(r"\}")
    with pytest.raises(ValueError, match="no LaTeX is known"):
        document.latex_text("愛")


def test_a_long_table_breaks_across_pages():
    rows = [["1", "2"]] * (document.LONG + 1)
    assert r"\begin{longtable}" in document.latex(Table("t", ["a", "b"], "ll", rows), "x")
    assert r"\begin{tabular}" in document.latex(Table("t", ["a", "b"], "ll", rows[1:]), "x")


def test_a_table_of_unequal_rows_is_refused():
    with pytest.raises(ValueError, match="table t: 1 cells, expected 2"):
        Table("t", ["a", "b"], "ll", [["1"]])


def test_the_bytes_depend_on_the_data_alone(tmp_path):
    made = report.blocks(evidence(GAUSSIAN, SWISS), tmp_path)
    first = {path: path.read_bytes() for path in report.write(made, tmp_path)}
    (tmp_path / "tables" / "stale.tex").write_text("x")
    assert {path: path.read_bytes() for path in report.write(made, tmp_path)} == first
    assert not (tmp_path / "tables" / "stale.tex").exists()
    assert b"CreationDate" not in first[tmp_path / "report.pdf"]
    assert {path.stem for path in first if path.suffix == ".tex"} == set(tables(made))


# The data


def test_slim_data_hold_what_is_shown_and_come_back(tmp_path):
    means = dict.fromkeys(range(1, 101), 1.0)
    kept = curve("gaussian", "d=1 n=10", "replace", "trace_ratio", means)
    flat = curve("gaussian", "d=1 n=10", "real-only", "trace_ratio", means)
    other = curve("gaussian", "d=1 n=10", "replace", "candidates", means)
    found = data.slim(results("paper", kept, flat, other), data.grid(100))
    assert set(found.curves["quantity"]) == {"trace_ratio"}
    assert set(found.curves["entry"]) == {"replace"}
    assert list(found.curves["t"]) == data.grid(100)
    assert set(range(1, 21)) | {50, 100} <= set(data.grid(100))
    assert list(found.curves) == data.COLUMNS
    found.write_curves(tmp_path)
    again = data.read(tmp_path)
    assert again.scores.empty
    pd.testing.assert_frame_equal(again.curves, found.curves, check_dtype=False)
    assert again.about == found.about


def test_data_that_are_not_there_name_their_commands(tmp_path):
    with pytest.raises(ThriveError, match="thrive run --profile paper, then python -m paper.data"):
        data.read(tmp_path)


def test_only_task_settings_with_results_are_gathered(tmp_path):
    found = results("paper", GAUSSIAN)
    Results(pd.DataFrame({"x": [1]}), found.curves, found.about).write(tmp_path / "gaussian")
    gathered, missing = data.gather(tmp_path, ["gaussian", "kde"])
    assert gathered is not None
    assert set(gathered.about["tasks"]) == {"gaussian"}
    assert missing == ["kde"]
    assert data.gather(tmp_path / "none", ["kde"]) == (None, ["kde"])
    assert at(gathered, "gaussian", "d=1 n=10", "replace", "trace_ratio", 2).mean == pytest.approx(0.9)


def test_running_one_task_setting_again_loses_none_of_the_others(tmp_path):
    both = results(
        "paper",
        curve("gaussian", "d=1 n=10", "replace", "trace_ratio", {1: 0.9}),
        curve("kde", "moons", "replace", "test_loss", {1: 2.0}),
    )
    both.write_curves(tmp_path)
    again = results("paper", curve("gaussian", "d=1 n=10", "replace", "trace_ratio", {1: 0.8}))
    found = data.with_kept(again, tmp_path, ["kde"])
    assert set(found.about["tasks"]) == {"gaussian", "kde"}
    assert dict(zip(found.curves["task"], found.curves["mean"], strict=True)) == pytest.approx(
        {"gaussian": 0.8, "kde": 2.0}
    )
    assert data.with_kept(again, tmp_path / "none", ["kde"]) is again


def test_the_plain_loop_adds_up_what_accumulate_has_seen():
    """Its running sum of kernels is the sum over the pool: at t = 1 all workflows are one fit."""
    first = {workflow: plain_loop.losses(workflow, 3, (1, 2)) for workflow in plain_loop.WORKFLOWS}
    assert len({round(losses[0], 9) for losses in first.values()}) == 1
    assert first["accumulate"][1] < first["replace"][1]
