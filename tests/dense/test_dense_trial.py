import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from omnibench.catalogue import metrics, tasks
from omnibench.tasks.dense.cases import Cases
from omnibench.tasks.dense.losses import gradient_loss, neighbours, pixel_loss
from omnibench.tasks.dense.trial import DenseTrial
from omnibench.training.job import Batch
from omnibench.views import Corrupted

from .conftest import CARD, MOVED, read


def outcome(unit: Any, context: Any) -> Any:
    (outcome,) = tasks.get("dense").run(unit, context)
    return outcome


@pytest.mark.parametrize("adaptation", ["linear", "decoder", "full"])
def test_every_adaptation_leaves_every_measure(make: Any, adaptation: str) -> None:
    actual = outcome(*make(adaptation))
    definitions = {name.partition("/")[0] for name in actual.metrics}
    every = {metric.definition for metric in tasks.get("dense").metrics}
    # What an example that a test imports has registered is its own.
    own = {name.partition(":")[2].partition("/")[0] for name in metrics}
    assert definitions - own == every - {"registration"}  # a disc's maps are no displacements
    assert actual.predictions["test_moments"].shape == (9, 7)
    assert (actual.predictions["test_moments"][:, 0] == 31 * 32).all()  # the first row is unknown
    assert actual.predictions["test_baseline_ssim"].shape == (9, 3, 3)
    assert actual.notes["validated"] == {"metric": "mae", "better": "down"}
    assert Image.open(io.BytesIO(actual.files["maps.png"])).size == (660, 660)


def test_the_decoder_learns_bright_discs_and_beats_every_baseline(make: Any) -> None:
    unit, context = make("decoder", epochs=20, lr=1e-2)
    metrics = outcome(unit, context).metrics
    assert metrics["dense-error/mae"] < 0.25
    record = {"metrics": metrics}
    doubts = list(tasks.get("dense").doubts([record], 9))
    assert all(metrics[f"dense-gain/over-{name}-low"] > 0 for name in ("mean-image", "input"))
    assert all("affine" in doubt for doubt in doubts)


def test_a_baseline_that_is_not_beaten_is_named_with_its_interval() -> None:
    values = {f"dense-gain/over-{n}{b}": v for n in ("mean-image", "input") for b, v in BOUNDS}
    (doubt,) = tasks.get("dense").doubts(
        [{"metrics": {**values, **{f"dense-gain/over-affine{b}": v - 1 for b, v in BOUNDS}}}], 9
    )
    assert doubt == (
        "not shown to beat the baseline affine, whose MAE is higher by -0.5 "
        "(95 % interval -0.75 to -0.25)"
    )


BOUNDS = (("", 0.5), ("-low", 0.25), ("-high", 0.75))


def test_maps_are_kept_where_asked_and_views_have_their_own(make: Any) -> None:
    unit, context = make("linear", keep_maps=True)
    unit = dataclasses.replace(unit, views=(Corrupted("gaussian-noise", 3),))
    actual = outcome(unit, context)
    truth, valid = (actual.predictions[f"test_{name}"] for name in ("truth", "valid"))
    error = np.abs(actual.predictions["test_maps"] - truth)[valid].reshape(9, -1).mean()
    assert actual.metrics["dense-error/mae"] == pytest.approx(float(error), rel=1e-5)
    assert actual.metrics["dense-error@gaussian-noise-3/mae"] != actual.metrics["dense-error/mae"]


def test_the_loss_of_parts_is_that_of_the_batch_over_valid_pixels_and_neighbours(
    make: Any,
) -> None:
    unit, context = make("linear", loss="huber", gradient=0.5)
    trial: Any = tasks.get("dense").prepare(unit, context)(0)
    assert isinstance(trial, DenseTrial)
    whole = torch.tensor([3, 1, 4, 5])
    first, second = (
        trial.loss(Batch(0, whole[part], torch.arange(4)[part], whole)).item()
        for part in (slice(0, 3), slice(3, 4))
    )
    fitted = trial.cases.fitted
    truth, valid = (torch.from_numpy(a) for a in trial.cases.truth("train", whole.numpy()))
    truth = (truth - fitted.mean) / fitted.std
    outputs = trial.model("train", whole.numpy())
    z = functional.interpolate(outputs, size=(32, 32), mode="bilinear")[:, 0]
    pixels = functional.huber_loss(z[:, 1:], truth[:, 1:])
    error = (z - truth)[:, 1:]
    differences = torch.cat([error.diff(dim=d).abs().flatten() for d in (1, 2)])
    expected = pixels + 0.5 * differences.mean()
    assert first + second == pytest.approx(expected.item(), rel=1e-5)
    assert neighbours(valid) == len(differences)


