"""What is selected for the whole page, and the address in which it stands."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from omnibench.report.page.render import Page, to_html
from omnibench.report.table import Cell, Column, Table
from tests.report.browser import Browser
from tests.report.page_records import ATTACK

HASH = "location.hash"
ADAPTATIONS = (
    "[...new Set([...document.querySelectorAll('#t1 tbody tr:not([hidden])')]"
    ".map(row => row.cells[1].textContent).filter(Boolean))]"  # none of chance
)
SUMMARIES = (
    "[...document.querySelectorAll('#figures details')].filter(part => part.checkVisibility())"
    ".map(part => part.querySelector('summary').textContent)"
)


def select(browser: Browser, facet: str, value: str) -> None:
    browser.run(
        f"(() => {{ const s = document.querySelector('#selectors [name={facet}]');"
        f" s.value = '{value}'; s.dispatchEvent(new Event('change', {{bubbles: true}})); }})()"
    )


def settle(browser: Browser) -> None:
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_selection_shows_its_rows_and_figures_and_stands_in_the_address(
    browser: Browser,
) -> None:
    every = browser.run(SUMMARIES)
    select(browser, "adaptation", "knn")
    assert browser.run(HASH) == "#adaptation=knn"
    assert browser.run(ADAPTATIONS) == ["knn"]
    figures = browser.run(SUMMARIES)
    assert set(figures) < set(every)
    assert not [title for title in figures if title.endswith(", full")]
    places = "[...document.querySelectorAll('.line:not([hidden])')].map(line => line.innerText)"
    assert all("knn" in text for text in browser.run(places))
    status = browser.run("document.getElementById('selected').textContent")
    shown, total = re.fullmatch(r"(\d+) of (\d+) tables and figures", status).groups()  # type: ignore[union-attr]
    assert 0 < int(shown) < int(total)


def test_a_metric_hides_the_columns_and_tables_of_others(browser: Browser) -> None:
    before = browser.run("document.querySelectorAll('#results .part:not([hidden])').length")
    select(browser, "metric", "auc")
    titles = (
        "[...document.querySelectorAll('#results .part:not([hidden]) [data-metric]:not([hidden])')]"
        ".map(head => head.dataset.metric)"
    )
    assert set(browser.run(titles)) == {"auc"}
    assert browser.run("document.querySelectorAll('#results .part:not([hidden])').length") <= before
    metrics = (
        "[...new Set([...document.querySelectorAll('#c1 tbody tr:not([hidden])')]"
        ".map(row => row.cells[2].textContent))]"
    )
    assert browser.run(metrics) == ["auc"]


def test_the_back_button_takes_a_selection_back(browser: Browser) -> None:
    select(browser, "adaptation", "knn")
    select(browser, "adaptation", "linear")
    browser.run("new Promise(done => { addEventListener('hashchange', done); history.back() })")
    settle(browser)
    assert browser.run(ADAPTATIONS) == ["knn"]
    assert browser.run("document.querySelector('[name=adaptation]').value") == "knn"


def test_a_copied_link_opens_its_selection_and_section(browser: Browser, report: Path) -> None:
    browser.open(report, "#figures&adaptation=full")
    assert browser.run(ADAPTATIONS) == ["full"]
    settle(browser)
    assert browser.run("document.activeElement.id") == "figures"
    links = "[...document.querySelectorAll('nav a')].map(link => link.getAttribute('href'))"
    assert all(address.endswith("&adaptation=full") for address in browser.run(links))


@pytest.mark.parametrize(
    "fragment", ["#adaptation=gone", "#results", "#%E0%A4%A", "#=&=x&__proto__=1"]
)
def test_an_address_that_selects_nothing_there_shows_all(
    browser: Browser, report: Path, fragment: str
) -> None:
    browser.open(report, fragment)
    assert browser.run(ADAPTATIONS) == ["linear", "knn", "full"]


def test_show_all_takes_everything_back(browser: Browser) -> None:
    select(browser, "adaptation", "knn")
    browser.point("#unselect", click=True)
    assert browser.run(ADAPTATIONS) == ["linear", "knn", "full"]
    assert browser.run("document.getElementById('unselect').hidden")
    assert browser.run(HASH) == ""


def test_a_selection_and_a_filter_hold_together(browser: Browser) -> None:
    select(browser, "adaptation", "knn")
    browser.run("document.getElementById('t1-f').focus()")
    browser("Input.insertText", text="good")
    names = "[...document.querySelectorAll('#t1 tbody tr:not([hidden])')]"
    names += ".map(row => row.cells[0].innerText)"
    assert browser.run(names) == ["good"]
    select(browser, "adaptation", "")
    assert browser.run(names) == ["good"] * 3


def test_a_name_of_any_characters_is_selected_by_a_link(chromium: Browser, tmp_path: Path) -> None:
    rows = [(Cell("a"), Cell(ATTACK)), (Cell("b"), Cell("plain")), (Cell("chance"), Cell(""))]
    table = Table.from_cells("t", (Column("backbone"), Column("dataset")), rows)
    names = {ATTACK: ATTACK, "plain": "plain"}
    path = tmp_path / "named.html"
    path.write_bytes(to_html(Page("s", [], [table], [], facets={"dataset": names})))
    chromium.open(path, f"#dataset={quote(ATTACK, safe='')}")
    shown = "[...document.querySelectorAll('#t1 tbody tr:not([hidden])')]"
    assert chromium.run(f"{shown}.map(row => row.cells[0].textContent)") == ["a", "chance"]
    select(chromium, "dataset", "plain")
    assert chromium.run(f"{shown}.map(row => row.cells[0].textContent)") == ["b", "chance"]
    assert chromium.complaints() == []
