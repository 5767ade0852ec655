"""The suite `head-ct`: an encoder that outlines lesions, joined to a plain one."""

import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

MEMBERS = ("efficientnet-lite0", "lesion-segmenter")


@pytest.mark.systems
def test_a_segmenter_is_joined_and_taught_by_clean_and_noisy_labels(
    bench: Bench, tmp_path: Path
) -> None:
    status, _, err = bench(*command_of("head-ct"))
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 1 + 3 * 2
    probes = [record for record in records if record["spec"]["task"] == "classification"]
    for record in probes:
        # 30 % of the lesions missed and 10 % of the others made up, four of five images with one.
        agreed = record["notes"]["noisy_labels"]["train"]
        assert agreed["accuracy"] == pytest.approx(0.8 * 0.7 + 0.2 * 0.9, abs=0.05)
        assert 0 < agreed["kappa"] < 0.7
        assert record["metrics"]["at-val-youden/sensitivity"] is not None
        assert record["metrics"]["at-val-sensitivity-95/npv"] is not None
    parameters = {
        record["spec"]["backbone"]: record["cost"]["trainable_parameters"] - 2 for record in probes
    }
    assert parameters["fused"] == sum(parameters[name] for name in MEMBERS)
    status, out, _ = bench("report", "head-ct")
    assert status == 0, out
    table = (tmp_path / "results/reports/head-ct/head-ct.csv").read_text()
    for name in (*MEMBERS, "fused"):
        assert name in table
    status, out, _ = bench("list", "backbones")
    assert (status, "trained-" in out) == (0, True)
