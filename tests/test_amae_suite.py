"""The shipped suite of contrasts: from a masked autoencoder to the Dice of every set."""

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

pytest.importorskip("nilearn")


@pytest.mark.systems
def test_a_backbone_is_pretrained_and_judged_by_every_set(bench: Bench, tmp_path: Path) -> None:
    status, out, _ = bench(*command_of("amae"))
    assert status == 0, out
    records = [json.loads(p.read_text()) for p in (tmp_path / "results").rglob("rep-*.json")]
    assert len(records) == 2
    for record in records:
        metrics = record["metrics"]
        if record["spec"]["adaptation"] == "amae":
            assert metrics["reconstruction/masked-mse"] > 0
            continue
        each = [metrics[name] for name in metrics if name.startswith("contrast-sets/dice-")]
        assert len(each) == 2**4 - 1
        assert metrics["contrast-sets/mean"] == pytest.approx(sum(each) / len(each))
        assert metrics["contrast-sets/worst"] == min(each)
        assert metrics["contrast-sets/backward-transfer"] is not None
    status, out, _ = bench("rescore", "amae")
    assert (status, "0 changed" in out) == (0, True)
    status, out, _ = bench("report", "amae")
    assert status == 0, out
    with (tmp_path / "results/reports/amae/amae.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"mean", "worst", "zero-shot", "backward-transfer"} <= {row["metric"] for row in rows}
