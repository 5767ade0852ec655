"""The shipped suite of mixed qualities: every number of its grid is there."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

SHARES = (0, 25, 50, 75, 100)
RIVAL = "random-vit-nano"


@pytest.mark.systems
def test_a_grid_and_its_corruptions_run_report_and_score_again(
    bench: Bench, tmp_path: Path
) -> None:
    status, out, _ = bench(*command_of("quality-mix"))
    assert status == 0, out
    records = [json.loads(p.read_text()) for p in (tmp_path / "results").rglob("rep-*.json")]
    grid = [record for record in records if "mix" in record["spec"]]
    assert len(grid) == len(SHARES)
    for record in grid:
        metrics = record["metrics"]
        # An expectation over independent draws: what accuracy is of each quality, in their shares.
        name = "omnirad-classification@low-q{}/accuracy"
        clean, low = metrics[name.format(0)], metrics[name.format(100)]
        for share in SHARES:
            expected = clean + share / 100 * (low - clean)
            assert metrics[name.format(share)] == pytest.approx(expected)
    viewed = next(record for record in records if "test_on" in record["spec"])
    views = {key.partition("/")[0].partition("@")[2] for key in viewed["metrics"]}
    assert views == {"", *(view["view"] for view in viewed["spec"]["test_on"])}
    status, out, _ = bench("rescore", "quality-mix")
    assert (status, "0 changed" in out) == (0, True)
    status, out, _ = bench("report", "quality-mix")
    assert status == 0, out
    table = (tmp_path / "results/reports/quality-mix/quality-mix.csv").read_text()
    rows = [
        row for row in csv.DictReader(table.splitlines()) if row["metric"] == "auc" and row["mean"]
    ]
    counts = Counter(row["definition"] for row in rows)
    assert counts["omnirad-classification@low-q25"] == len(SHARES)
    assert counts["omnirad-classification@gaussian-blur-4"] == 1
    status, out, _ = bench("run", "quality-mix", "--repetitions", "0", "--backbones", RIVAL)
    assert status == 0, out
    pair, metric = ("random-efficientnet-lite0", RIVAL), "omnirad-classification@low-q25/auc"
    status, out, _ = bench("compare", *pair, "--metric", metric, "--json")
    compared = json.loads(out)["rows"]
    assert {row["metric"] for row in compared} == {"auc"}
