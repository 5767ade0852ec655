"""The suites `brainfm`, cut to four cells, and `hallucination`, run as it ships."""

import json
from pathlib import Path

import pytest

from tests.conftest import Bench

pytest.importorskip("nilearn")


@pytest.mark.parametrize(
    ("suite", "cells", "definition", "narrowed"),
    [
        (
            "brainfm",
            4,
            "brainfm-image",
            ("--backbones", "efficientnet-lite0", "--datasets", "*-gm", "--datasets", "phantom-*"),
        ),
        ("hallucination", 6, "structure", ()),
    ],
    ids=["brainfm", "hallucination"],
)
def test_it_runs_and_its_report_sets_baselines_beside_the_models(
    bench: Bench,
    tmp_path: Path,
    suite: str,
    cells: int,
    definition: str,
    narrowed: tuple[str, ...],
) -> None:
    status, _, err = bench("run", suite, *narrowed)
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == cells
    assert all(any(key.startswith(definition) for key in r["metrics"]) for r in records[:1])
    assert bench("report", suite)[0] == 0
    (table,) = tmp_path.glob(f"results/reports/{suite}/{suite}.md")
    text = table.read_text()
    for name in ("mean-image", "input", "affine"):
        assert f"| {name} |" in text
    assert "not shown to beat the baseline" in text
    status, out, err = bench("rescore", suite)
    assert (status, f"{cells} records scored, 0 changed" in out) == (0, True), err
