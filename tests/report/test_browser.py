"""The page in a real browser, where one is installed: what the script does, seen from outside."""

from pathlib import Path

import pytest

from omnibench.report.page.render import MOST_ROWS, Page, to_html
from omnibench.report.table import Cell, Column, Table
from tests.report.browser import Browser
from tests.report.page_records import ATTACK

CELL = "#t1 tbody td[data-details]"
NAMES = (
    "[...document.querySelectorAll('#t1 tbody tr:not([hidden])')]"
    ".map(row => `${row.cells[0].innerText} ${row.cells[1].innerText}`.trim())"
)
SHOWN = "[...document.querySelectorAll('#tip:not([hidden])')].map(tip => tip.innerText)"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(13, 17, 23)"


def test_a_column_sorts_by_click_and_by_key(browser: Browser) -> None:
    head = "#t1 thead th:nth-child(3)"
    before = browser.run(NAMES)
    browser.point(f"{head} .sort", click=True)
    assert browser.run(f"document.querySelector('{head}').ariaSort") == "descending"
    falling = browser.run(NAMES)
    assert falling[0] == "good full"
    assert set(falling[-2:]) == {"lost knn", "lost full"}  # without a number: last
    browser.run(f"document.querySelector('{head} .sort').focus()")
    browser.key("Enter")
    assert browser.run(f"document.querySelector('{head}').ariaSort") == "ascending"
    rising = browser.run(NAMES)
    assert rising[:-2] == falling[:-2][::-1]
    assert set(rising[-2:]) == {"lost knn", "lost full"}
    assert "ascending" in browser.run("document.getElementById('t1-s').textContent")
    browser.point("#t1 thead th:nth-child(2) .sort", click=True)
    adaptations = [name.partition(" ")[2] for name in browser.run(NAMES)]
    assert adaptations == sorted(name.partition(" ")[2] for name in before)
    assert browser.run("document.querySelectorAll('#t1 [aria-sort=none]').length") == 4


