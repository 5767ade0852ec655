"""The shipped suite of quantitative MRI: networks stand beside the fits."""

import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")


@pytest.mark.systems
def test_networks_and_fits_are_judged_rescored_and_reported(bench: Bench, tmp_path: Path) -> None:
    status, out, err = bench(*command_of("ivim"))
    assert status == 0, out + err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 4
    assert {record["spec"]["short"] for record in records} == {
        "mlp",
        "mlp-tfitted",
        "fit",
        "fit-lgaussian",
    }
    assert all(record["metrics"]["estimates/rmse-f"] > 0 for record in records)
    status, out, err = bench("rescore", "ivim")
    assert (status, "0 changed" in out) == (0, True), out + err
    status, out, err = bench("report", "ivim")
    assert status == 0, out + err
    page = (tmp_path / "results/reports/ivim/ivim.md").read_text()
    assert "mean of the true parameters" in page
    assert "are biased: at" in page


def test_another_backbone_is_blocked_by_a_sentence(bench: Bench) -> None:
    status, out, err = bench("plan", "ivim", "--backbones", "random-conv")
    assert status == 0, err
    assert "16 cells in 8 units; 16 blocked" in out
    assert "random-conv has nothing to look at; write `backbones: [pixels]`" in out
