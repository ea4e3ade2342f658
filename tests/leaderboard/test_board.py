"""The board: a pure function of scores and cards, in every format."""

import html
import io
import json
import re
import shutil

import jsonschema
import numpy as np
import pandas as pd
import pytest

from benchmark.entries.catalogue import find
from benchmark.forecast.tables import LAWS_FILE, read_classes
from benchmark.results import gather as results
from benchmark.results import scoring
from benchmark.results.about import About, AboutTask
from benchmark.results.gather import Results
from benchmark.runs import params
from leaderboard.board import build, known, summary
from leaderboard.board.schema import Board
from leaderboard.render import html as htmlpage
from leaderboard.render import markdown, publish, tables, write
from leaderboard.render.html import Around
from tests.results.test_scoring import frame

NUMBERS = {"d": 2, "n": 10}
COMPUTED = {"dates": ["2026-01-31"], "commits": ["0" * 40], "platforms": ["Linux"], "versions": {"python": ["3.11.2"]}}


def some_results(losses: dict[str, list[list[float]]], **about) -> Results:
    records = frame(losses)
    told = {
        "unit": "nats per example", "horizon": 3, "seeds": sorted(set(records["seed"])), "entries": list(losses), "refused": {},
        "texts": {}, "computed": COMPUTED, "instances": [{"name": "i", "ranked": True, "numbers": NUMBERS}], **about,
    }  # fmt: skip
    return Results(
        scoring.per_seed(records), scoring.curves(records), About(profile="p", tasks={"gaussian": AboutTask(**told)})
    )


def with_task(found: Results, task: str, **changes) -> About:
    """Add a task-setting that is the Gaussian with some changes."""
    changed = found.about.tasks["gaussian"].model_copy(update=changes)
    return found.about.model_copy(update={"tasks": found.about.tasks | {task: changed}})


@pytest.fixture(scope="module")
def cards(root):
    return {entry.id: entry.card for entry in find(root).values()}


REPLACE = [[1, 2, 3], [1, 2.2, 3.3]]


def rows_of(board):
    return {row.entry: row for division in board.divisions for row in division.rows} | {
        r.entry: r for r in board.references
    }


def test_the_committed_board_is_what_the_committed_scores_give(root, tmp_path, cards):
    """Byte for byte, with the committed verifications: nobody edits a number by hand."""
    names = ["about.json", "scores.parquet", "curves.parquet"]
    for name in names:
        shutil.copy(root / "leaderboard" / name, tmp_path)
    found = results.read(tmp_path)
    beyond = known.known(root, params.load(root), find(root))
    beside = Around("..", publish.sources(find(root).values()))
    for path in write.write(build.build_board(found, cards, beyond), found, tmp_path, beside):
        assert path.read_bytes() == (root / "leaderboard" / path.name).read_bytes(), path.name


def test_the_readme_shows_the_first_three_of_every_division(root):
    readme, board = (
        (root / "README.md").read_text(),
        json.loads((root / "leaderboard" / "leaderboard.json").read_text()),
    )
    first = [row["entry"] for division in board["divisions"] for row in division["rows"][:3] if row["rank"] is not None]
    rows = [line.split(" | ") for line in readme.splitlines() if re.match(r"\| (blind|labelled|assisted), ", line)]
    assert [re.search(r"`(.+)`", row[2])[1] for row in rows] == first
    assert all(sentence in readme for sentence in summary.in_short(Board.model_validate(board)))


def test_the_committed_scores_order_the_workflows_in_every_task_setting(root):
    """By score of the final loss over ranked instances: replace > accumulate-subsample > accumulate > real-only."""
    board = json.loads((root / "leaderboard" / "leaderboard.json").read_text())
    rows = {r["entry"]: r for r in board["references"] + [r for d in board["divisions"] for r in d["rows"]]}
    infinite = {None: np.inf}
    score = {
        entry: {t["task"]: infinite.get(t["score"]["centre"], t["score"]["centre"]) for t in row["tasks"]}
        for entry, row in rows.items()
    }
    for task in score["replace"]:
        assert (
            score["replace"][task]
            > score["accumulate-subsample"][task]
            > score["accumulate"][task]
            > score["real-only"][task]
        )


def test_the_json_fits_its_schema(root):
    folder = root / "leaderboard"
    jsonschema.validate(
        json.loads((folder / "leaderboard.json").read_text()),
        json.loads((folder / "leaderboard.schema.json").read_text()),
    )


def test_entries_are_ranked_within_their_division(cards):
    board = build.build_board(some_results({
        "replace": REPLACE, "accumulate-subsample": [[1, 1.5, 2], [1, 1.6, 2]], "anchor-0.1": [[1, 1.5, 2], [1, 1.6, 2]],
        "anchor-0.5": [[1, 1.2, 1.3], [1, 1.2, 1.3]], "accumulate": [[1, 0.9, 0.8], [1, 0.9, 0.9]],
    }), cards)  # fmt: skip
    assert [(d.track, d.budget, [r.entry for r in d.rows]) for d in board.divisions] == [
        ("blind", "fixed", ["accumulate-subsample"]),
        ("blind", "growing", ["accumulate"]),
        ("labelled", "fixed", ["anchor-0.5", "anchor-0.1"]),
    ]
    assert [r.entry for r in board.references] == ["replace"]
    assert rows_of(board)["replace"].rank is None


