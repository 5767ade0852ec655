"""The suite `retfound-efficiency`: what it says of labels is so."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process")

SCORE = "omnirad-classification/macro-f1"


@pytest.mark.systems
def test_it_runs_and_its_report_answers_how_many_labels_are_saved(
    bench: Bench, tmp_path: Path
) -> None:
    status, _, err = bench(*command_of("retfound-efficiency"))
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 26
    status, out, err = bench("report", "retfound-efficiency")
    assert status == 0, err
    assert "fewer labels than Random EfficientNet-Lite0 [" in " ".join(out.split())
    folder = tmp_path / "results" / "reports" / "retfound-efficiency"
    frame = pd.read_csv(folder / "label-efficiency.csv")
    assert len(frame) == 2 * 5
    for row in frame.itertuples():
        own = [
            record
            for record in records
            if (record["spec"]["backbone"], record["spec"]["short"])
            == (row.backbone, row.adaptation)
        ]
        values = [record["metrics"][SCORE] for record in own]
        assert row.mean == pytest.approx(sum(values) / len(values))
        labels = [record["notes"]["subset"]["images"] for record in own]
        assert row.labels == pytest.approx(sum(labels) / len(labels))
    probe = frame[frame["without_budget"] == "linear-slbfgs"]
    pretrained = probe[probe["backbone"] == "efficientnet-lite0"]
    assert pretrained["mean"].is_monotonic_increasing
    assert (pretrained["ratio_low"] > 1).all()
    stems = {path.stem for path in (folder / "figures").glob("label-efficiency-*.svg")}
    assert len(stems) == 1
    page = (folder / "report.html").read_text()
    assert "Label efficiency: phantom-easy, linear-slbfgs, macro-f1" in page
