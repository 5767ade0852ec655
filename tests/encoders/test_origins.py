"""A local folder, a draw and a builder as the source of a backbone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from omnibench.cards import BackboneCard
from omnibench.encoders.build import Loaded, load_encoder
from omnibench.encoders.coverage import Coverage
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.errors import MissingWeightsError, RequestError, WeightsError

NAME = "test_vit"
RECIPE = {"input_size": 64, "normalization": "backbone", "precision": "fp32"}
IMAGES = torch.randint(
    0, 256, (2, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def load(folder: Path, size: int = 64, **card: Any) -> Loaded:
    recipe = {**RECIPE, "input_size": size}
    return load_encoder(
        BackboneCard(id="x", **card), recipe, "cpu", folder / "data", folder / "results"
    )


def embedding(loaded: Loaded) -> torch.Tensor:
    with torch.inference_mode():
        return loaded.encoder.embed(IMAGES)


def covered(loaded: Loaded) -> Coverage:
    """Return what of the weights was loaded."""
    assert loaded.coverage is not None
    return loaded.coverage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in timm's format with weights under a prefix."""
    torch.manual_seed(0)
    state = timm.create_model(NAME, num_classes=0).state_dict()
    path = tmp_path / "mine"
    path.mkdir()
    save_file({f"module.{key}": value for key, value in state.items()}, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps({"architecture": NAME}))
    return path


def test_a_folder_a_file_and_a_hub_repository_are_one_backbone(
    tmp_path: Path, folder: Path
) -> None:
    hub = tmp_path / "data" / "weights" / "me--tiny"
    hub.parent.mkdir(parents=True)
    hub.symlink_to(folder)
    weights = folder / "model.safetensors"
    loaded = [
        load(tmp_path, source=f"file:{folder}"),
        load(tmp_path, source=f"file:{folder}", architecture=NAME),
        load(tmp_path, source=f"file:{weights}", architecture=NAME),
        load(tmp_path, source="hf_hub:me/tiny"),
    ]
    assert len({item.digest for item in loaded}) == 1
    assert len({(item.mean, item.std) for item in loaded}) == 1
    assert all(torch.equal(embedding(loaded[0]), embedding(item)) for item in loaded)
    assert {covered(item).taken_from for item in loaded} == {"module"}


def test_a_folder_tells_architecture_arguments_mean_and_std(tmp_path: Path, folder: Path) -> None:
    options: dict[str, Any] = {"embed_dim": 32, "num_heads": 2, "depth": 2}
    model = timm.create_model(NAME, num_classes=0, **options)
    save_file(model.state_dict(), folder / "model.safetensors")
    cfg = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    config = {"architecture": NAME, "model_args": options, "pretrained_cfg": cfg}
    (folder / "config.json").write_text(json.dumps(config))
    loaded = load(tmp_path, source=f"file:{folder}")
    assert embedding(loaded).shape == (2, 32)
    assert (loaded.mean, loaded.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


@pytest.mark.parametrize(
    ("config", "card", "error", "reason"),
    [
        (None, {}, RequestError, "nothing tells the architecture of .*; set architecture="),
        ({}, {}, WeightsError, "names no architecture as timm's configurations do"),
        ({"architecture": NAME}, {"architecture": "vit_tiny_patch16_224"}, WeightsError, "says a"),
        ({"architecture": "vit_tinny"}, {}, RequestError, "timm has no architecture 'vit_tinny'"),
        ({"architecture": NAME, "mean": 0.5}, {}, WeightsError, "three numbers each are due"),
        ({"architecture": NAME, "mean": [1, 2]}, {}, WeightsError, "three numbers each are due"),
        ({"pretrained_cfg": [1]}, {"architecture": NAME}, WeightsError, "is no JSON object"),
        ("{", {}, WeightsError, "cannot be read as JSON"),
    ],
)
def test_a_folder_that_tells_too_little_is_refused(
    tmp_path: Path,
    folder: Path,
    config: dict[str, Any] | str | None,
    card: Any,
    error: type[Any],
    reason: str,
) -> None:
    text = config if isinstance(config, str) else json.dumps(config)
    (folder / "config.json").write_text(text)
    if config is None:
        (folder / "config.json").unlink()
    with pytest.raises(error, match=reason):
        load(tmp_path, source=f"file:{folder}", **card)


def test_a_file_without_an_architecture_is_registered_and_refused_when_loaded(
    tmp_path: Path, folder: Path
) -> None:
    with pytest.raises(RequestError, match=r"x: nothing tells the architecture of .*safetensors"):
        load(tmp_path, source=f"file:{folder / 'model.safetensors'}")


def test_a_folder_without_weights_or_with_several_is_refused(tmp_path: Path, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    assert covered(load(tmp_path, source=f"file:{folder}")).loaded
    (folder / "b.pth").write_bytes(b"")
    with pytest.raises(RequestError, match=r"holds 2 weights files \(a\.safetensors, b\.pth\)"):
        load(tmp_path, source=f"file:{folder}")
    for name in ("a.safetensors", "b.pth"):
        (folder / name).unlink()
    with pytest.raises(RequestError, match=r"holds no weights; put model\.safetensors there"):
        load(tmp_path, source=f"file:{folder}")
    with pytest.raises(MissingWeightsError, match="no weights file at /dev/null"):
        load(tmp_path, source="file:/dev/null", architecture=NAME)


def transformers_folder(path: Path, **settings: Any) -> Any:
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 2}
    config = ViTConfig(**sizes, intermediate_size=192, image_size=64, patch_size=16, **settings)
    model = ViTModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.2)
    model.save_pretrained(path, max_shard_size="200KB")
    statistics = {"image_mean": [0.1] * 3, "image_std": [0.2] * 3}
    (path / "preprocessor_config.json").write_text(json.dumps(statistics))
    return model