def test_divergence_ranks_last_and_shows(cards):
    board = build.build_board(some_results({
        "replace": REPLACE, "anchor-0.1": [[1, 2, np.inf], [1, 1, 1]], "anchor-0.5": [[1, 900, 900], [1, 900, 900]],
    }), cards)  # fmt: skip
    rows = rows_of(board)
    assert (rows["anchor-0.5"].rank, rows["anchor-0.1"].rank) == (1, 2)
    assert rows["anchor-0.1"].tasks[0].survival == 0.5
    assert "+inf" in markdown.markdown(board)


def test_a_row_with_missing_cells_is_incomplete_and_says_which(cards):
    board = build.build_board(
        some_results({"replace": REPLACE, "anchor-0.1": [[1, 2, 2]], "anchor-0.5": REPLACE}), cards
    )
    row = rows_of(board)["anchor-0.1"]
    assert (row.rank, row.score, row.missing) == (None, None, ["gaussian i: 1 of 2 seeds"])
    assert "`anchor-0.1` is incomplete: gaussian i: 1 of 2 seeds" in markdown.markdown(board)


def test_a_refusal_is_a_dash_with_its_reason(cards):
    board = build.build_board(
        some_results({"replace": REPLACE, "anchor-0.1": REPLACE}, refused={"anchor-0.5": "no such knob"}), cards
    )
    assert "anchor-0.5" not in rows_of(board)  # it ran nowhere
    two = some_results({"replace": REPLACE, "anchor-0.5": REPLACE})
    kde = frame({"replace": REPLACE}).assign(task="kde")
    about = with_task(two, "kde", refused={"anchor-0.5": "no such knob"})
    both = Results(pd.concat([two.scores, scoring.per_seed(kde)]), two.curves, about)
    row = rows_of(build.build_board(both, cards))["anchor-0.5"]
    assert (row.rank, row.score, row.refused) == (None, None, {"kde": "no such knob"})
    assert "does not run on kde: no such knob" in markdown.markdown(build.build_board(both, cards))


def test_an_instance_where_replace_does_no_damage_is_not_ranked(cards):
    board = build.build_board(some_results({"replace": [[1, 1, 1]], "anchor-0.5": [[1, 2, 2]]}), cards)
    assert not board.tasks[0].instances[0].ranked
    assert "no measurable damage" in board.tasks[0].instances[0].reason


def test_results_survive_writing(tmp_path, cards):
    one = some_results({"replace": REPLACE, "anchor-0.5": [[1, np.inf, 2], [1, 2, 3]]})
    one.write(tmp_path)
    again = results.read(tmp_path)
    pd.testing.assert_frame_equal(again.scores, one.scores)
    pd.testing.assert_frame_equal(again.curves, one.curves)
    assert build.build_board(again, cards) == build.build_board(one, cards)


def test_csv_has_every_row_of_the_board(cards):
    found = build.build_board(
        some_results({"replace": REPLACE, "anchor-0.5": [[1, np.inf, 1], [1, 1, 1]], "accumulate": [[1, 1, 1.5]] * 2}),
        cards,
    )
    table = pd.read_csv(io.StringIO(tables.as_csv(found)), keep_default_na=False)
    assert set(table["entry"]) == set(rows_of(found))
    by_entry = table.set_index("entry")
    assert by_entry.loc["anchor-0.5", "score"] == np.inf
    assert float(by_entry.loc["accumulate", "score"]) == rows_of(found)["accumulate"].score.centre
    assert by_entry.loc["replace", "rank"] == ""


def test_the_class_of_the_law_is_a_column_on_the_page_and_in_the_csv(cards):
    """It comes from the committed table of laws, for entries whose code and data are those of the table."""
    losses = some_results({"replace": REPLACE, "accumulate": [[1, 1, 1.5]] * 2})
    laws = {"accumulate": {("gaussian", "i"): "saturating", ("gaussian", "another"): "linear"}}
    found = build.build_board(losses, cards, known.Known(laws=laws))
    row = rows_of(found)["accumulate"]
    assert (row.laws, row.tasks[0].instances[0].law) == ({"saturating": 1}, "saturating")
    assert rows_of(found)["replace"].laws == {}
    by_entry = pd.read_csv(io.StringIO(tables.as_csv(found)), keep_default_na=False).set_index("entry")
    assert list(by_entry["law"][["accumulate", "replace"]]) == ["saturating", ""]
    page = htmlpage.html(found, losses)
    assert '<td class="more" data-label="law">saturating (1 of 1)</td>' in page


def test_classes_are_read_for_the_code_that_they_are_of(tmp_path):
    path = tmp_path / LAWS_FILE
    path.parent.mkdir(parents=True)
    path.write_text("task,instance,entry,digest,class\nkde,moons,a,abc,linear\nkde,blobs,b,def,constant\n")
    assert read_classes(tmp_path, "abc") == {("kde", "moons"): "linear"}
    assert read_classes(tmp_path, "changed since") == {}


def test_latex_rows_have_the_columns_that_the_table_declares(cards):
    text = tables.latex(build.build_board(some_results({"replace": REPLACE, "accumulate": [[1, 1, 1.5]] * 2}), cards))
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    declared = re.search(r"begin\{tabular\}\{(\w+)\}", text)[1]
    assert {row.count("&") + 1 for row in rows} == {len(declared)}
    assert len(rows) == 3


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "[here](http://x)", "`a` *b* # c", "a\n\n# b", "&lt;", "| a |"]
)
def test_strangers_text_stays_text_in_markdown(text):
    shown = markdown.plain(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)[\[\]`*#|<>]", shown)
    assert html.unescape(re.sub(r"\\(.)", r"\1", shown)) == " ".join(text.split())
