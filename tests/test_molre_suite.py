"""The suite `molre`: its rows run, and tell how experts are used."""

import json
import math
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

LORA_48, MOLRE = "lora-r48-a48-d0.0-sembedding", "molre"
ROWS = {"head", "lora-r8-a8-d0.0-sembedding", LORA_48, MOLRE, "molre-router=uniform"}


@pytest.mark.systems
def test_it_runs_beside_its_parameter_matched_rows(bench: Bench, tmp_path: Path) -> None:
    status, _, err = bench(*command_of("molre"))
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    by_row = {record["spec"]["short"]: record for record in records}
    assert len(records) == len(by_row)
    assert by_row.keys() == ROWS
    for short, record in by_row.items():
        metrics = record["metrics"]
        assert 0 <= metrics["multi-label/auc-at-least-90"] <= 4
        assert ("routing/entropy" in metrics) == (short == MOLRE)
        if short == MOLRE:
            assert 0 <= metrics["routing/entropy"] <= math.log(6) + 1e-6
            assert metrics["routing/load-cv"] >= 0
    trained = {short: r["cost"]["trainable_parameters"] for short, r in by_row.items()}
    width, inner = 64, 16
    assert trained[LORA_48] == trained["molre-router=uniform"]
    assert trained[MOLRE] == trained[LORA_48] + inner * (width + 1) + 6 * (inner + 1)
    status, out, err = bench("rescore", "molre")
    assert status == 0, err
    assert "5 records scored, 0 changed" in out
    status, _, err = bench("report", "molre")
    assert status == 0, err
    assert "findings" in (tmp_path / "results/reports/molre/report.html").read_text()
