"""The suites `brainfm` and `hallucination`: what looks at nothing stands beside their models."""

import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

pytest.importorskip("nilearn")


@pytest.mark.systems
@pytest.mark.parametrize(
    ("suite", "command", "definition"),
    [
        ("brainfm", command_of("brainfm"), "brainfm-image"),
        ("hallucination", command_of("hallucination"), "structure"),
    ],
    ids=["brainfm", "hallucination"],
)
def test_it_runs_and_its_report_sets_baselines_beside_the_models(
    bench: Bench, tmp_path: Path, suite: str, command: list[str], definition: str
) -> None:
    status, _, err = bench(*command)
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 2
    assert all(any(key.startswith(definition) for key in r["metrics"]) for r in records[:1])
    assert bench("report", suite)[0] == 0
    (table,) = tmp_path.glob(f"results/reports/{suite}/{suite}.md")
    text = table.read_text()
    for name in ("mean-image", "input", "affine"):
        assert f"| {name} |" in text
    assert "not shown to beat the baseline" in text
    status, out, err = bench("rescore", suite)
    assert (status, "2 records scored, 0 changed" in out) == (0, True), err
