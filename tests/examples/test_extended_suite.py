"""A suite of extensions from an installed package: planned, run, reported, as one of what ships."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np

from tests.examples.extended import EXAMPLES, Extended
from tests.waiting import wait_until

LARGEST = 120  # lines of an example


def test_each_example_is_short_and_imports_public_names_alone() -> None:
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= LARGEST, path.name
        assert not re.findall(r"^\s*(?:from|import) omnibench\.", text, re.M), path.name


def test_an_installed_package_is_known_without_a_plugin(extended: Extended) -> None:
    listed = extended.bench("list", "tasks", "--json").stdout
    tasks = {task["name"]: task for task in json.loads(listed)}
    assert tasks["dense-regression"]["metrics"] == ["pixels/mae", "pixels/close"]
    assert "screening/sensitivity-at-90" in tasks["classification"]["metrics"]
    for name in ("dense-regression", "classification", "segmentation"):
        assert "low-rank-experts" in tasks[name]["adaptations"]
    assert "plain-cnn" in extended.bench("list", "backbones").stdout
    assert re.search(
        r"dense-regression +discs +vit +low-rank-experts-e2 +2 missing", extended.planned
    )
    assert re.search(r"classification +pgm-images +vit +linear +1 missing", extended.planned)
    assert "could not be loaded" not in extended.planned + extended.ran


def test_every_cell_is_done_and_its_record_says_so(extended: Extended) -> None:
    assert "extended: 6 of 6 cells done, 0 failed, 0 blocked" in extended.ran
    for path in (extended.results / "records" / "dense-regression").rglob("rep-*.json"):
        record = json.loads(path.read_text())
        assert set(record["metrics"]) == {"pixels/mae", "pixels/close"}
        assert record["digests"]["source.task-code"].startswith("code:")


def test_a_metric_is_printed_in_its_own_unit(extended: Extended) -> None:
    table = section(extended.reported, "dense-regression: discs")
    assert "| backbone | adaptation | mae | close (points) |" in table
    assert "in grey levels (higher is better, but lower for mae), close in points, mean" in table
    [printed] = re.findall(r"\| vit \| linear \| \D*([\d.]+)", table)
    records = (extended.results / "records/dense-regression/discs/vit/linear").glob("rep-*.json")
    values = [json.loads(path.read_text())["metrics"]["pixels/mae"] for path in records]
    assert printed == f"{np.mean(values):.2f}"


def test_a_metric_of_anothers_task_gets_a_table(extended: Extended) -> None:
    table = section(extended.reported, "classification: pgm-images")
    assert "sensitivity-at-90 screening" in table
    assert re.search(r"\| backbone \|.*\| sensitivity-at-90 \|", table)
    assert re.search(r"\| vit \| low-rank-experts \| \D*\d", table)


def test_pictures_and_figures_are_in_the_report(extended: Extended) -> None:
    report = extended.results / "reports" / "extended"
    page, document = ((report / f"report.{kind}").read_text() for kind in ("html", "tex"))
    assert "Depth maps: vit, linear on discs, repetition 0" in page
    assert len(list((extended.results / "records").rglob("*.maps.png"))) == 4
    assert "mae (grey levels) against trained parameters" in page
    assert "trained-size-dense-regression-discs" in document
    assert (report / "figures" / "trained-size-dense-regression-discs.pdf").is_file()


def test_a_run_killed_and_finished_by_an_engine_from_outside_ends_in_the_same_numbers(
    extended: Extended, tmp_path: Path
) -> None:
    command = (
        *("run", "extended.yaml", "--results", tmp_path),
        *("--tasks", "dense-regression", "--adaptations", "low-rank-experts"),
    )
    killed = extended.start(*command)
    wait_until(lambda: any(tmp_path.glob("checkpoints/*/*")), killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    done = extended.bench(*command, "--engine", "processes")
    assert "2 of 2 cells done" in done.stdout, done.stderr
    paths = sorted((tmp_path / "records").rglob("rep-*.json"))
    assert len(paths) == 2
    for path in paths:
        other = extended.results / path.relative_to(tmp_path)
        own, shared = (json.loads(file.read_text())["metrics"] for file in (path, other))
        assert own == shared


def section(report: str, title: str) -> str:
    """Return a table of the printed report and what stands below it."""
    return report.partition(f"## {title}\n")[2].partition("\n## ")[0]
