"""What is trained in steps on studies, run from a suite's block to the metrics of its cells."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from omnibench.catalogue import tasks
from omnibench.tasks.volumes.trial import VolumeTrial
from omnibench.training.job import Batch, Job
from omnibench.training.steps import Steps
from tests.conftest import Bench
from tests.volumes.conftest import Ran, Units

FROZEN = ["mean", "attention", "transformer", "head"]
TRAINED: list[Any] = [{"lora": {"r": 4, "alpha": 8, "dropout": 0.0}}, "anymc3d"]
EVERY = [*FROZEN, *TRAINED]
# Of a job whose gradients alone are asked for.
NO_JOB: dict[str, Any] = {
    "validate": dict,
    "set_mode": dict,
    "select": None,
    "seed": 0,
    "device": "cpu",
    "folder": Path(),
    "log": Path(),
    "progress": print,
}


def same(first: Any, second: Any) -> bool:
    """Return whether two repetitions have the same bits in all that is stored of them."""
    return first.metrics == second.metrics and all(
        np.array_equal(array, second.predictions[name], equal_nan=array.dtype.kind == "f")
        for name, array in first.predictions.items()
    )


@pytest.mark.parametrize("adaptation", EVERY, ids=str)
def test_the_order_in_which_slices_are_read_changes_no_bit(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, adaptation: Any
) -> None:
    (plain,) = ran(adaptation)
    monkeypatch.setattr("tests.volumes.conftest.in_order", lambda slices: slices[:, ::-1].flatten())
    (reversed_,) = ran(adaptation, place="reversed")
    assert np.array_equal(plain.predictions["test_logits"], reversed_.predictions["test_logits"])
    assert plain.metrics == reversed_.metrics


@pytest.mark.parametrize("adaptation", TRAINED, ids=str)
def test_studies_one_by_one_have_the_gradients_of_the_whole_batch(
    units: Units, adaptation: Any
) -> None:
    (unit,), context = units(adaptation, "tiny-views")
    torch.manual_seed(0)
    trial = tasks.get("volumes").prepare(unit, context)(0)
    assert isinstance(trial, VolumeTrial)
    assert trial.recipe.micro_batch == 1
    rows = torch.tensor([3, 0, 7, 2, 11])
    with torch.no_grad():
        for name, parameter in trial.model.named_parameters():
            if "lora_B" in name:  # else A has no gradient
                parameter.normal_(std=0.02)
    gradients = {}
    for micro in (1, 2, None):
        job = Job(model=trial.model, count=trial.count, loss=trial.loss, **NO_JOB)
        steps = Steps(job, trial.recipe.model_copy(update={"micro_batch": micro}))
        loss = steps.gradients(0, rows)
        own = [p.grad.clone() for p in steps.parameters if p.grad is not None]
        gradients[micro] = (loss, torch.cat([gradient.flatten() for gradient in own]))
    for micro in (1, 2):
        assert gradients[micro][0] == pytest.approx(gradients[None][0], rel=1e-5)
        assert torch.allclose(gradients[micro][1], gradients[None][1], rtol=1e-3, atol=1e-6)
    assert gradients[None][1].abs().max() > 1e-4


def test_studies_are_trained_on_the_loss_of_their_recipe(units: Units) -> None:
    recipe = {"loss": "focal", "class_weights": "sqrt-inverse"}
    (unit,), context = units("molre", recipe=recipe, labels=["40%"])
    trial = tasks.get("volumes").prepare(unit, context)(0)
    assert isinstance(trial, VolumeTrial)
    head: Any = trial.model.head[0]
    rows = torch.arange(trial.count)
    labels = trial.cases.labels["train"][trial.subset.train]
    with torch.no_grad():
        head.weight.normal_(generator=torch.Generator().manual_seed(0))
        logits = trial.model(trial.slices("train", trial.subset.train))[0].double()
        loss = float(trial.loss(Batch(0, rows, rows, rows)))
    p = logits.softmax(1)[rows, torch.from_numpy(labels)]
    weights = torch.from_numpy(np.sqrt(len(labels) / np.bincount(labels)))[labels]
    expected = (weights * (1 - p) ** 2 * -p.log()).sum() / weights.sum()
    assert loss == pytest.approx(expected.item(), rel=1e-4)


def test_the_routing_of_a_study_is_the_mean_over_its_slices(units: Units) -> None:
    (unit,), context = units({"molre": {"experts": 3}}, "tiny-views", recipe={"slices": 3})
    torch.manual_seed(0)
    trial = tasks.get("volumes").prepare(unit, context)(0)
    assert isinstance(trial, VolumeTrial)
    routing = trial.predict()["test_routing"]
    site: Any = trial.model.on_embedding
    split = trial.cases.dataset.splits["test"]
    assert trial.features is not None
    assert split.study is not None
    assert split.place is not None
    with torch.no_grad():
        of_slices = site.routing(torch.from_numpy(trial.features.arrays["test"])).numpy()
    used = np.isin(split.place, [0, 2, 4])  # three of five
    expected = [of_slices[used & (split.study == name)].mean(axis=0) for name in split.studies]
    assert np.allclose(routing, expected, atol=1e-6)
    assert len(np.unique(routing, axis=0)) == len(routing) == 12


def test_records_tell_how_experts_share_studies(ran: Ran) -> None:
    (outcome,) = ran("molre")
    assert outcome.metrics["routing/entropy"] == pytest.approx(math.log(6), rel=0.1)
    (outcome,) = ran("head")
    assert "routing/entropy" not in outcome.metrics


class Killed(BaseException):
    pass


@pytest.mark.parametrize("adaptation", ["transformer", *TRAINED], ids=str)
def test_a_training_killed_on_its_way_ends_in_the_same_bits(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, adaptation: Any
) -> None:
    (plain,) = ran(adaptation, place="plain")
    original = Steps.gradients

    def dying(self: Steps, number: int, rows: Any) -> float:
        if number == 4:
            raise Killed
        return original(self, number, rows)

    monkeypatch.setattr(Steps, "gradients", dying)
    with pytest.raises(Killed):
        ran(adaptation, place="killed")
    monkeypatch.setattr(Steps, "gradients", original)
    (resumed,) = ran(adaptation, place="killed")
    assert same(plain, resumed)


def test_a_transformer_is_the_same_in_every_run_and_another_in_every_repetition(ran: Ran) -> None:
    first, second = (ran("transformer", place=place, repetitions=3) for place in ("a", "b"))
    assert all(same(*pair) for pair in zip(first, second, strict=True))
    logits = [outcome.predictions["test_logits"] for outcome in first]
    assert not any(np.array_equal(logits[0], other) for other in logits[1:])


@pytest.mark.parametrize(("labels", "studies"), [("10%", 4), ("4/class", 8)])
@pytest.mark.parametrize("adaptation", ["attention", "transformer"])
def test_a_label_budget_leaves_whole_patients_studies(
    ran: Ran, units: Units, adaptation: str, labels: str, studies: int
) -> None:
    (outcome,) = ran(adaptation, labels=[labels], recipe={"batch": 4})
    facts = outcome.notes["subset"]
    assert facts["studies"] >= studies
    (unit,), context = units(adaptation, labels=[labels])
    trial = tasks.get("volumes").prepare(unit, context)(0) if adaptation == "transformer" else None
    if trial is not None:
        assert trial.subset is not None
        patients = trial.subset.train // 2  # each has two studies
        assert all((patients == patient).sum() == 2 for patient in patients)
        assert trial.count == facts["studies"]


@pytest.mark.parametrize("adaptation", EVERY, ids=str)
def test_a_limit_cuts_studies_with_all_of_their_slices(ran: Ran, adaptation: Any) -> None:
    (outcome,) = ran(adaptation, recipe={"limit": 8, "batch": 8})
    assert outcome.predictions["test_logits"].shape == (8, 2)
    assert outcome.notes["subset"]["studies"] == 8


@pytest.mark.parametrize("adaptation", EVERY, ids=str)
def test_studies_without_a_view_are_tested_by_the_other(ran: Ran, adaptation: Any) -> None:
    (outcome,) = ran(adaptation, "tiny-views")
    assert outcome.predictions["test_view:sagittal"].tolist() == [1, 1, 1, 0] * 3
    assert {"missing/auc-axial", "missing/auc-axial+sagittal"} <= set(outcome.metrics)
    assert np.isfinite(outcome.predictions["test_logits"]).all()
    if "test_slice_weight" in outcome.predictions:
        weights = outcome.predictions["test_slice_weight"]
        assert np.nansum(weights, axis=1) == pytest.approx(1, abs=1e-5)
        assert np.isnan(weights[3, 5:]).all()


@pytest.mark.parametrize("adaptation", ["transformer", *TRAINED], ids=str)
def test_a_batch_beyond_the_training_studies_is_refused_before_the_run(
    units: Units, adaptation: Any
) -> None:
    (unit,), _ = units(adaptation, recipe={"limit": 8})
    assert [need for need in unit.needs if "recipe.batch 16 exceeds" in need]


def test_at_most_so_many_slices_of_a_view_are_embedded(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    original = VolumeTrial.embed

    def counting(self: VolumeTrial, images: torch.Tensor, view: int) -> torch.Tensor:
        counts.append(len(images))
        return original(self, images, view)

    monkeypatch.setattr(VolumeTrial, "embed", counting)
    (outcome,) = ran(TRAINED[0], recipe={"slices": 2, "epochs": 1})
    assert counts[:40] == [2] * 40  # a study a forward pass
    assert outcome.predictions["test_slice_weight"].shape == (12, 2)


def test_plan_run_and_rescore_agree(bench: Bench, tmp_path: Path, units: Units) -> None:
    path = tmp_path / "s.yaml"
    block: dict[str, Any] = {
        "task": "volumes",
        "datasets": ["tiny-volume"],
        "adaptations": ["median", *EVERY],
    }
    block["recipe"] = {"input_size": 32, "epochs": 1}
    suite = {"name": "s", "repetitions": 1, "backbones": ["random-vit-nano"], "matrix": [block]}
    path.write_text(yaml.safe_dump(suite))
    status, out, err = bench("plan", path)
    assert status == 0, err
    assert "7 cells" in out
    status, _, err = bench("run", path)
    assert status == 0, err
    status, out, err = bench("rescore", path)
    assert "7 records scored, 0 changed" in out, err
