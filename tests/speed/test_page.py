"""How long a reader waits for the board's page with 500 entries and three task-settings: seconds in headless Chromium."""

import shutil
import time

import pandas as pd
import pytest

from benchmark.entries.catalogue import find
from benchmark.results import scoring
from benchmark.results.gather import Results
from leaderboard.board import build
from leaderboard.render import write
from tests.leaderboard.test_board import REPLACE, some_results
from tests.results.test_scoring import frame

playwright = pytest.importorskip("playwright.sync_api")
ENTRIES = 500
TASKS = ("gaussian", "kde", "language_model")


def many() -> Results:
    """500 entries and replace, on one instance of each task-setting, with two seeds."""
    losses = {
        f"entry-{i:03d}": [[1, 1 + i / 300, 1 + i / 200], [1, 1.1 + i / 300, 1.05 + i / 200]] for i in range(ENTRIES)
    }
    losses["replace"] = REPLACE
    one = some_results(losses)
    records = pd.concat([frame(losses).assign(task=task) for task in TASKS])
    about = one.about.model_copy(update={"tasks": dict.fromkeys(TASKS, one.about.tasks["gaussian"])})
    return Results(scoring.per_seed(records), scoring.curves(records), about)


def test_page_with_500_entries(benchmark, tmp_path, root):
    cards = {entry.id: entry.card for entry in find(root).values()}
    cards |= {f"entry-{i:03d}": cards["anchor-0.5"].model_copy(update={"id": f"entry-{i:03d}"}) for i in range(ENTRIES)}
    results, path, took = many(), tmp_path / "leaderboard.html", {}

    def timed(name, action):
        found, took[name] = _timed(action)
        return found

    board = timed("build_s", lambda: build.build_board(results, cards))
    path.write_text(timed("write_s", lambda: write.html(board, results)), encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()

        def load():
            page.goto(path.as_uri())
            page.wait_for_selector("body[data-drawn]")

        benchmark.pedantic(load, rounds=3)
        timed("sort_s", lambda: page.locator("#rows thead th button", has_text="verdict").click())
        timed("filter_s", lambda: page.fill("#text", "entry-49"))
        timed("open_s", lambda: _open(page))
        browser.close()
    load_s = min(benchmark.stats.stats.data) if benchmark.stats else None
    benchmark.extra_info.update(
        {"megabytes": round(path.stat().st_size / 1e6, 2), "load_s": load_s and round(load_s, 2)}
        | {name: round(value, 2) for name, value in took.items()}
    )


def _open(page):
    page.locator("#rows tr[data-entry=entry-495] a").first.click()
    page.locator("#entry-entry-495 svg").first.wait_for()


def _timed(action):
    before = time.perf_counter()
    return action(), time.perf_counter() - before
