"""The suite `selective`: every rule of uncertainty has its numbers."""

import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.mark.systems
def test_it_runs_and_rescoring_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    status, _, err = bench(*command_of("selective"))
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 4
    for record in records:
        rules = {key.partition("/")[0] for key in record["metrics"] if key.endswith("/augrc")}
        evidential = record["spec"]["adaptation"].startswith("evid")
        assert ("selective-evidence" in rules) == evidential
        assert rules >= {f"selective-{r}" for r in ("msp", "entropy", "margin", "energy")}
        if record["spec"]["backbone"] == "efficientnet-lite0":
            values = record["metrics"]
            accuracy = values["omnirad-classification/accuracy"]
            assert values["selective-msp/accuracy-at-coverage-50"] > accuracy
            assert values["selective-msp/augrc"] < (1 - accuracy) / 2  # that of an order by chance
    status, out, err = bench("rescore", "selective")
    assert status == 0, err
    assert "4 records scored, 0 changed" in out
