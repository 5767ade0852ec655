"""The loop against a straight-line training in plain PyTorch, and over two processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from omnibench.errors import LostLeaseError, MemoryShortageError, StoreError
from omnibench.interrupts import Interrupted, interruptible
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.job import Batch, Job
from omnibench.training.loop import Fitted, fit
from omnibench.training.plan import TrainingRecipe
from omnibench.training.random import stream
from omnibench.training.schedule import factor
from omnibench.training.steps import Steps

RECIPE = TrainingRecipe(
    epochs=5,
    batch=20,
    lr=0.02,
    weight_decay=0.1,
    warmup_epochs=2,
    warmup_start=0.1,
    clip_norm=0.5,
    warmup_clip_norm=0.2,
    precision="fp32",
)
GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(40, 6, generator=GENERATOR)
LABELS = torch.randint(0, 3, (40,), generator=GENERATOR)


def network(norm: bool = False) -> nn.Module:
    torch.manual_seed(1)
    middle = [nn.BatchNorm1d(16)] if norm else []
    return nn.Sequential(nn.Linear(6, 16), *middle, nn.GELU(), nn.Linear(16, 3))


def job(model: nn.Module, folder: Path) -> Job:
    def loss(batch: Batch) -> torch.Tensor:
        entropy = functional.cross_entropy(
            model(INPUTS[batch.rows]), LABELS[batch.rows], reduction="sum"
        )
        return entropy / len(batch.whole)

    def validate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            right = model(INPUTS).argmax(1) == LABELS
        return {"accuracy": float(right.float().mean())}

    return Job(
        model=model,
        count=len(INPUTS),
        loss=loss,
        validate=validate,
        set_mode=model.train,
        select="accuracy",
        seed=7,
        device="cpu",
        folder=folder / "checkpoints",
        log=folder / "epochs.jsonl",
        progress=lambda *_: None,
    )


def test_ten_steps_equal_a_straight_line_reference(tmp_path: Path) -> None:
    model, reference = network(), network()
    fitted = fit(job(model, tmp_path), RECIPE)
    optimiser = torch.optim.AdamW(reference.parameters(), lr=RECIPE.lr, weight_decay=0.1)
    losses, states = [], []
    for epoch in range(5):
        order = torch.randperm(40, generator=stream(7, "order", epoch))
        total = 0.0
        for step in range(2):
            rows = order[20 * step : 20 * step + 20]
            optimiser.param_groups[0]["lr"] = RECIPE.lr * factor(epoch + step / 2, 5, 2, 0.1)
            loss = functional.cross_entropy(reference(INPUTS[rows]), LABELS[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(reference.parameters(), 0.2 if epoch < 2 else 0.5)
            optimiser.step()
            total += loss.item() / 2
        losses.append(total)
        accuracy = float((reference(INPUTS).argmax(1) == LABELS).float().mean())
        states.append((accuracy, epoch, {k: v.clone() for k, v in reference.state_dict().items()}))
    assert [entry["loss"] for entry in fitted.history] == pytest.approx(losses, abs=1e-6)
    best = max(states, key=lambda state: state[:2])
    assert fitted.best_epoch == best[1]
    for name, value in model.state_dict().items():
        assert torch.allclose(value, best[2][name], atol=1e-6)


def short_of_memory(monkeypatch: pytest.MonkeyPatch, largest: int) -> None:
    """Let every part of more than `largest` rows run out of memory."""
    original = Steps.gradients

    def gradients(self: Steps, step: int, rows: Tensor) -> float:
        if self.micro > largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, step, rows)

    monkeypatch.setattr(Steps, "gradients", gradients)


def test_out_of_memory_halves_the_micro_batch_at_the_same_effective_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, reference = network(), network()
    fit(job(reference, tmp_path / "plain"), RECIPE)
    short_of_memory(monkeypatch, 6)
    fit(job(model, tmp_path / "short"), RECIPE)
    for name, value in model.state_dict().items():
        assert torch.allclose(value, reference.state_dict()[name], atol=1e-5)


def test_out_of_memory_with_batch_norm_names_the_batch_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, 6)
    with pytest.raises(MemoryShortageError, match=r"batches of 20, .* recipe\.batch 5 fits"):
        fit(job(network(norm=True), tmp_path), RECIPE)


SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import distributed
sys.path.insert(0, {root!r})
from tests.training.test_loop import RECIPE, fit, job, network
torch.set_num_threads(1)
distributed.init_process_group("gloo")
model = network()
fit(job(model, Path(sys.argv[1])), RECIPE)
if distributed.get_rank() == 0:
    torch.save(model.state_dict(), Path(sys.argv[1]) / "model.pt")
distributed.destroy_process_group()
"""


