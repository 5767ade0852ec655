"""Units of pretraining from images to weights: killed and resumed, and what they leave."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load, load_file

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.build import load_encoder
from omnibench.encoders.coverage import tensors_digest
from omnibench.execute import execute_unit
from omnibench.store import RecordStore
from omnibench.task import Outcome
from omnibench.tasks.pretraining.metrics import FIGURES, KNN
from omnibench.tasks.pretraining.trainer import Trainer
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.steps import Steps
from tests.pretraining.pretraining_units import FAST, checkpoints, lines, outcome, pretraining


class Killed(BaseException):
    pass


def kill_in(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, step: int) -> None:
    """Let the run die in a method that is called with the number of the step."""
    original = getattr(where, name)

    def dying(self: Any, number: Any, *rest: Any) -> Any:
        if number == step:
            raise Killed
        return original(self, number, *rest)

    monkeypatch.setattr(where, name, dying)


def same(ours: Any, theirs: Any) -> None:
    """Whether two outcomes are one another's, bit for bit."""
    assert ours.files["safetensors"] == theirs.files["safetensors"]
    assert ours.digests == theirs.digests
    for name, array in theirs.predictions.items():
        assert np.array_equal(ours.predictions[name], array, equal_nan=True), name


@pytest.fixture(scope="module")
def plain(
    phantom: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], Outcome]:
    """An undisturbed run with everything in it: its lines and its outcome."""
    folder = tmp_path_factory.mktemp("plain")
    torch.set_num_threads(1)
    context = Context(folder, folder)
    unit = everything(phantom)
    actual = outcome(unit, context)
    return lines(unit, context), actual


def everything(phantom: str, **recipe: Any) -> Unit:
    return pretraining(
        phantom, knn=phantom, local_crops=1, centring="mean", log_steps=3, knn_steps=4, **recipe
    )


@pytest.mark.parametrize(
    ("where", "name", "step", "checkpoint_steps"),
    [
        (Steps, "gradients", 2, None),  # nothing is saved yet
        (Steps, "gradients", 5, None),
        (Steps, "update", 6, 3),  # between two lines of the log, a checkpoint in mid-epoch
        (Trainer, "after", 7, 1),  # the optimiser has made a step that the teacher has not
    ],
)
def test_a_run_killed_anywhere_ends_in_the_same_bits(
    plain: tuple[list[dict[str, Any]], Outcome],
    phantom: str,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    step: int,
    checkpoint_steps: int | None,
) -> None:
    unit = everything(phantom, checkpoint_steps=checkpoint_steps)
    kill_in(monkeypatch, where, name, step)
    with pytest.raises(Killed):
        outcome(unit, context)
    monkeypatch.undo()
    resumed = outcome(unit, context)
    assert lines(unit, context) == plain[0]
    same(resumed, plain[1])
    assert not checkpoints(unit, context).exists()


SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.pretraining.pretraining_units import outcome
from tests.pretraining.test_pretraining_runner import Trainer, everything
from omnibench.context import Context
import torch
torch.set_num_threads(1)
after = Trainer.after
def dying(self, step, *rest):
    after(self, step, *rest)
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
Trainer.after = dying
outcome(everything({phantom!r}, checkpoint_steps=5), Context(Path({results!r}), Path({data!r})))
"""


def test_a_process_that_is_killed_outright_goes_on_in_another(
    plain: tuple[list[dict[str, Any]], Outcome], phantom: str, context: Context, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        SCRIPT.format(
            root=str(Path(__file__).parents[2]),
            phantom=phantom,
            results=str(context.results),
            data=str(context.data),
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    unit = everything(phantom, checkpoint_steps=5)
    assert [line["step"] for line in lines(unit, context)] == [0, 3, 4, 6]  # past the checkpoint
    kept = Checkpoints(checkpoints(unit, context)).load()
    assert kept is not None
    assert kept["step"] == 5
    resumed = outcome(unit, context)
    assert lines(unit, context) == plain[0]
    same(resumed, plain[1])


def test_a_run_killed_before_its_record_only_reads_its_last_checkpoint(
    plain: tuple[list[dict[str, Any]], Outcome],
    phantom: str,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Checkpoints, "remove", lambda self: None)
    unit = everything(phantom)
    outcome(unit, context)
    monkeypatch.setattr(Trainer, "before", None)  # no step can be made
    again = outcome(unit, context)
    assert lines(unit, context) == plain[0]
    same(again, plain[1])


def test_the_log_has_the_steps_that_were_asked_for_and_its_figures(
    plain: tuple[list[dict[str, Any]], Outcome],
) -> None:
    actual, ended = plain
    assert [line["step"] for line in actual] == [0, 3, 4, 6, 8]
    assert ["knn_auc" in line for line in actual] == [True, False, True, False, True]
    assert actual[0].keys() == {"step", *KNN}
    for line in actual[1:]:
        assert line.keys() - set(KNN) == {"step", *FIGURES}
        assert line["loss"] == pytest.approx(line["dino"] + line["ibot"] + line["koleo"])
        assert np.isfinite([line[name] for name in FIGURES]).all()
    assert ended.metrics == {
        "pretraining-course/loss": actual[-1]["loss"],
        "pretraining-course/teacher-entropy": actual[-1]["teacher_entropy"],
        "feature-spread/effective-rank": actual[-1]["effective_rank"],
        "online-knn/accuracy": actual[-1]["knn_accuracy"],
        "online-knn/auc": actual[-1]["knn_auc"],
    }
    assert ended.files["curves.png"].startswith(b"\x89PNG")
    assert ended.notes["collapse"] == []


def test_a_line_is_the_mean_of_its_steps(
    plain: tuple[list[dict[str, Any]], Outcome], phantom: str, context: Context
) -> None:
    unit = pretraining(phantom, local_crops=1, centring="mean")
    outcome(unit, context)
    each = lines(unit, context)
    assert [line["step"] for line in each] == list(range(1, 9))
    for line, steps in zip(plain[0][1:], [(0, 1, 2), (3,), (4, 5), (6, 7)], strict=True):
        for name in ("loss", "dino", "ibot", "koleo"):
            assert line[name] == pytest.approx(np.mean([each[k][name] for k in steps]), rel=1e-12)
        assert line["gradient_norm"] == each[steps[-1]]["gradient_norm"]
        assert line["lr"] == each[steps[-1]]["lr"]


def test_what_is_watched_changes_nothing(
    plain: tuple[list[dict[str, Any]], Outcome], phantom: str, context: Context
) -> None:
    actual = outcome(pretraining(phantom, local_crops=1, centring="mean", log_steps=5), context)
    assert actual.digests == plain[1].digests
    assert actual.metrics["online-knn/accuracy"] is None


def test_without_knn_steps_neighbours_are_asked_after_each_epoch(
    phantom: str, context: Context
) -> None:
    unit = pretraining(phantom, knn=phantom, log_steps=3)
    outcome(unit, context)
    asked = {line["step"]: "knn_auc" in line for line in lines(unit, context)}
    assert asked == {0: True, 3: False, 4: True, 6: False, 8: True}


def first_line(unit: Unit, context: Context) -> Any:
    outcome(unit, context)
    return lines(unit, context)[0]


def test_recomputed_activations_and_layer_scale_change_no_loss(
    phantom: str, context: Context
) -> None:
    settings: Any = {"layer_scale": 1e-5, "drop_path": 0.3, "epochs": 1}
    logs = []
    for name, again in (("kept", False), ("recomputed", True)):
        unit = pretraining(phantom, checkpoint_activations=again, **settings)
        place = replace(context, results=context.results / name)
        actual = outcome(unit, place)
        logs.append(lines(unit, place))
    assert logs[0] == logs[1]
    gammas = [v for n, v in load(actual.files["safetensors"]).items() if n.endswith(".gamma")]
    assert len(gammas) == 12
    assert all((gamma - 1e-5).abs().max() < 0.01 for gamma in gammas)


def test_bf16_is_near_fp32(phantom: str, context: Context) -> None:
    rough = first_line(pretraining(phantom, precision="bf16", epochs=1), context)
    exact = first_line(pretraining(phantom, epochs=1), context)
    assert rough != exact
    for name in ("dino", "ibot"):
        assert rough[name] == pytest.approx(exact[name], rel=0.02)


def test_every_repetition_has_a_training_of_its_own(phantom: str, context: Context) -> None:
    unit = pretraining(phantom, epochs=1, repetitions=(0, 1))
    first, second = tasks.get("pretraining").run(unit, context)
    assert (first.repetition, second.repetition) == (0, 1)
    assert first.digests != second.digests
    (alone,) = tasks.get("pretraining").run(replace(unit, repetitions=(1,)), context)
    same(alone, second)


def test_the_weights_beside_the_record_are_the_teacher(context: Context) -> None:
    unit = pretraining("phantom", layer_scale=0.1, limit=16, epochs=1, normalization="imagenet")
    assert execute_unit(unit, context).repetitions == {0: None}
    path = RecordStore(context.results).path(unit.cells[0])
    record = json.loads(path.read_text())
    notes = record["notes"]
    assert notes["model_args"] == {"num_classes": 0, "img_size": 48, "init_values": 0.1}
    assert notes["images"] == {"phantom": 16}
    vit = timm.create_model(notes["architecture"], **notes["model_args"])
    vit.load_state_dict(load_file(path.with_suffix(".safetensors")), strict=True)
    assert tensors_digest(vit) == record["digests"]["weights"]
    start = timm.create_model(notes["architecture"], **notes["model_args"])
    assert tensors_digest(start) != record["digests"]["weights"]
    assert path.with_suffix(".curves.png").is_file()
    card = BackboneCard(id="made", source=f"record:{record['digest']}")
    recipe = {"input_size": 32, "normalization": "backbone", "precision": "fp32"}
    loaded = load_encoder(card, recipe, "cpu", context.data, context.results)
    assert loaded.mean == (0.485, 0.456, 0.406)
    images = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    assert loaded.encoder.embed(images).shape == (2, 64)
    same_size = load_encoder(
        card, {**recipe, "input_size": 48}, "cpu", context.data, context.results
    )
    assert same_size.digest == record["digests"]["weights"]


def test_a_training_starts_from_the_backbone_it_is_given(phantom: str, context: Context) -> None:
    frozen = pretraining(phantom, epochs=1, momentum=(1.0, 1.0))
    weights = load(outcome(frozen, context).files["safetensors"])
    torch.manual_seed(0)
    start: Any = timm.create_model("test_vit", num_classes=0)
    start.set_input_size(img_size=(FAST["input_size"],) * 2)
    assert weights.keys() == start.state_dict().keys()
    for name, value in start.state_dict().items():
        assert torch.equal(weights[name], value), name


def test_backbone_and_heads_are_clipped_each_by_itself(
    phantom: str, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, seen = torch.optim.AdamW.step, []

    def counted(self: Any, *given: Any) -> Any:
        seen.append([p.grad.norm() for group in self.param_groups for p in group["params"]])
        return step(self, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    unit = pretraining(phantom, clip_norm=1e-3, epochs=1)
    outcome(unit, context)
    for norms, line in zip(seen, lines(unit, context), strict=True):
        # Backbone, DINO's head and iBOT's: three norms of 1e-3 each.
        assert torch.stack(norms).norm() == pytest.approx(3**0.5 * 1e-3, rel=1e-3)
        assert line["gradient_norm"] > 1e-2  # before they were clipped
