"""The maps of every shipped backbone at 448 px against hooks inside its full forward.

The study's released code walked over the list of blocks by hand, and lost what that list does not
hold: DINOv3's rotary positions and register tokens, CLIP's norm before the blocks.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from safetensors.torch import save_file
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from omnibench.architecture.volume_vits import VOLUME_VITS
from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones
from omnibench.encoders.build import load_encoder
from omnibench.encoders.levels import levels_of
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder, fit_input_size
from omnibench.weights import local_folder

SIZE: Any = 448
PREPARE = Preprocess(SIZE, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)
RECIPE = {"input_size": SIZE, "normalization": "backbone", "precision": "fp32"}
IMAGES = torch.randint(
    0, 256, (2, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
# As deep as the real ones and with their flags, but narrow.
NARROW: dict[str, Any] = {"embed_dim": 48, "num_heads": 3}
# The architectures of the hub repositories, which their config.json tells.
ON_HUB = {"radio-dino": "vit_{}_patch16_224", "omnirad": "vit_{}_patch14_dinov2"}
LOST_BY_THE_RELEASED_LOOP = {"clip", "dinov3"}
STAGES = {
    "resnet": ("layer2", "layer3", "layer4"),
    "densenet": ("features.denseblock2", "features.denseblock3", "features.norm5"),
    "efficientnet": ("blocks.2", "blocks.4", "blocks.6"),
    "mobilenetv2": ("blocks.2", "blocks.4", "blocks.6"),
}
CARDS = {card.id: card for card in map(backbones.get, sorted(backbones))}
VITS = [name for name, card in CARDS.items() if card.patch]
CNNS = [
    name
    for name, card in CARDS.items()
    if not card.patch and card.source_name not in VOLUME_VITS  # maps of volumes are asked of none
]


def architecture(card: BackboneCard) -> str:
    if card.source_kind == "hf_hub" and card.architecture is not None:
        return card.architecture
    if card.source_kind == "hf_hub":
        return ON_HUB[card.family].format(card.size)
    if card.source_kind == "module":
        return "tf_efficientnet_lite0"
    return card.source_name


def scrambled(module: torch.nn.Module) -> torch.nn.Module:
    """Weights under which every part counts: layer scales near 1 and not 1e-5, no token at 0."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "gamma" in name or (parameter.ndim == 1 and name.endswith("weight")):
                parameter.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith("bias"):
                parameter.normal_(std=0.1, generator=generator)
            elif name in ("cls_token", "reg_token", "pos_embed"):
                parameter.normal_(std=0.5, generator=generator)
            else:
                fan_in = parameter[0].numel()
                parameter.normal_(std=fan_in**-0.5, generator=generator)
    return module.eval()


