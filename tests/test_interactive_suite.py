"""The suite `interactive`: a backbone has its clicks, under two simulators.

What needs no training runs on one of its datasets; the block of what is trained runs cut small.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from omnibench.record_files import read_predictions
from omnibench.suite import shipped
from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")


@pytest.mark.systems
def test_it_runs_and_rescoring_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    status, _, err = bench(*command_of("interactive"))
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 3
    for record in records:
        values, options = record["metrics"], record["spec"]["options"]
        assert values["interactive/iou-20"] > values["interactive/iou-1"]
        assert 1 <= values["interactive/noc-80"] <= values["interactive/noc-90"] <= 20
        views = {key.partition("/")[0].partition("@")[2] for key in values}
        assert views == {"", *{options["against"]} - {"none"}}
    assert len(list(tmp_path.glob("results/records/**/*.clicks.png"))) == len(records)
    status, out, err = bench("rescore", "interactive")
    assert status == 0, err
    assert f"{len(records)} records scored, 0 changed" in out
    status, _, err = bench("report", "interactive")
    assert status == 0, err
    page = (tmp_path / "results/reports/interactive/interactive.md").read_text()
    table = page.partition("## Predicted again: mni152, noc-85")[2].partition("##")[0]
    rows = [line.split(" | ") for line in table.splitlines() if "| component-centre |" in line]
    [values] = [r["metrics"] for r in records if r["spec"]["options"]["against"] != "none"]
    change = values["interactive@component-centre/noc-85"] - values["interactive/noc-85"]
    [row] = rows
    assert float(row[5].split()[0].replace("\N{MINUS SIGN}", "-")) == round(change, 2)


def test_what_is_trained_stands_beside_what_is_not(bench: Bench, tmp_path: Path) -> None:
    suite = yaml.safe_load(shipped()["interactive"].read_text())
    block = suite["matrix"][-1]
    assert block["adaptations"] == ["clicks-knn", "clicks"]
    block |= {"recipe": {"input_size": 64, "limit": 8, "epochs": 1}}
    cut = {**suite, "backbones": block.pop("backbones")[:1], "repetitions": 1, "matrix": [block]}
    (tmp_path / "cut.yaml").write_text(yaml.safe_dump(cut | {"report": {}}))
    status, _, err = bench("run", str(tmp_path / "cut.yaml"))
    assert status == 0, err
    paths = sorted(tmp_path.glob("results/records/**/rep-*.json"))
    records = {(r := json.loads(path.read_text()))["spec"]["adaptation"]: r for path in paths}
    assert records.keys() == {"clicks", "clicks-knn"}
    assert records["clicks"]["metrics"].keys() == records["clicks-knn"]["metrics"].keys()
    cases, others = (read_predictions(path)["test_case"] for path in paths)
    assert np.array_equal(cases, others)