def test_rows_are_filtered_by_every_word(browser: Browser) -> None:
    browser.run("document.getElementById('t1-f').focus()")
    browser("Input.insertText", text="GOOD lin")
    assert browser.run(NAMES) == ["good linear"]
    assert browser.run("document.getElementById('t1-s').textContent") == "1 of 10 rows"
    browser.run(
        "(() => { const f = document.getElementById('t1-f'); f.value = '';"
        " f.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert len(browser.run(NAMES)) == 10


def test_details_come_on_hover_focus_and_tap_and_go_with_escape(browser: Browser) -> None:
    browser.point(CELL)
    (shown,) = browser.run(SHOWN)
    assert shown.startswith("good linear on dots, macro-f1.")
    assert "Metric definition: omnirad-classification." in shown
    browser.key("Escape")
    assert browser.run(SHOWN) == []
    browser.run(f"document.querySelector('{CELL}').focus()")
    assert browser.run(SHOWN) == [shown]
    browser.key("ArrowDown")
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert browser.run(SHOWN)[0].startswith("lost linear on dots")
    assert browser.run(f"document.querySelectorAll('{CELL}[tabindex=\"0\"]').length") == 1
    browser.key("Escape")
    browser.point("#t1 tbody tr:nth-child(4) td[data-details]", click=True)
    (pinned,) = browser.run(SHOWN)
    assert pinned.startswith("good knn")
    inside = browser.run(
        "(() => { const r = document.querySelector('#tip').getBoundingClientRect();"
        " return r.left >= 0 && r.top >= 0 && r.right <= innerWidth && r.bottom <= innerHeight })()"
    )
    assert inside
    browser.point("h1", click=True)
    assert browser.run(SHOWN) == []


def test_a_value_that_is_reached_by_key_shows_its_details_wherever_it_was(browser: Browser) -> None:
    browser.resize(390, 400, mobile=True)
    browser.run("scrollTo({top: 0, behavior: 'instant'})")
    browser.run(
        "(cell => { cell.tabIndex = -1; cell.focus() })"
        "(document.querySelector('#t1 tbody tr:nth-last-child(2) td:last-child'))"
    )
    settled = (
        "new Promise(done => { let last; const look = () => { if (last === scrollY) done();"
        " last = scrollY; setTimeout(look, 150) }; look() })"
    )
    browser.run(settled)
    tip = "document.querySelector('#tip')"
    assert browser.run(f"getComputedStyle({tip}).visibility") == "visible"
    assert browser.run(
        f"(() => {{ const r = {tip}.getBoundingClientRect(), width = innerWidth;"
        " return r.left >= 0 && r.right <= width && r.top >= 0 && r.bottom <= innerHeight })()"
    )
    browser.run("scrollTo({top: 0, behavior: 'instant'})")
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert browser.run(f"getComputedStyle({tip}).visibility") == "hidden"


def test_a_reader_hears_the_details(browser: Browser) -> None:
    browser.run(f"document.querySelector('{CELL}').focus()")
    nodes = browser("Accessibility.getFullAXTree")["nodes"]
    (text,) = [
        node["description"]["value"]
        for node in nodes
        if node.get("role", {}).get("value") == "gridcell" and "description" in node
    ]
    assert " ".join(text.split()).startswith("good linear on dots, macro-f1. n = 3 repetitions")


def test_dark_follows_the_system_and_the_button_which_names_what_it_does(browser: Browser) -> None:
    name = "document.getElementById('theme').textContent"
    assert (browser.run(BACKGROUND), browser.run(name)) == (LIGHT, "Switch to dark")
    browser.point("#theme", click=True)
    assert (browser.run(BACKGROUND), browser.run(name)) == (DARK, "Switch to light")
    browser.point("#theme", click=True)
    assert (browser.run(BACKGROUND), browser.run(name)) == (LIGHT, "Switch to dark")
    browser.run("delete document.documentElement.dataset.theme")
    browser.prefer("dark")
    assert (browser.run(BACKGROUND), browser.run(name)) == (DARK, "Switch to light")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_a_screen_of_any_width_scrolls_tables_and_not_the_page(
    browser: Browser, width: int
) -> None:
    browser.resize(width, 844, mobile=width < 600)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    left = "document.querySelector('#cost tbody th').getBoundingClientRect().left"
    before = browser.run(left)
    browser.run("document.querySelector('#cost').parentElement.scrollLeft = 9999")
    assert browser.run(left) == before  # the first column stays


def test_the_first_stop_skips_to_the_results(browser: Browser) -> None:
    browser.key("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left >= 0")
    browser.key("Enter")
    assert browser.run("location.hash") == "#main"


def test_thousands_of_rows_keep_their_head_and_are_sorted_and_filtered(
    chromium: Browser, tmp_path: Path
) -> None:
    columns = (Column("name"), Column("value", "number"), Column("note"))
    rows = tuple(
        (Cell(f"{ATTACK}{k}"), Cell.from_number(k * 7 % 3000, str(k * 7 % 3000)), Cell("a word"))
        for k in range(3000)
    )
    path = tmp_path / "long.html"
    path.write_bytes(to_html(Page("long", [], [Table.from_cells("many", columns, rows)], [])))
    chromium.resize(390, 844, mobile=True)
    chromium.open(path)
    shown = "[...document.querySelectorAll('#t1 tbody tr')].filter(row => row.checkVisibility())"
    assert chromium.run(f"{shown}.length") == MOST_ROWS
    assert chromium.run("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.run("document.querySelector('#t1').parentElement.clientHeight < innerHeight")
    top = "document.querySelector('#t1 thead th').getBoundingClientRect().top"
    before = chromium.run(top)
    chromium.run("document.querySelector('#t1').parentElement.scrollTop = 9999")
    assert chromium.run(top) == before
    chromium.run("document.querySelector('#t1 thead th:nth-child(2) .sort').click()")
    values = "[...document.querySelectorAll('#t1 tbody tr')].filter(row => row.checkVisibility())"
    values += ".map(row => Number(row.cells[1].textContent))"
    falling = list(range(3000))[::-1]
    assert chromium.run(values) == falling[:MOST_ROWS]
    more = "document.getElementById('t1-m')"
    assert chromium.run(f"{more}.textContent") == "Show all 3,000 rows"
    chromium.run(f"{more}.click()")
    assert chromium.run(values) == falling
    assert chromium.run(f"{more}.hidden")
    chromium.run(
        "(() => { const f = document.getElementById('t1-f'); f.value = '2999 word';"
        " f.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert chromium.run("document.getElementById('t1-s').textContent") == "2 of 3,000 rows"
    assert chromium.complaints() == []
    assert chromium.requests() == [path.as_uri()]


def test_the_tab_key_goes_through_a_table_in_one_stop_and_arrows_do_the_rest(
    browser: Browser,
) -> None:
    browser.run("document.getElementById('t1-f').focus()")
    for _ in range(1 + 5 + 1):  # the scrolled region, five heads, the first value
        browser.key("Tab")
    where = "[document.activeElement.parentElement.rowIndex, document.activeElement.cellIndex]"
    assert browser.run(where) == [1, 2]
    for key, place in (
        ("ArrowUp", [1, 2]),
        ("ArrowRight", [1, 3]),
        ("ArrowDown", [2, 3]),
        ("ArrowLeft", [2, 2]),
        ("ArrowLeft", [2, 2]),
    ):
        browser.key(key)
        assert browser.run(where) == place
    assert browser.run(SHOWN)[0].startswith("lost linear on dots, macro-f1.")
    browser.key("Tab")
    assert browser.run("document.activeElement.closest('#t1')") is None
    assert browser.run(SHOWN) == []
