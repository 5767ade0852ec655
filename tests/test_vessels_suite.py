"""The shipped suite of vessels: overlap and shape stand side by side."""

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

SHAPE = ("cldice/cldice", "centreline/f1-2px", "betti-error/b0", "nsd-surfel-1mm/nsd")


@pytest.mark.systems
def test_shape_is_measured_rescored_and_reported_beside_overlap(
    bench: Bench, tmp_path: Path
) -> None:
    status, out, _ = bench(*command_of("vessels"))
    assert status == 0, out
    records = [json.loads(p.read_text()) for p in (tmp_path / "results").rglob("rep-*.json")]
    assert len(records) == 1
    for record in records:
        assert all(record["metrics"][name] is not None for name in SHAPE)
    status, out, _ = bench("rescore", "vessels")
    assert (status, "0 changed" in out) == (0, True)
    status, out, _ = bench("report", "vessels")
    assert status == 0, out
    with (tmp_path / "results/reports/vessels/vessels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shown = {(row["adaptation"], f"{row['definition']}/{row['metric']}") for row in rows}
    assert {("linear", name) for name in ("per-image-foreground/dice", *SHAPE)} <= shown
