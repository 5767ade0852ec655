"""The suite `interactive`, run as it ships: every backbone has its clicks, under two simulators."""

import json
from pathlib import Path

from tests.conftest import Bench


def test_it_runs_and_rescoring_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    status, _, err = bench("run", "interactive")
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 3 * 2 * (1 + 1 + 3)
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
    by_backbone = {
        record["spec"]["backbone"]: record["metrics"]
        for record in records
        if record["spec"]["options"]["against"] != "none" and record["spec"]["dataset"] == "mni152"
    }
    expected = {
        round(values["interactive@component-centre/noc-85"] - values["interactive/noc-85"], 2)
        for values in by_backbone.values()
    }
    assert len(rows) == 3
    assert {float(row[5].split()[0].replace("\N{MINUS SIGN}", "-")) for row in rows} == expected