def test_two_processes_give_the_loss_curve_of_one(tmp_path: Path) -> None:
    model = network()
    alone: Fitted = fit(job(model, tmp_path / "alone"), RECIPE)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(root=str(Path(__file__).parents[2])))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*launch, str(script), str(tmp_path)],
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    lines = (tmp_path / "epochs.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses == pytest.approx([entry["loss"] for entry in alone.history], abs=1e-6)
    together = torch.load(tmp_path / "model.pt", weights_only=True)
    for name, value in model.state_dict().items():
        assert torch.allclose(value, together[name], atol=1e-5)


def saved(folder: Path) -> list[int]:
    """The steps of the checkpoints that are there, the newest first."""
    return [int(path.stem.removeprefix("step-")) for path in Checkpoints(folder).paths]


@pytest.mark.parametrize("last", [3, 7])
def test_a_signal_saves_the_step_it_came_in_and_the_rest_is_the_same(
    tmp_path: Path, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fit(job(network(), tmp_path / "plain"), RECIPE)
    update = Steps.update

    def signalled(self: Steps, step: int) -> float:
        if step == last:
            signal.raise_signal(signal.SIGTERM)
        return update(self, step)

    monkeypatch.setattr(Steps, "update", signalled)
    with pytest.raises(Interrupted), interruptible():
        fit(job(network(), tmp_path / "cut"), RECIPE)
    assert saved(tmp_path / "cut" / "checkpoints")[0] == last + 1
    monkeypatch.undo()
    resumed = fit(job(network(), tmp_path / "cut"), RECIPE)
    for key in ("loss", "lr", "gradient_norm", "validation"):
        assert [entry[key] for entry in resumed.history] == [entry[key] for entry in plain.history]


@pytest.mark.parametrize("error", [StoreError("the disk is full"), LostLeaseError("taken over")])
def test_a_signal_ends_a_training_whose_checkpoint_cannot_be_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: LostLeaseError | StoreError,
) -> None:
    update = Steps.update

    def signalled(self: Steps, step: int) -> float:
        signal.raise_signal(signal.SIGHUP)
        return update(self, step)

    def failing(self: Checkpoints, step: int, state: dict[str, Any]) -> None:
        raise error

    monkeypatch.setattr(Steps, "update", signalled)
    monkeypatch.setattr(Checkpoints, "save", failing)
    with pytest.raises(Interrupted), interruptible():
        fit(job(network(), tmp_path), RECIPE)
    assert f"no checkpoint of step 1: {error}" in caplog.text


def test_a_training_that_was_taken_over_ends_at_its_next_checkpoint(tmp_path: Path) -> None:
    def lost() -> None:
        raise LostLeaseError("taken over")

    late = job(network(), tmp_path)
    late.check = lost
    with pytest.raises(LostLeaseError):
        fit(late, RECIPE)
    assert not list(tmp_path.rglob("*.*"))  # neither checkpoint nor log


def test_checkpoints_follow_the_steps_asked_for_and_the_last_ones_are_kept(tmp_path: Path) -> None:
    asked = job(network(), tmp_path)
    asked.checkpoint_steps, asked.checkpoints = 3, 4
    fit(asked, RECIPE)  # ten steps, two an epoch
    assert saved(tmp_path / "checkpoints") == [10, 9, 8, 6]
