"""The suite `tangerine`: pretrained on volumes, judged beside its start."""

import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")


@pytest.mark.systems
def test_it_pretrains_and_judges_both(bench: Bench, tmp_path: Path) -> None:
    status, _, err = bench(*command_of("tangerine"))
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    made = [record for record in records if record["spec"]["task"] == "pretraining"]
    assert len(made) == 1
    assert made[0]["metrics"]["reconstruction/psnr"] > 0
    judged = {r["spec"]["backbone"] for r in records if r["spec"]["task"] == "volumes"}
    assert judged == {"random-vit3d-tiny", "mae3d-tiny"}
    assert len(records) == 1 + 2 * 4
    status, _, err = bench("report", "tangerine")
    assert status == 0, err