def test_displacements_are_learnt_and_measured_by_channel(make: Any) -> None:
    unit, context = make("decoder", {"width": 24, "detail": True}, MOVED, keep_maps=True)
    actual = outcome(unit, context)
    maps, truth, valid = (actual.predictions[f"test_{n}"] for n in ("maps", "truth", "valid"))
    assert maps.shape == truth.shape == (9, 32, 32, 2)
    off = np.linalg.norm(maps - truth, axis=-1)[valid].reshape(9, -1).mean()
    assert actual.metrics["registration/endpoint-error"] == pytest.approx(off, rel=1e-5)
    mae = np.abs(maps - truth)[valid].reshape(9, -1).mean()
    assert actual.metrics["dense-error/mae"] == pytest.approx(mae, rel=1e-5)
    assert 0 <= actual.metrics["registration/dice"] <= 1
    still = actual.predictions["test_baseline_registration"][:, 1, 0]  # the baseline `input`
    np.testing.assert_allclose(
        still,
        [np.linalg.norm(t[v], axis=1).mean() for t, v in zip(truth, valid, strict=True)],
        rtol=1e-5,
    )
    assert Image.open(io.BytesIO(actual.files["maps.png"])).size == (4 + 7 * 164, 660)


def test_the_loss_of_channels_is_their_mean(make: Any) -> None:
    trial: Any = tasks.get("dense").prepare(*make("linear", dataset=MOVED))(0)
    rows = torch.arange(4)
    fitted = trial.cases.fitted
    truth, _ = trial.cases.truth("train", rows.numpy())
    pixels = truth[:, 1:].reshape(-1, 2).astype(float)
    every = trial.cases.truth("train", np.arange(16))[0].astype(float)
    np.testing.assert_allclose(fitted.mean, every[:, 1:].reshape(-1, 2).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(fitted.std, every[:, 1:].reshape(-1, 2).std(axis=0), rtol=1e-5)
    outputs = functional.interpolate(trial.model("train", rows.numpy()), (32, 32), mode="bilinear")
    predicted = outputs.movedim(1, -1).detach().numpy()[:, 1:]
    error = predicted - ((pixels - fitted.mean) / fitted.std).reshape(predicted.shape)
    differences = [np.abs(np.diff(error, axis=axis)).ravel() for axis in (1, 2)]
    expected = np.abs(error).mean() + np.concatenate(differences).mean()
    assert trial.loss(Batch(0, rows, rows, rows)).item() == pytest.approx(expected, rel=1e-5)


def test_a_residual_is_added_to_what_the_image_says_as_it_is(make: Any) -> None:
    trial: Any = tasks.get("dense").prepare(*make("linear", residual=True))(0)
    rows = np.arange(16)
    (truth, valid), inputs = trial.cases.truth("train", rows), trial.cases.inputs("train", rows)
    rest = (truth - inputs)[valid]
    fitted = trial.cases.fitted
    assert (fitted.rest_mean, fitted.rest_std) == pytest.approx((rest.mean(), rest.std()))
    torch.nn.init.zeros_(trial.model.head.classify.weight)
    np.testing.assert_allclose(trial.maps("train", rows), inputs + rest.mean(), atol=1e-5)
    batch = Batch(0, *(torch.from_numpy(rows),) * 3)
    error = np.where(valid, (truth - inputs - rest.mean()) / rest.std(), np.nan)
    differences = np.concatenate([np.abs(np.diff(error, axis=a)).ravel() for a in (1, 2)])
    expected = np.abs(error[valid]).mean() + np.nanmean(differences)
    assert trial.loss(batch).item() == pytest.approx(expected, rel=1e-5)


def test_lora_leaves_out_what_the_maps_do_not_use(make: Any) -> None:
    unit, context = make("lora", {"r": 2, "alpha": 4}, epochs=1)
    trial: Any = tasks.get("dense").prepare(unit, context)(0)
    adapted = {n for n, p in trial.model.named_parameters() if "lora_" in n}
    assert adapted
    assert not any("conv_head" in name for name in adapted)
    assert outcome(unit, context).metrics["dense-error/mae"] > 0


def test_no_gradient_comes_from_pixels_that_are_not_valid() -> None:
    predicted = torch.randn(2, 6, 6, requires_grad=True)
    truth, valid = torch.randn(2, 6, 6), torch.rand(2, 6, 6) < 0.6
    truth[~valid] = torch.nan
    (pixel_loss("l2", predicted, truth, valid) + gradient_loss(predicted, truth, valid)).backward()
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[~valid] == 0).all()


def test_baselines_are_fitted_on_the_training_pixels() -> None:
    cases = Cases.from_dataset(read(CARD, Path()), None)
    truth, valid = cases.truth("train", np.arange(16))
    grey = cases.dataset.splits["train"].images.read_rows(np.arange(16)) / 255 * 4 - 2
    slope, offset = np.polyfit(grey[valid], truth[valid], 1)
    fitted = cases.fitted
    assert (fitted.slope, fitted.offset) == pytest.approx((slope, offset))
    assert (fitted.mean, fitted.std) == pytest.approx((truth[valid].mean(), truth[valid].std()))
    np.testing.assert_allclose(fitted.mean_image[1:], truth[:, 1:].mean(axis=0), rtol=1e-6)
    assert (fitted.mean_image[0] == fitted.mean).all()  # of pixels that are valid nowhere
    answers = fitted.answers(grey, cases.facts)
    np.testing.assert_array_equal(answers["input"], grey)
    np.testing.assert_allclose(answers["affine"], slope * grey + offset)
