"""The page that names the reports of a folder of results."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from omnibench.report.index_page import SUMMARY, write_index

HOSTILE = "<script>alert(1)</script>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def write(reports: Path, folder: str, summary: str | None) -> None:
    (reports / folder).mkdir(parents=True, exist_ok=True)
    (reports / folder / "report.html").write_text("")
    if summary is not None:
        (reports / folder / SUMMARY).write_text(summary)


def summary_of(suite: str, filters: str = "") -> str:
    cells = {"done": 57, "failed": 2, "missing": 1, "blocked": 0}
    return json.dumps({"suite": suite, "date": "2026-02-03", "cells": cells, "filters": filters})


def tags_of(reports: Path) -> tuple[str, list[tuple[str, dict[str, str | None]]]]:
    text = write_index(reports).read_text()
    parser = Tags()
    parser.feed(text)
    return text, parser.tags


def test_each_report_is_named_with_its_cells_and_a_link(reports: Path) -> None:
    write(reports, "demo/filtered", summary_of("demo", "--tasks x"))
    write(reports, "demo", summary_of("demo"))
    text, tags = tags_of(reports)
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert links == ["demo/report.html", "demo/filtered/report.html"]
    assert re.findall(r'class="number">(\d+)<', text)[:4] == ["57", "2", "1", "0"]
    assert "2026-02-03" in text
    assert "--tasks x" in text


@pytest.mark.parametrize("summary", [None, "", "[]", "{}", '{"cells": 3}', "\x00", "[" * 5000])
def test_a_report_of_before_or_damaged_is_linked_by_its_folder(
    reports: Path, summary: str | None
) -> None:
    write(reports, "old", summary)
    text, tags = tags_of(reports)
    assert ("a", {"href": "old/report.html"}) in tags
    assert ">old</a>" in text


def test_names_are_escaped_and_nothing_is_asked_of_the_network(reports: Path) -> None:
    write(reports, "x", summary_of(HOSTILE, f"--tasks {HOSTILE}\x1b[2J"))
    write(reports, "<img src=x onerror=alert(1)>", None)
    write(reports, "javascript:alert(1)", None)
    text, tags = tags_of(reports)
    names = {tag for tag, _ in tags}
    assert names.isdisjoint({"script", "img", "link", "iframe"})
    assert "\x1b" not in text
    policy = next(a["content"] for tag, a in tags if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert all(re.fullmatch(r"[\w%./-]+/report\.html", str(link)) for link in links)


def test_no_report_is_said_to_be_none(reports: Path) -> None:
    reports.mkdir()
    assert "There is no report yet." in write_index(reports).read_text()