def hooked(
    module: Any, parts: list[str] | tuple[str, str, str], forward: Callable[..., Any]
) -> list[torch.Tensor]:
    """What the named parts of a module give while it computes something else."""
    kept: list[torch.Tensor] = []

    def keep(part: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        kept.append((output[0] if isinstance(output, tuple) else output).clone())

    handles = [module.get_submodule(part).register_forward_hook(keep) for part in parts]
    forward()
    for handle in handles:
        handle.remove()
    return kept


def as_map(tokens: torch.Tensor, prefix: Any, patch: Any) -> torch.Tensor:
    side = SIZE // patch
    result: torch.Tensor = tokens[:, prefix:].transpose(1, 2).unflatten(2, (side, side))
    return result


def at_its_own_size(module: Any, name: str, **options: Any) -> torch.nn.Module:
    """The same weights in a model that timm builds for 448 px from the start."""
    reference = timm.create_model(name, num_classes=0, img_size=SIZE, **options).eval()
    state = module.state_dict()
    if module.pos_embed is not None:
        side = SIZE // module.patch_embed.patch_size[0]
        state["pos_embed"] = resample_abs_pos_embed(
            state["pos_embed"], (side, side), num_prefix_tokens=module.num_prefix_tokens
        )
    reference.load_state_dict(state)
    return reference


def released(module: Any, pixels: torch.Tensor, layers: tuple[int, ...]) -> list[torch.Tensor]:
    """The released code's loop: class token, positions, and the blocks one after another."""
    tokens: Any = module.patch_embed(pixels)
    tokens = tokens.flatten(1, -2)  # DINOv3's come as [B, h, w, D]
    tokens = torch.cat([module.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
    if module.pos_embed is not None:
        tokens = tokens + module.pos_embed
    maps = []
    for index, block in enumerate(module.blocks):
        tokens = block(tokens)
        if index in layers:
            maps.append(as_map(tokens, 1, module.patch_embed.patch_size[0]))
    return maps


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest difference, in standard deviations of the second."""
    return float((a - b).abs().max() / b.std())


@pytest.mark.parametrize("identifier", VITS)
@torch.inference_mode()
def test_a_vits_maps_are_the_hidden_states_of_its_full_forward(identifier: str) -> None:
    card = CARDS[identifier]
    name = architecture(card)
    module = scrambled(timm.create_model(name, num_classes=0, **NARROW))
    reference: Any = at_its_own_size(module, name, **NARROW)
    fit_input_size(module, SIZE, name)
    encoder = TimmEncoder(module, PREPARE, "cls")
    levels = levels_of(encoder, card)
    assert card.depth is not None
    thirds = tuple(card.depth * k // 3 - 1 for k in (1, 2, 3))
    assert (levels.layers, levels.tokens) == (thirds, True)
    pixels = PREPARE(IMAGES)
    blocks = [f"blocks.{index}" for index in thirds]
    states = hooked(reference, blocks, lambda: reference.forward_features(pixels))
    prefix = 5 if card.family == "dinov3" else 1
    assert card is not None
    expected = [as_map(state, prefix, card.patch) for state in states]
    maps = encoder.maps(IMAGES, levels.layers)
    for own, true in zip(maps, expected, strict=True):
        assert own.shape == (2, 48, SIZE // card.patch, SIZE // card.patch)
        assert apart(own, true) < 1e-4
    # These weights would show a loss: where the released loop loses something it is far off.
    for own, true in zip(released(module, pixels, thirds), expected, strict=True):
        if card.family in LOST_BY_THE_RELEASED_LOOP:
            assert apart(own, true) > 0.3
        else:
            assert apart(own, true) < 1e-4


@torch.inference_mode()
def test_lost_rotations_and_lost_registers_would_each_be_seen() -> None:
    module: Any = scrambled(
        timm.create_model("vit_small_patch16_dinov3_qkvb", num_classes=0, **NARROW)
    )
    fit_input_size(module, SIZE, "x")
    (whole,) = TimmEncoder(module, PREPARE, "cls").maps(IMAGES, [3])
    pixels = PREPARE(IMAGES)
    tokens, rope = module._pos_embed(module.patch_embed(pixels))
    without_registers = torch.cat([tokens[:, :1], tokens[:, 5:]], dim=1)
    for start, prefix, options in (
        (tokens, 5, {}),
        (without_registers, 1, {"rope": rope}),
        (tokens, 5, {"rope": rope}),
    ):
        current = start
        for block in module.blocks[:4]:
            block.attn.num_prefix_tokens = prefix  # that many tokens are not rotated
            current = block(current, **options)
        difference = apart(as_map(current, prefix, 16), whole)
        if prefix == 5 and options:
            assert difference < 1e-4
        else:
            assert difference > 0.01


@torch.inference_mode()
@pytest.mark.parametrize("identifier", ["dinov3-small", "omnirad-small"])
def test_a_real_width_backbone_from_its_file_gives_them_too(
    identifier: str, tmp_path: Path
) -> None:
    card = CARDS[identifier]
    name = architecture(card)
    module = scrambled(timm.create_model(name, num_classes=0))
    folder = local_folder(card, tmp_path)
    folder.mkdir(parents=True)
    save_file(module.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": name}))
    encoder: Any = load_encoder(card, RECIPE, "cpu", tmp_path, tmp_path / "results").encoder
    reference: Any = at_its_own_size(module, name)
    image = IMAGES[:1]
    blocks = [f"blocks.{index}" for index in (3, 7, 11)]
    pixels = encoder.preprocess(image)
    states = hooked(reference, blocks, lambda: reference.forward_features(pixels))
    for own, state in zip(
        encoder.maps(image, levels_of(encoder, card).layers), states, strict=True
    ):
        assert card is not None
        assert apart(own, as_map(state, module.num_prefix_tokens, card.patch)) < 1e-4


@pytest.mark.parametrize("identifier", CNNS)
@torch.inference_mode()
def test_a_cnns_maps_are_the_ends_of_its_stages(identifier: str) -> None:
    card = CARDS[identifier]
    name = architecture(card)
    module: Any = timm.create_model(name, num_classes=0).eval()
    encoder = TimmEncoder(module, PREPARE, "mean")
    levels = levels_of(encoder, card)
    assert (levels.layers, levels.tokens) == ((8, 16, 32), False)
    stages = next(actual for family, actual in STAGES.items() if family in name)
    pixels = PREPARE(IMAGES[:1])
    expected = hooked(module, stages, lambda: module.forward_features(pixels))
    maps = encoder.maps(IMAGES[:1], levels.layers)
    for stride, own, true in zip(levels.layers, maps, expected, strict=True):
        assert own.shape[2:] == (SIZE // stride, SIZE // stride)
        assert apart(own, true) < 1e-4


@pytest.mark.parametrize(
    ("kind", "layers", "prefix"),
    [
        ("ViT", "layers", 1),
        ("Dinov2", "encoder.layer", 1),
        ("Dinov2WithRegisters", "encoder.layer", 5),
        ("DINOv3ViT", "model.layer", 5),
    ],
)
@torch.inference_mode()
def test_a_transformers_models_maps_are_its_layers_outputs(
    kind: str, layers: str, prefix: int, tmp_path: Path
) -> None:
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=12,
        num_attention_heads=3,
        image_size=64,
        patch_size=16,
        **({"num_register_tokens": 4} if prefix == 5 else {}),
    )
    torch.manual_seed(0)
    module: Any = scrambled(getattr(transformers, f"{kind}Model")(config))
    module.save_pretrained(tmp_path / "weights" / "me--tiny")
    card = BackboneCard(id="x", source="transformers:me/tiny", optional_keys=("pooler.*",))
    encoder: Any = load_encoder(card, RECIPE, "cpu", tmp_path, tmp_path / "results").encoder
    levels = levels_of(encoder, card)
    assert levels.layers == (3, 7, 11)
    actual = encoder.module
    parts = [f"{layers}.{index}" for index in levels.layers]
    pixels = encoder.preprocess(IMAGES)
    options = {"interpolate_pos_encoding": True} if kind == "ViT" else {}
    states = hooked(actual, parts, partial(actual, pixel_values=pixels, **options))
    for own, state in zip(encoder.maps(IMAGES, levels.layers), states, strict=True):
        assert own.shape == (2, 48, SIZE // 16, SIZE // 16)
        assert torch.equal(own, as_map(state, prefix, 16))
