"""A folder of images with a table of sex and age, from `plan` to the report's subgroups."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnibench.record_files import read_predictions
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

COUNTS = {"train": 24, "val": 12, "test": 48}
SUITE = """
name: own
repetitions: 2
backbones:
  - {id: base, source: random:vit_tiny_patch16_224}
  - {id: rival, source: random:vit_tiny_patch16_224@1}
matrix:
  - task: classification
    datasets: ["folder:scans"]
    adaptations: [linear]
    recipe: {epochs: 2, input_size: 32}
report: {baseline: base, subgroups: [sex, {age: [0, 40, 60]}, site], decision_curves: [0.05, 0.5]}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["image,sex,age,patient"]
    for split, count in COUNTS.items():
        for k in range(count):
            name = f"{split}/{('benign', 'malignant')[k % 2]}/{k:02d}.png"
            path = tmp_path / "scans" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 200, (16, 16), dtype=np.uint8) + np.uint8(40 * (k % 2))
            Image.fromarray(pixels).save(path)
            age = "" if k % 12 == 11 else str(30 + k)
            lines.append(f"{name},{'FM'[k // 2 % 2]},{age},secret-{split}-{k}")
    (tmp_path / "scans" / "omnibench.csv").write_text("\n".join(lines))
    (tmp_path / "own.yaml").write_text(SUITE)
    return tmp_path / "own.yaml"


def cells(bench: Bench, suite: Path) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = json.loads(bench("plan", suite, "--json")[1])["cells"]
    return made


def test_columns_go_from_the_table_to_the_report(bench: Bench, suite: Path, tmp_path: Path) -> None:
    before = [cell["digest"] for cell in cells(bench, suite)]
    declaration = tmp_path / "scans" / "omnibench.yaml"
    declaration.write_text("columns: [patient]")
    assert cells(bench, suite)[0]["state"] == "blocked"
    declaration.write_text("columns: [sex, age]")
    (line,) = [text for text in bench("plan", suite)[1].splitlines() if text.startswith("data fo")]
    assert line.endswith("; columns: age, sex")
    assert [cell["digest"] for cell in cells(bench, suite)] == before
    status, _, err = bench("run", suite)
    assert status == 0, err
    (record, *_) = sorted((tmp_path / "results" / "records").rglob("rep-*.json"))
    arrays = read_predictions(record)
    assert arrays["test_column:sex"].dtype.kind == "U"
    assert np.isnan(arrays["test_column:age"]).sum() == 4

    status, out, err = bench("report", suite)
    assert status == 0, err
    folder = tmp_path / "results" / "reports" / "own"
    assert f"written: {folder / 'report.html'}" in out
    for part in (
        "## Subgroups by sex: folder-scans, macro-f1",
        "## Subgroups by age: folder-scans, macro-f1",
        "No subgroups by site of folder-scans: no predictions hold it;",
        "## Calibration: folder-scans",
    ):
        assert part in (folder / "own.md").read_text()
    rows = list(csv.DictReader((folder / "subgroups.csv").open()))
    ages = {row["group"]: row["cases"] for row in rows if row["column"] == "age"}
    assert ages == {"0-40": "10", "40-60": "18", ">= 60": "16", "unknown": "4"}
    assert (folder / "figures" / "decision-curves-classification-folder-scans.pdf").is_file()
    written = [path for path in (tmp_path / "results").rglob("*") if path.suffix != ".npz"]
    texts = [path.read_bytes() for path in written if path.is_file()]
    assert not any(b"secret" in text for text in texts)


def test_bands_that_do_not_rise_end_a_plan(bench: Bench, suite: Path) -> None:
    suite.write_text(SUITE.replace("[0, 40, 60]", "[40, 0]"))
    status, _, err = bench("plan", suite)
    assert (status, "report.subgroups[1]: the edges of 'age' do not rise" in err) == (2, True)
