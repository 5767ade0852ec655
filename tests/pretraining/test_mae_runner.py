"""Units of `mae` and `mae3d` from images to weights: killed and resumed, and what they leave."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders import VolumeEncoder
from omnibench.encoders.build import load_encoder
from omnibench.encoders.coverage import tensors_digest
from omnibench.encoders.origins import ORIGINS, Origin
from omnibench.encoders.positions import sine_cosine
from omnibench.encoders.timm_create import create_timm
from omnibench.encoders.volume_vit import VolumeViT
from omnibench.execute import execute_unit
from omnibench.store import RecordStore
from omnibench.tasks.pretraining.metrics import KNN, MASKED
from omnibench.tasks.pretraining.trainer import Trainer
from tests.pretraining.pretraining_units import checkpoints, lines, masked, outcome
from tests.pretraining.test_pretraining_runner import Killed, kill_in, same

SMALL = {"width": 24, "depth": 2, "heads": 3, "patch": [4, 8, 8], "slices": 8}


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Studies of 12 slices of 16 px, a bright box in half of them, as an npz."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in {"train": 36, "val": 12, "test": 4}.items():
        images = rng.integers(0, 90, (count, 12, 16, 16), dtype=np.uint8)
        labels = np.arange(count) % 2
        images[labels == 1, 3:9, 4:12, 4:12] += 120
        arrays |= {f"{split}_volumes": images, f"{split}_labels": labels[:, None]}
    path = tmp_path_factory.mktemp("volumes") / "volumes.npz"
    np.savez(path, **arrays)
    return f"npz:{path}"


@pytest.fixture(autouse=True)
def small_volume_vit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `random:vit3d-tiny` be a smaller one."""

    def drawn(card: BackboneCard, *_: Any) -> Origin:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = create_timm("vit3d", SMALL)
        return Origin(module, None, (0.0,) * 3, (1.0,) * 3, arguments=SMALL)

    plain = ORIGINS["random"]
    monkeypatch.setitem(
        ORIGINS,
        "random",
        lambda card, *rest: (drawn if "3d" in card.source else plain)(card, *rest),
    )


def unit_of(method: str, phantom: str, volumes: str, **recipe: Any) -> Unit:
    dataset = phantom if method == "mae" else volumes
    source = "random:test_vit" if method == "mae" else "random:vit3d-tiny"
    return masked(method, dataset, source, {"knn": dataset}, log_steps=3, knn_steps=4, **recipe)


@pytest.mark.parametrize("method", ["mae", "mae3d"])
def test_a_killed_run_ends_in_the_same_bits(
    phantom: str,
    volumes: str,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    whole = unit_of(method, phantom, volumes)
    undisturbed = replace(context, results=context.results / "undisturbed")
    expected = outcome(whole, undisturbed)
    course = lines(whole, undisturbed)
    unit = unit_of(method, phantom, volumes, checkpoint_steps=3)
    with monkeypatch.context() as patch:
        # Between two lines of the log, past a checkpoint in mid-epoch.
        kill_in(patch, Trainer, "after", 6)
        with pytest.raises(Killed):
            outcome(unit, context)
    same(outcome(unit, context), expected)
    assert lines(unit, context) == course
    assert not checkpoints(unit, context).exists()
    assert [line["step"] for line in course] == [0, 3, 4, 6, 8]
    validated = {"val_loss", "val_psnr"}
    assert course[0].keys() == {"step", *KNN, *validated}
    for line in course[1:]:
        assert line.keys() - set(KNN) - validated == {"step", *MASKED} - validated
    assert course[-1]["val_loss"] < course[0]["val_loss"]
    assert expected.metrics == {
        "feature-spread/effective-rank": course[-1]["effective_rank"],
        "online-knn/accuracy": course[-1]["knn_accuracy"],
        "online-knn/auc": course[-1]["knn_auc"],
        "reconstruction/masked-mse": course[-1]["val_loss"],
        "reconstruction/psnr": course[-1]["val_psnr"],
    }
    assert expected.files["curves.png"].startswith(b"\x89PNG")


def test_micro_batches_see_the_views_and_masks_of_the_batch(phantom: str, context: Context) -> None:
    whole = masked("mae", phantom, epochs=1)
    parts = masked("mae", phantom, epochs=1, micro_batch=3)
    first = outcome(whole, replace(context, results=context.results / "whole"))
    second = outcome(parts, replace(context, results=context.results / "parts"))
    losses = first.predictions["loss"][1:]  # before the first step there is none
    assert len(losses) == 4
    assert second.predictions["loss"][1:] == pytest.approx(losses, rel=1e-4)


def test_the_encoder_of_mae_is_a_timm_network_with_fixed_positions(
    phantom: str, context: Context
) -> None:
    unit = masked("mae", phantom, limit=16, epochs=1)
    assert execute_unit(unit, context).repetitions == {0: None}
    path = RecordStore(context.results).path(unit.cells[0])
    record = json.loads(path.read_text())
    weights = load_file(path.with_suffix(".safetensors"))
    assert torch.equal(weights["pos_embed"][0, 1:], sine_cosine((3, 3), 64))
    assert not weights["pos_embed"][0, 0].any()
    assert record["notes"]["patches"] == 9
    assert record["notes"]["visible_patches"] == 2
    card = BackboneCard(id="made", source=f"record:{record['digest']}", pool="mean")
    recipe = {"input_size": 48, "normalization": "backbone", "precision": "fp32"}
    loaded = load_encoder(card, recipe, "cpu", context.data, context.results)
    assert loaded.digest == record["digests"]["weights"]
    images = torch.randint(0, 256, (2, 48, 48), dtype=torch.uint8)
    assert loaded.encoder.embed(images).shape == (2, 64)


def test_the_encoder_of_mae3d_embeds_volumes(volumes: str, context: Context) -> None:
    unit = masked("mae3d", volumes, "random:vit3d-tiny", limit=16, epochs=1)
    assert execute_unit(unit, context).repetitions == {0: None}
    record = json.loads(RecordStore(context.results).path(unit.cells[0]).read_text())
    assert record["notes"]["patches"] == 2 * 2 * 2
    card = BackboneCard(id="made", source=f"record:{record['digest']}", pool="mean")
    recipe = {"input_size": 16, "normalization": "backbone", "precision": "fp32"}
    loaded = load_encoder(card, recipe, "cpu", context.data, context.results)
    assert isinstance(loaded.encoder, VolumeEncoder)
    assert loaded.digest == record["digests"]["weights"]
    slices = torch.randint(0, 256, (2, 12, 16, 16), dtype=torch.uint8)
    assert loaded.encoder.embed_volumes(slices).shape == (2, 24)


def test_a_network_of_images_is_inflated_where_that_is_asked_for(
    volumes: str, context: Context
) -> None:
    options = {"inflate": 32}
    unit = masked("mae3d", volumes, options=options, limit=8, epochs=1, input_size=32)
    actual = outcome(unit, context)
    arguments: dict[str, Any] = {
        "width": 64,
        "depth": 6,
        "heads": 2,
        "patch": [16, 16, 16],
        "slices": 32,
    }
    arguments |= {"mlp_ratio": 3}
    assert actual.notes["architecture"] == "vit3d"
    assert actual.notes["model_args"] == arguments
    rebuilt = create_timm(actual.notes["architecture"], actual.notes["model_args"])
    assert isinstance(rebuilt, VolumeViT)
    path: Path = context.results / "weights.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(actual.files["safetensors"])
    rebuilt.load_state_dict(load_file(path))
    assert tensors_digest(rebuilt) == actual.digests["weights"]
