"""Two processes give what one gives at the same batch, and go on together when they were killed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load, load_file

from omnibench.cell import Unit
from omnibench.context import Context
from tests.pretraining.pretraining_units import FIGURES, checkpoints, lines, outcome, pretraining

# Ten steps; the parts are those of either process, so that KoLeo's neighbours are the same.
TOLD = {"limit": 40, "micro_batch": 4, "local_crops": 1, "drop_path": 0.2}
KINDS: Any = {
    "sinkhorn": {"mask_share": 0.1},  # one crop in a step: a process has no masks
    "mean": {"centring": "mean", "log_steps": 4},
}
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
import torch
from torch import distributed
from tests.pretraining.test_pretraining_processes import KINDS, Context, outcome, unit
from omnibench.errors import RequestError
from omnibench.training.steps import Steps
torch.set_num_threads(1)
distributed.init_process_group("gloo")
first = distributed.get_rank() == 0
folder = Path({folder!r})
def run(kind, results, **recipe):
    found = outcome(unit(kind, {phantom!r}, **recipe), Context(folder / results, folder))
    if first:
        (folder / results / "teacher.safetensors").write_bytes(found.files["safetensors"])
for kind in KINDS:
    run(kind, kind)
update = Steps.update
def dying(self, step):
    if step == 6:
        raise KeyboardInterrupt
    return update(self, step)
Steps.update = dying
try:
    run("mean", "killed")
except KeyboardInterrupt:
    pass
Steps.update = update
run("mean", "killed")
try:
    run("mean", "refused", micro_batch=8)
except RequestError as error:
    if first:
        (folder / "refused.txt").write_text(str(error))
distributed.destroy_process_group()
"""


def unit(kind: str, phantom: str, **recipe: Any) -> Unit:
    return pretraining(phantom, knn=phantom, **{**TOLD, **KINDS[kind], **recipe})


@pytest.fixture(scope="module")
def together(phantom: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all results of two processes."""
    folder = tmp_path_factory.mktemp("together")
    script = folder / "script.py"
    root = str(Path(__file__).parents[2])
    script.write_text(SCRIPT.format(root=root, folder=str(folder), phantom=phantom))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, str(script)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_give_the_steps_of_one(
    kind: str, together: Path, phantom: str, context: Context
) -> None:
    alone = outcome(unit(kind, phantom), context)
    expected = lines(unit(kind, phantom), context)
    actual = lines(unit(kind, phantom), Context(together / kind, together))
    assert [line["step"] for line in actual] == [line["step"] for line in expected]
    assert actual[-1]["step"] == 10
    assert actual[0].pop("knn_accuracy") == expected[0].pop("knn_accuracy")  # before any step
    for ours, theirs in zip(actual[1:], expected[1:], strict=True):
        for name in (*FIGURES, "gradient_norm", "teacher_entropy", "kl_uniform", "feature_std"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-5, abs=1e-5), name
    assert actual[-1]["knn_accuracy"] == pytest.approx(expected[-1]["knn_accuracy"], abs=0.05)
    weights = load_file(together / kind / "teacher.safetensors")
    for name, value in load(alone.files["safetensors"]).items():
        assert (weights[name] - value).abs().max() < 1e-4, name


def test_two_processes_that_were_killed_end_in_the_same_bits(together: Path, phantom: str) -> None:
    asked = unit("mean", phantom)
    plain, resumed = (Context(together / name, together) for name in ("mean", "killed"))
    # Step 6 is within a line of the log: its mean needs both processes' sums of step 5.
    assert [line["step"] for line in lines(asked, resumed)] == [0, 4, 5, 8, 10]
    assert lines(asked, resumed) == lines(asked, plain)
    ours, theirs = (context.results / "teacher.safetensors" for context in (plain, resumed))
    assert ours.read_bytes() == theirs.read_bytes()
    assert not checkpoints(asked, resumed).exists()


def test_parts_that_do_not_go_up_in_the_processes_are_refused(together: Path) -> None:
    assert (together / "refused.txt").read_text() == (
        "recipe.batch 8 is not a multiple of 2 processes x micro_batch 8; lower micro_batch"
    )


def test_the_log_is_written_once(together: Path, phantom: str) -> None:
    path = next((together / "sinkhorn").rglob("*.steps.jsonl"))
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert steps == list(range(11))
