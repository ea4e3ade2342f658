"""leaderboard.html in a real browser: what a reader can do with it, and what strangers' text must not do to it."""

import json
import os
import re
import shutil

import pytest

from benchmark.entries.catalogue import find
from leaderboard.board import build
from leaderboard.render import write
from tests.leaderboard.test_board import REPLACE, some_results

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<script>alert(1)</script>"
HALF_OPEN = "</script><img src=x onerror=alert(2)>&lt;'\"`|{{7919*7907}}\\$"
WIDE, DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 1200, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None or "/snap/" in os.path.realpath(CHROMIUM):
        pytest.skip("no Chromium here that may read /tmp. On Debian: apt install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser):
    """Opens a file in a new window. At the end the page must have raised no error and sent no request to a network."""
    faults, windows = [], []

    def open_(path, size=DESKTOP, at="", **options):
        window = browser.new_context(viewport=size, **options)
        windows.append(window)
        page = window.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda asked: (
                faults.append(f"request: {asked.url}") if asked.url.partition("#")[0] != path.as_uri() else None
            ),
        )
        page.goto(path.as_uri() + at)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("body[data-drawn]")
        return page

    yield open_
    for window in windows:
        window.close()
    assert faults == []


@pytest.fixture(scope="module")
def committed(root):
    return root / "leaderboard" / "leaderboard.html"


def entries_of(page):
    """The rows that are to be seen, in their order."""
    return page.locator("#rows tbody tr[data-entry]").evaluate_all(
        "rows => rows.filter(row => row.offsetParent).map(row => row.dataset.entry)"
    )


def test_the_committed_page_is_one_small_file(committed):
    """Every test of this file checks that the page asks for no other file."""
    assert committed.stat().st_size < 3_000_000


