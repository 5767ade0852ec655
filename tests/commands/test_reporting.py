"""`report`: its filters, its folder, the index and the browser."""

import json
import webbrowser
from pathlib import Path

import pytest

from tests.commands.trained_records import write_suite
from tests.conftest import Bench

NO_BROWSER = "no browser can be opened here"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path, {"base": 1.0, "better": 1.5}, repetitions=2)


def test_a_report_is_indexed_and_a_filtered_one_stands_beside_it(
    bench: Bench, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []

    def show(address: str) -> bool:
        pages.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", show)
    monkeypatch.setenv("DISPLAY", ":0")
    reports = tmp_path / "results" / "reports"
    status, out, _ = bench("report", suite)
    assert (status, f"all reports: {reports / 'index.html'}" in out) == (0, True)
    assert pages == []
    whole = (reports / "trained" / "report.html").read_bytes()
    status, out, _ = bench("report", suite, "--backbones", "better", "--open")
    assert (status, NO_BROWSER in out) == (0, False)
    assert out.startswith("Filtered: --backbones better. Means are of what is shown;")
    assert pages == [(reports / "trained" / "filtered" / "report.html").as_uri()]
    assert (reports / "trained" / "report.html").read_bytes() == whole
    summary = json.loads((reports / "trained" / "filtered" / "summary.json").read_text())
    assert summary == {
        "suite": "trained",
        "date": "2026",
        "cells": {"done": 2, "failed": 0, "missing": 2, "blocked": 0},
        "filters": "--backbones better",
    }
    index = (reports / "index.html").read_text()
    assert index.index('"trained/report.html"') < index.index('"trained/filtered/report.html"')


def test_without_a_display_the_page_is_named(
    bench: Bench, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(webbrowser, "open", lambda address: pytest.fail("there is no display"))
    status, out, _ = bench("report", suite, "--out", tmp_path / "out", "--open")
    assert status == 0
    assert f"{NO_BROWSER}; open {tmp_path / 'out' / 'report.html'} on a machine" in out
    assert not (tmp_path / "results" / "reports").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    status, out, err = bench("report", suite, "--out", tmp_path / "file" / "out")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "is not writable" in err
    assert "choose another with --out or --results" in err


def test_filters_that_leave_nothing_finished_are_refused(bench: Bench, suite: Path) -> None:
    status, _, err = bench("report", suite, "--repetitions", "3")
    assert (status, "has no finished cell that --repetitions 3 leave below" in err) == (2, True)
    status, _, err = bench("report", suite, "--backbones", "random-vit-tiny")
    assert (status, "has nothing like 'random-vit-tiny'" in err) == (2, True)