def test_a_sharded_folder_of_transformers_gives_the_same_in_both_libraries(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    original = transformers_folder(path, layer_norm_eps=1e-3)
    assert (path / "model.safetensors.index.json").is_file()
    card: Any = {"source": f"file:{path}", "pool": "cls"}
    own: Any = load(tmp_path, **card)
    ours = load(tmp_path, **card, architecture=NAME)
    with torch.inference_mode():
        pixels = own.encoder.preprocess(IMAGES)
        expected = original(pixel_values=pixels).last_hidden_state[:, 0]
    assert expected.std() > 0.1
    assert torch.allclose(embedding(own), expected, atol=1e-5)
    assert torch.allclose(embedding(ours), expected, atol=1e-5)
    assert own.mean == ours.mean == (0.1,) * 3
    assert covered(ours).settings == ("layer_norm_eps 1e-06 -> 0.001",)
    hub = tmp_path / "data" / "weights" / "me--tiny"
    hub.parent.mkdir(parents=True)
    hub.symlink_to(path)
    assert load(tmp_path, source="transformers:me/tiny").digest == own.digest
    assert load(tmp_path, source="transformers:me/tiny", architecture=NAME).digest == ours.digest


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"hidden_act": "quick_gelu"}, "the activation quick_gelu where the architecture has GELU"),
        ({"hidden_act": "no_such"}, "the activation no_such where the architecture has GELU"),
        ({"num_attention_heads": 4}, "4 attention heads where the architecture has 2"),
    ],
)
def test_what_weights_cannot_tell_is_held_to_the_configuration(
    tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "mine"
    transformers_folder(path)
    config = json.loads((path / "config.json").read_text()) | settings
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=reason):
        load(tmp_path, source=f"file:{path}", architecture=NAME)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda value: value.to(torch.int8), "as int8 where floating-point numbers are due"),
        (lambda value: value * torch.nan, "holds 4096 NaN or infinite values in"),
    ],
)
def test_a_folder_of_transformers_is_held_to_its_values(
    tmp_path: Path, change: Callable[..., Any], reason: str
) -> None:
    from safetensors.torch import load_file

    path = tmp_path / "mine"
    transformers_folder(path)
    shard = sorted(path.glob("*.safetensors"))[-1]
    state = load_file(shard)
    key = next(k for k, v in state.items() if tuple(v.shape) == (64, 64) and k.endswith("weight"))
    save_file(state | {key: change(state[key])}, shard)
    with pytest.raises(WeightsError, match=reason):
        load(tmp_path, source=f"file:{path}")


def test_draws_are_numbered(tmp_path: Path) -> None:
    draws = [
        load(tmp_path, source=f"random:{NAME}{suffix}").digest
        for suffix in ("", "@0", "@1", "@2", "@1")
    ]
    assert draws[0] == draws[1]
    assert draws[2] == draws[4]
    assert len(set(draws)) == 3
    torch.manual_seed(1)
    state = timm.create_model(NAME, num_classes=0).state_dict()
    encoder = load(tmp_path, source=f"random:{NAME}@1", size=160).encoder
    assert isinstance(encoder, TimmEncoder)
    own = encoder.module.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in own.items())


def test_a_weights_key_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="weights_key is for a weights file"):
        BackboneCard(id="x", source="random:test_vit", weights_key="model")
    transformers_folder(tmp_path / "mine")
    with pytest.raises(WeightsError, match=r"x: transformers itself reads .* remove weights_key"):
        load(tmp_path, source=f"file:{tmp_path / 'mine'}", weights_key="model")