@pytest.mark.parametrize("size", [WIDE, DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_and_fits_its_window(show, committed, size, scheme):
    """All seven columns: nothing is wider than the window."""
    page = show(committed, size, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.getElementById('rows').getBoundingClientRect().right <= innerWidth")
    assert page.locator("#rows tbody tr[data-entry]").count() > 30
    assert page.locator("#rows .group").evaluate_all("rows => rows.filter(r => r.offsetParent).length") == 1
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light == (scheme == "light")
    if size != PHONE:
        assert page.locator("#rows thead th").evaluate_all("cells => cells.filter(c => c.offsetParent).length") == 7


def test_the_situation_chooses_the_division_ranks_anew_and_stands_in_the_address(show, committed, root):
    board = json.loads((root / "leaderboard" / "leaderboard.json").read_text())
    rows = next(d["rows"] for d in board["divisions"] if (d["track"], d["budget"]) == ("labelled", "fixed"))
    page = show(committed)
    page.select_option("#track", "labelled")
    assert entries_of(page) == [row["entry"] for row in rows]
    page.select_option("#judge", "kde")
    on_kde = {
        row["entry"]: part["rank"] for row in rows for part in row["tasks"] if part["task"] == "kde" and part["rank"]
    }
    assert entries_of(page)[: len(on_kde)] == sorted(on_kde, key=on_kde.__getitem__)
    first = min(on_kde, key=on_kde.__getitem__)
    assert f"labelled, fixed budget, on KDE: {first}" in page.locator("#answer").inner_text()
    assert page.locator(f"tr[data-entry='{first}'] .judge.kde").is_visible()
    assert page.url.endswith("#for=labelled,fixed,kde")
    again = show(committed, at="#for=labelled,fixed,kde")
    assert entries_of(again) == entries_of(page)
    again.select_option("#track", "assisted")
    again.select_option("#budget", "growing")
    assert "Nobody has entered" in again.locator("#answer").inner_text()


def test_it_sorts_both_ways_and_what_has_no_number_is_last(show, committed):
    page = show(committed)
    head = page.locator("#rows thead th.kde button")
    orders = []
    for said in ("ascending", "descending"):
        head.press("Enter")
        assert page.locator("#rows thead th.kde").get_attribute("aria-sort") == said
        keys = page.locator("tr[data-entry]:not([hidden]) td.kde").evaluate_all(
            "cells => cells.filter(c => c.offsetParent).map(c => Number(c.dataset.order))"
        )
        orders.append([key for key in keys if key < 1e9])
        assert all(key >= 1e9 for key in keys[len(orders[-1]) :])
        assert len(orders[-1]) < len(keys)
    assert orders[0] == sorted(orders[0]) == orders[1][::-1]


def test_search_finds_authors_titles_and_arxiv_numbers_in_all_divisions(show, committed, root):
    page = show(committed)
    everyone = entries_of(page)
    board = json.loads((root / "leaderboard" / "leaderboard.json").read_text())
    cited = next(row for d in board["divisions"] for row in d["rows"] if row["citation"] and "arXiv" in row["citation"])
    number = re.search(r"\d{4}\.\d{5}", cited["citation"])[0]
    for text in (number, cited["authors"][0], "golden"):
        page.fill("#text", text)
        assert (cited["entry"] if text != "golden" else "golden-ratio") in entries_of(page), text
    page.fill("#text", "")
    assert entries_of(page) == everyone


def test_more_columns_and_all_divisions(show, committed):
    page = show(committed)
    page.check("#more")
    assert page.locator("#rows thead th.more").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # they scroll by themselves
    page.check("#everyone")
    assert len(entries_of(page)) > 30
    assert page.locator("#rows .group").evaluate_all("rows => rows.filter(r => r.offsetParent).length") >= 5


def test_without_javascript_all_divisions_stand_in_their_order(show, committed, root):
    board = json.loads((root / "leaderboard" / "leaderboard.json").read_text())
    page = show(committed, java_script_enabled=False)
    assert page.locator("#rows tbody tr[data-entry] a").all_inner_texts()[:3]
    shown = [text.split()[0] for text in page.locator("#rows tbody th.entry").all_inner_texts()]
    assert shown == [row["entry"] for division in board["divisions"] for row in division["rows"]]
    page.goto(committed.as_uri() + "#entry-accumulate")
    assert page.locator("#entry-accumulate").is_visible()


def test_a_row_opens_its_page_and_back(show, committed):
    page = show(committed, at="#for=labelled,fixed,all")
    page.locator("#rows tr[data-entry=anchor-0\\.5] td.number").first.click()
    article = page.locator("#entry-anchor-0\\.5")
    article.wait_for(state="visible")
    assert not page.locator("#board").is_visible()
    assert page.title().startswith("anchor-0.5")
    article.locator(".curves svg").nth(2).wait_for()
    assert article.locator(".others svg").first.is_visible() is False
    words = article.inner_text()
    assert "In short: Rank" in words
    assert "class Anchor" in words
    assert "thrive run" in words
    page.get_by_text("← the board").locator("visible=true").click()
    page.locator("#board").wait_for(state="visible")
    assert page.url.endswith("#for=labelled,fixed,all")
    page.locator("#rows tr[data-entry=self-correction] a").first.press("Enter")  # by keyboard alone
    page.locator("#entry-self-correction").wait_for(state="visible")


def test_it_is_named_for_a_screen_reader(show, committed):
    """Every control, region and chart has a name, the table's cells have headers, and scrolling parts can be reached by keyboard."""
    page = show(committed)
    unnamed = page.evaluate("""() => [...document.querySelectorAll("select, input")].filter(e => !e.labels.length).length
        + [...document.querySelectorAll("main svg[role]")].filter(e => !e.getAttribute("aria-label")).length
        + [...document.querySelectorAll(".wide[tabindex]")].filter(e => !e.getAttribute("aria-label")).length""")
    assert unnamed == 0
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("#rows thead th").evaluate_all("cells => cells.every(cell => cell.scope === 'col')")
    assert page.locator("#rows tbody tr[data-entry] th").evaluate_all("cells => cells.every(c => c.scope === 'row')")
    assert page.locator("#rows tbody svg.dot").evaluate_all(
        "all => all.every(svg => svg.getAttribute('aria-hidden') === 'true')"
    )
    assert page.locator("#answer").get_attribute("aria-live") == "polite"


@pytest.fixture(scope="module")
def cards(root):
    return {entry.id: entry.card for entry in find(root).values()}


def test_strangers_text_stays_text(show, cards, tmp_path):
    """Name, description, author, citation, hyperparameters, reason, and what a language model wrote."""
    ours = cards["anchor-0.5"].model_copy(
        update={
            "name": HOSTILE, "description": HALF_OPEN, "authors": [HOSTILE], "citation": HALF_OPEN,
            "hyperparameters": {HOSTILE: HALF_OPEN}, "tuned_on": HALF_OPEN, "licence": HOSTILE,
        }
    )  # fmt: skip
    results = some_results(
        {"replace": REPLACE, "anchor-0.5": REPLACE, "anchor-0.1": REPLACE},
        texts={"anchor-0.5": {"1": [HALF_OPEN, HOSTILE]}},
        refused={"anchor-0.1": HALF_OPEN},
    )
    board = build.build_board(results, cards | {"anchor-0.5": ours})
    for path in write.write(board, results, tmp_path):
        if path.suffix == ".md" and path.name != "samples.md":  # whose lines are indented code
            assert "<script" not in path.read_text()
            assert "<img" not in path.read_text()
        if path.suffix == ".tex":
            assert "<" not in path.read_text()
    page = show(tmp_path / "leaderboard.html")
    page.evaluate("location.hash = 'entry-anchor-0.5'")
    article = page.locator("#entry-anchor-0\\.5")
    article.locator("summary", has_text="Generation 1").click()
    shown = article.inner_text()
    assert shown.count(HOSTILE) == 5  # name, author, licence, a key, a sample
    assert shown.count(HALF_OPEN) == 5  # description, citation, a value, tuned_on, a sample
    assert "62615533" not in page.locator("body").inner_text()
    assert page.locator("main img, article img").count() == 0


def test_it_stays_usable_with_500_entries(show, cards, tmp_path):
    """Everything still works. tests/speed/test_page.py measures how fast."""
    results = some_results({"replace": REPLACE, "anchor-0.5": [[1, 1.1, 1.2], [1, 1.1, 1.1]]})
    board = build.build_board(results, cards)
    [division] = board.divisions
    row = division.rows[0]
    rows = [row.model_copy(update={"entry": f"entry-{i:03d}", "rank": 1 + i}) for i in range(500)]
    board = board.model_copy(update={"divisions": [division.model_copy(update={"rows": rows})]})
    path = tmp_path / "leaderboard.html"
    path.write_text(write.html(board, results), encoding="utf-8")
    page = show(path)
    assert entries_of(page) == [f"entry-{i:03d}" for i in range(500)]
    page.fill("#text", "entry-49")
    assert entries_of(page) == [f"entry-{i}" for i in range(490, 500)]
    page.locator("#rows tr[data-entry=entry-495] a").first.click()
    page.locator("#entry-entry-495").wait_for(state="visible")
