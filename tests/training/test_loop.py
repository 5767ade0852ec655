"""The loop against a straight-line training in plain PyTorch, and over two processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from omnibench.errors import LostLeaseError, MemoryShortageError, StoreError
from omnibench.interrupts import Interrupted, interruptible
from omnibench.training import loop
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.job import Batch, Job
from omnibench.training.loop import Fitted, early_steps, fit
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
import time
from collections.abc import Mapping
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


class Clock:
    """Time that passes as a training's parts say, so that no machine's load is measured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def timed(self, job: Job) -> Job:
        """A step takes a second, a validation a hundred, and what follows a step ten."""
        loss, validate = job.loss, job.validate

        def slow_loss(batch: Batch) -> Tensor:
            self.now += 1
            return loss(batch)

        def slow_validation() -> Mapping[str, float]:
            self.now += 100
            return validate()

        job.loss, job.validate = slow_loss, slow_validation
        return job


EARLY = RECIPE.model_copy(update={"batch": 4, "evaluate": (0.05, 0.1, 0.31, 1.0)})


def test_each_evaluation_says_what_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Clock(monkeypatch).timed(job(network(), tmp_path))
    timed.flops_per_image = 3.0
    fitted = fit(timed, EARLY)
    assert fitted.train_seconds == 50  # five epochs of ten steps
    steps = [1, 4, 10, 20, 30, 40, 50]  # .05 and .1 of ten steps are both complete after the first
    for steps_made, entry in zip(steps, fitted.evaluations, strict=True):
        assert entry["steps"] == entry["train_seconds"] == steps_made
        assert entry["epochs"] == steps_made / 10
        assert entry["images"] == 4 * steps_made
        assert entry["flops"] == 12 * steps_made
        assert 0 <= entry["validation"]["accuracy"] <= 1
    assert [entry["epoch"] for entry in fitted.history] == [0, 1, 2, 3, 4]
    assert [entry["seconds"] for entry in fitted.history] == [110] * 5  # early ones not among them
    lines = (tmp_path / "epochs.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == fitted.evaluations


def test_the_last_batch_of_an_epoch_counts_what_it_has(tmp_path: Path) -> None:
    fitted = fit(job(network(), tmp_path), RECIPE.model_copy(update={"batch": 16, "epochs": 2}))
    assert [entry["images"] for entry in fitted.evaluations] == [40, 80]
    assert [entry["steps"] for entry in fitted.evaluations] == [3, 6]


@pytest.mark.parametrize("norm", [False, True])
def test_evaluations_within_the_first_epoch_change_no_bit_of_the_training(
    tmp_path: Path, norm: bool
) -> None:
    """Not by what they draw either, nor by the mode that they leave the model in."""

    def noisy(folder: Path) -> tuple[nn.Module, Job]:
        model = nn.Sequential(network(norm), nn.Dropout(0.5))
        asked = job(model, folder)
        validate = asked.validate

        def drawing() -> Mapping[str, float]:
            torch.manual_seed(0)
            return validate()

        asked.validate = drawing
        return model, asked

    plain_model, plain_job = noisy(tmp_path / "plain")
    plain = fit(plain_job, EARLY.model_copy(update={"evaluate": (1.0,)}))
    model, early_job = noisy(tmp_path / "early")
    early = fit(early_job, EARLY)
    assert [entry["steps"] for entry in early.early] == [1, 4]
    assert plain.early == []
    timeless = [{k: v for k, v in e.items() if "second" not in k and k != "images_per_s"}
                for fitted in (plain, early) for e in fitted.history]  # fmt: skip
    assert timeless[:5] == timeless[5:]
    assert early.best_epoch == plain.best_epoch
    for name, value in model.state_dict().items():
        assert torch.equal(value, plain_model.state_dict()[name])
    plain_state, early_state = (
        Checkpoints(tmp_path / name / "checkpoints").load() or {} for name in ("plain", "early")
    )
    assert torch.equal(plain_state["random"], early_state["random"])


def test_an_early_validation_that_is_not_finite_is_recorded_as_unknown(tmp_path: Path) -> None:
    asked = job(network(), tmp_path)
    values = iter([float("nan"), *[0.5] * 9])
    asked.validate = lambda: {"accuracy": next(values)}
    fitted = fit(asked, EARLY)
    assert [e["validation"]["accuracy"] for e in fitted.early] == [None, 0.5]
    assert "NaN" not in (tmp_path / "epochs.jsonl").read_text()


@pytest.mark.parametrize("last", [0, 2, 3, 9, 10, 27])
def test_a_resumed_training_counts_what_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    clock = Clock(monkeypatch)
    plain = fit(clock.timed(job(network(), tmp_path / "plain")), EARLY)
    with monkeypatch.context() as patches:
        update = Steps.update

        def signalled(self: Steps, step: int) -> float:
            if step == last:
                signal.raise_signal(signal.SIGTERM)
            return update(self, step)

        patches.setattr(Steps, "update", signalled)
        with pytest.raises(Interrupted), interruptible():
            fit(clock.timed(job(network(), tmp_path / "cut")), EARLY)
    resumed = fit(clock.timed(job(network(), tmp_path / "cut")), EARLY)
    assert resumed.evaluations == plain.evaluations
    assert resumed.train_seconds == plain.train_seconds


@pytest.mark.parametrize("step", [2, 5, 23])
def test_steps_that_a_killed_training_makes_again_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    clock = Clock(monkeypatch)
    plain = fit(clock.timed(job(network(), tmp_path / "plain")), EARLY)
    with monkeypatch.context() as patches:
        gradients = Steps.gradients

        def dying(self: Steps, number: int, rows: Tensor) -> float:
            if number == step:
                raise MemoryError
            return gradients(self, number, rows)

        patches.setattr(Steps, "gradients", dying)
        patches.setattr("omnibench.training.steps.is_out_of_memory", lambda error: False)
        with pytest.raises(MemoryError):
            fit(clock.timed(job(network(), tmp_path / "cut")), EARLY)
    resumed = fit(clock.timed(job(network(), tmp_path / "cut")), EARLY)
    assert resumed.evaluations == plain.evaluations


def test_a_signal_during_an_early_validation_leaves_it_to_the_resumed_run(tmp_path: Path) -> None:
    plain = fit(job(network(), tmp_path / "plain"), EARLY)
    cut = job(network(), tmp_path / "cut")

    def interrupted() -> dict[str, float]:
        signal.raise_signal(signal.SIGTERM)
        return {"accuracy": 0.0}

    cut.validate = interrupted
    with pytest.raises(Interrupted), interruptible():
        fit(cut, EARLY)
    resumed = fit(job(network(), tmp_path / "cut"), EARLY)
    values = [[e["validation"] for e in fitted.evaluations] for fitted in (plain, resumed)]
    assert values[0] == values[1]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.1, 0.1), "must rise"),
        ((0.5, 0.1), "must rise"),
        ((0.0, 1.0), "greater than 0"),
        ((0.5, 1.5), "less than or equal to 1"),
    ],
)
def test_shares_that_do_not_rise_within_an_epoch_are_refused(
    shares: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainingRecipe(evaluate=shares)


def test_the_end_of_the_first_epoch_is_evaluated_whether_it_is_named_or_not() -> None:
    assert TrainingRecipe(evaluate=(0.5,)).evaluate == (0.5, 1.0)
    assert TrainingRecipe(evaluate=()).evaluate == TrainingRecipe().evaluate == (1.0,)


def test_a_share_is_evaluated_after_the_first_step_that_completes_it() -> None:
    assert early_steps((0.01, 0.07, 0.5, 1.0), 100) == {1, 7, 50}
    assert early_steps((0.01, 0.4, 0.7, 1.0), 3) == {1, 2}
    assert early_steps((0.01, 1.0), 1) == set()


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


def test_slow_checkpoints_leave_time_to_steps_and_the_last_epoch_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = fit(job(network(), tmp_path / "plain"), RECIPE)
    monkeypatch.setattr(loop, "QUICK", -1.0)  # as if each took too long
    monkeypatch.setattr(loop, "STEPS_PER_CHECKPOINT", 1e9)
    few = job(network(), tmp_path / "few")
    few.checkpoints = 9
    fitted = fit(few, RECIPE)  # two steps an epoch
    assert saved(few.folder) == [10, 2]  # what one takes is known after the first
    assert len(few.log.read_text().splitlines()) == RECIPE.epochs  # a line each
    assert [entry["loss"] for entry in fitted.history] == [entry["loss"] for entry in plain.history]
    monkeypatch.setattr(loop, "STEPS_PER_CHECKPOINT", 0)  # steps have taken long enough
    often = job(network(), tmp_path / "often")
    often.checkpoints = 9
    fit(often, RECIPE)
    assert saved(often.folder) == [10, 8, 6, 4, 2]
