"""leaderboard.html in a real browser: what a reader can do with it, and what strangers' text must not do to it."""

import os
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
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


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

    def open_(path, size=DESKTOP, **options):
        window = browser.new_context(viewport=size, **options)
        windows.append(window)
        page = window.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda asked: faults.append(f"request: {asked.url}") if asked.url != path.as_uri() else None)
        page.goto(path.as_uri())
        page.wait_for_selector("#ranks svg")
        return page

    yield open_
    for window in windows:
        window.close()
    assert faults == []


@pytest.fixture(scope="module")
def committed(root):
    return root / "leaderboard" / "leaderboard.html"


def entries_of(page):
    """The visible rows in their order, without reference lines."""
    return page.locator("#rows tbody tr[data-entry]:not(.reference)").evaluate_all(
        "rows => rows.filter(row => row.offsetParent).map(row => row.dataset.entry)"
    )


def test_the_committed_page_is_one_small_file(committed):
    """Every test of this file checks that the page asks for no other file."""
    assert committed.stat().st_size < 3_000_000


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_and_fits_its_window(show, committed, size, scheme):
    """The page is never wider than the window: wide parts scroll by themselves."""
    page = show(committed, size, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#rows tbody tr[data-entry]").count() > 30
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light == (scheme == "light")


def test_it_sorts_within_divisions(show, committed):
    page = show(committed)
    first = entries_of(page)
    page.locator("#rows thead th", has_text="verdict").click()
    assert sorted(entries_of(page)) == sorted(first)
    assert entries_of(page) != first
    groups = page.locator("#rows tr.dtrg-group").all_inner_texts()
    assert len(groups) == len(set(groups)) >= 3


def test_it_filters_by_track_budget_task_setting_and_text(show, committed):
    page = show(committed)
    everyone = entries_of(page)
    page.select_option("#track", "blind")
    page.select_option("#budget", "growing")
    assert entries_of(page) == ["accumulate"]
    page.select_option("#track", "")
    page.select_option("#budget", "")
    page.select_option("#task", "kde")
    of_kde = entries_of(page)
    assert "pool-bandwidth" in of_kde
    assert "unbiased-covariance" not in of_kde
    assert page.locator("#rows th.gaussian").count() == 0
    page.select_option("#task", "")
    page.fill("#text", "golden")
    assert entries_of(page) == ["golden-ratio"]
    page.fill("#text", "")
    assert entries_of(page) == everyone


def test_a_row_opens_its_page_and_back(show, committed):
    page = show(committed)
    page.locator("#rows tr[data-entry=anchor-0\\.5] td.number").first.click()
    article = page.locator("#entry-anchor-0\\.5")
    article.wait_for(state="visible")
    assert not page.locator("#board").is_visible()
    assert page.title().startswith("anchor-0.5")
    article.locator(".curves svg").nth(9).wait_for()
    assert "thrive run" in article.inner_text()
    page.get_by_text("← the board").locator("visible=true").click()
    page.locator("#board").wait_for(state="visible")
    page.locator("#rows tr[data-entry=accumulate] a").first.press("Enter")  # by keyboard alone
    page.locator("#entry-accumulate").wait_for(state="visible")


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
    article.locator("summary").first.click()
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
