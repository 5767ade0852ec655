"""The masked autoencoder against transformers', MONAI's, and itself in two and three dimensions."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
import timm
import torch
from monai.networks.nets.masked_autoencoder_vit import MaskedAutoEncoderViT
from torch import Tensor, nn
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from omnibench.encoders.positions import sine_cosine
from omnibench.encoders.volume_vit import VolumeViT
from omnibench.tasks.pretraining.mae_options import Mae3dOptions, MaeOptions
from omnibench.tasks.pretraining.masked_autoencoder import MaskedAutoencoder
from omnibench.tasks.pretraining.patches import reconstruction_losses

WIDTH, DEPTH, HEADS, PATCH, SIDE = 24, 2, 3, 8, 32
DECODER: Mapping[str, Any] = {"decoder_width": 36, "decoder_depth": 1, "decoder_heads": 4}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def image_vit() -> Any:
    vit: Any = timm.create_model(
        "vit_tiny_patch16_224",
        img_size=SIDE,
        patch_size=PATCH,
        embed_dim=WIDTH,
        depth=DEPTH,
        num_heads=HEADS,
        num_classes=0,
        dynamic_img_size=True,
    )
    with torch.no_grad():
        vit.pos_embed.zero_()[:, 1:] = sine_cosine((SIDE // PATCH,) * 2, WIDTH)
    return vit


def autoencoder(**options: Any) -> MaskedAutoencoder:
    torch.manual_seed(0)
    vit = image_vit()
    return MaskedAutoencoder(vit, (SIDE // PATCH,) * 2, MaeOptions(**{**DECODER, **options})).eval()


def loss_of(model: MaskedAutoencoder, pixels: Tensor, order: Tensor) -> Tensor:
    restored = model(pixels, order)
    target = model.target(pixels, pixels)
    return reconstruction_losses(restored.predictions, target, restored.masked).mean()


def blocks(state: Mapping[str, Tensor], prefix: str, own: str) -> dict[str, Tensor]:
    """Return the blocks of timm's state as transformers calls them."""
    names = {
        "attn.proj": "attention.o_proj",
        "mlp.fc1": "mlp.fc1",
        "mlp.fc2": "mlp.fc2",
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
    }
    renamed = {}
    for name, value in state.items():
        if not name.startswith(own):
            continue
        number, _, rest = name.removeprefix(own).partition(".")
        part, _, kind = rest.rpartition(".")
        if part == "attn.qkv":
            for letter, third in zip("qkv", value.chunk(3), strict=True):
                renamed[f"{prefix}{number}.attention.{letter}_proj.{kind}"] = third
        else:
            renamed[f"{prefix}{number}.{names[part]}.{kind}"] = value
    return renamed


def transformers_twin(model: MaskedAutoencoder) -> Any:
    """Return transformers' network with the weights of ours."""
    options = model.options
    twin = ViTMAEForPreTraining(
        ViTMAEConfig(
            hidden_size=WIDTH,
            num_hidden_layers=DEPTH,
            num_attention_heads=HEADS,
            intermediate_size=4 * WIDTH,
            image_size=SIDE,
            patch_size=PATCH,
            decoder_hidden_size=options.decoder_width,
            decoder_num_hidden_layers=options.decoder_depth,
            decoder_num_attention_heads=options.decoder_heads,
            decoder_intermediate_size=4 * options.decoder_width,
            mask_ratio=options.mask,
            norm_pix_loss=options.norm_pixels,
            layer_norm_eps=1e-6,
        )
    ).eval()
    state = model.state_dict()
    renamed = {
        "vit.embeddings.cls_token": state["vit.cls_token"],
        "vit.embeddings.position_embeddings": state["vit.pos_embed"],
        "decoder.mask_token": state["mask_token"],
        "decoder.decoder_pos_embed": torch.cat(
            [torch.zeros(1, options.decoder_width), model.get_buffer("decoder_places")]
        )[None],
        **blocks(state, "vit.layers.", "vit.blocks."),
        **blocks(state, "decoder.decoder_layers.", "decoder_blocks."),
    }
    for own, name in {
        "vit.patch_embed.proj": "vit.embeddings.patch_embeddings.projection",
        "vit.norm": "vit.layernorm",
        "decoder_embed": "decoder.decoder_embed",
        "decoder_norm": "decoder.decoder_norm",
        "decoder_head": "decoder.decoder_pred",
    }.items():
        renamed |= {f"{name}.{kind}": state[f"{own}.{kind}"] for kind in ("weight", "bias")}
    twin.load_state_dict(renamed)
    return twin


@pytest.mark.parametrize("norm_pixels", [True, False])
def test_the_loss_is_that_of_transformers(norm_pixels: bool) -> None:
    model = autoencoder(norm_pixels=norm_pixels)
    pixels, order = torch.randn(3, 3, SIDE, SIDE), noise(3, 16)
    reference = transformers_twin(model)(pixel_values=pixels, noise=order)
    ours = loss_of(model, pixels, order)
    assert ours.item() == pytest.approx(reference.loss.item(), abs=1e-5)
    assert torch.equal(model(pixels, order).masked, reference.mask.bool())


def test_the_share_that_is_seen_is_rounded_down() -> None:
    pixels, order = torch.randn(1, 3, SIDE, SIDE), noise(1, 16)
    for mask, visible in ((0.75, 4), (0.7, 4), (0.9, 1), (0.5, 8)):
        model = autoencoder(mask=mask)
        assert model.visible == visible
        assert int((~model(pixels, order).masked).sum()) == visible


def volume_model(grid: tuple[int, ...], patch: tuple[int, ...], **options: Any) -> Any:
    torch.manual_seed(0)
    vit = VolumeViT(WIDTH, DEPTH, HEADS, patch, grid[0] * patch[0])
    return MaskedAutoencoder(vit, grid, Mae3dOptions(**{**DECODER, **options})).eval()


class Rearrange(nn.Module):
    """Stands for einops', which MONAI turns heads with and which is not installed with it."""

    def __init__(self, pattern: str, l: int = 0, **_: int) -> None:  # noqa: E741
        super().__init__()
        self.heads = l if pattern.startswith("b h (qkv") else 0

    def forward(self, tokens: Tensor) -> Tensor:
        if self.heads:
            split: Tensor = tokens.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            return split
        return tokens.transpose(1, 2).flatten(2)


def test_a_volume_is_masked_and_restored_as_monai_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai.networks.blocks.selfattention.Rearrange", Rearrange)
    grid, patch = (2, 3, 4), (4, 2, 3)
    sides = tuple(count * side for count, side in zip(grid, patch, strict=True))
    model = volume_model(grid, patch, head="linear")
    twin = MaskedAutoEncoderViT(
        3, sides, patch, WIDTH, 4 * WIDTH, DEPTH, HEADS, 0.75, 36, 4 * 36, 1, 4, qkv_bias=True
    ).eval()
    state = model.state_dict()
    renamed: dict[str, Tensor] = {
        "cls_token": state["vit.cls_token"],
        "mask_tokens": state["mask_token"],
        "decoder_pos_embedding": sine_cosine(grid, 36)[None],
        "patch_embedding.position_embeddings": sine_cosine(grid, WIDTH)[None],
    }
    names = {"attn.qkv": "attn.qkv", "attn.proj": "attn.out_proj", "norm1": "norm1"}
    names |= {"norm2": "norm2", "mlp.fc1": "mlp.linear1", "mlp.fc2": "mlp.linear2"}
    for own, place, count in (("vit.blocks", "blocks", DEPTH), ("decoder_blocks",) * 2 + (1,)):
        for number, (part, name) in itertools.product(range(count), names.items()):
            for kind in ("weight", "bias"):
                renamed[f"{place}.{number}.{name}.{kind}"] = state[f"{own}.{number}.{part}.{kind}"]
    for own, name in {
        "vit.patch_embed.proj": "patch_embedding.patch_embeddings",
        "vit.norm": f"blocks.{DEPTH}",
        "decoder_embed": "decoder_embed",
        "decoder_norm": "decoder_blocks.1",
        "decoder_head": "decoder_pred",
    }.items():
        renamed |= {f"{name}.{kind}": state[f"{own}.{kind}"] for kind in ("weight", "bias")}
    missing, unexpected = twin.load_state_dict(renamed, strict=False)
    assert unexpected == []
    assert all("norm_cross_attn" in name for name in missing)  # of an attention that it lacks
    for layer in twin.modules():
        if isinstance(layer, nn.LayerNorm):
            layer.eps = 1e-6
    order = noise(2, 24)
    monkeypatch.setattr(torch, "multinomial", lambda _, count, **__: order.argsort(1)[:, :count])
    pixels = torch.randn(2, 3, *sides)
    predictions, mask = twin(pixels)
    restored = model(pixels, order)
    assert torch.allclose(restored.predictions, predictions, atol=1e-5)
    assert torch.equal(restored.masked, mask.bool())


@pytest.mark.parametrize("norm_pixels", [True, False])
def test_a_volume_of_one_layer_is_an_image_bit_for_bit(norm_pixels: bool) -> None:
    flat = autoencoder(norm_pixels=norm_pixels)
    side = SIDE // PATCH
    deep = volume_model((1, side, side), (1, PATCH, PATCH), norm_pixels=norm_pixels, head="linear")
    state = {n: v for n, v in flat.state_dict().items() if n != "vit.pos_embed"}
    state["vit.patch_embed.proj.weight"] = state["vit.patch_embed.proj.weight"][:, :, None]
    deep.load_state_dict(state)
    for module in flat.vit.modules():  # the same kernel of attention
        if hasattr(module, "fused_attn"):
            module.fused_attn = True
    pixels, order = torch.randn(2, 3, SIDE, SIDE), noise(2, side * side)
    losses = [loss_of(flat, pixels, order), loss_of(deep, pixels[:, :, None], order)]
    assert torch.equal(*losses)
    gradients = []
    for model, loss in zip((flat, deep), losses, strict=True):
        loss.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    gradients[0].pop("vit.pos_embed")
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient.reshape(gradients[1][name].shape), gradients[1][name]), name
    assert torch.equal(flat.embed(pixels), deep.embed(pixels[:, :, None]))


def test_nothing_is_learnt_of_patches_that_are_seen() -> None:
    model = autoencoder()
    pixels, order = torch.randn(2, 3, SIDE, SIDE), noise(2, 16)
    restored = model(pixels, order)
    restored.predictions.retain_grad()
    losses = reconstruction_losses(
        restored.predictions, model.target(pixels, pixels), restored.masked
    )
    losses.sum().backward()
    gradient = restored.predictions.grad
    assert gradient is not None
    assert not gradient[~restored.masked].any()
    assert gradient[restored.masked].abs().amax(dim=-1).min() > 0


def test_to_predict_zeros_of_normalised_patches_costs_their_variance() -> None:
    pixels = torch.randn(2, 3, SIDE, SIDE) * torch.linspace(0, 3, SIDE)
    model = autoencoder()
    target = model.target(pixels, pixels)
    masked = noise(2, 16) > 0.3
    actual = reconstruction_losses(torch.zeros_like(target), target, masked)
    count = 3 * PATCH * PATCH
    variance = autoencoder(norm_pixels=False).target(pixels, pixels).double().var(dim=-1)
    each = (count - 1) / count * variance / (variance + 1e-6)
    expected = (each * masked).sum(dim=1) / masked.sum(dim=1)
    assert torch.allclose(actual.double(), expected, atol=1e-5)


def test_a_sigmoid_restores_images_in_0_to_1() -> None:
    model = volume_model((2, 2, 2), (2, 2, 2))
    shown = 255 * torch.rand(1, 1, 4, 4, 4)
    pixels = ((shown / 255 - 0.4) / 0.3).expand(-1, 3, -1, -1, -1)
    target = model.target(pixels, shown)
    assert torch.allclose(
        target.unflatten(-1, (-1, 3))[..., 0].sort()[0], target[..., ::3].sort()[0]
    )
    assert 0 <= target.min() < target.max() <= 1
    predictions = model(pixels, noise(1, 8)).predictions
    assert 0 < predictions.min() < predictions.max() < 1


def test_the_features_of_all_patches_are_those_of_timm() -> None:
    model = autoencoder()
    pixels = torch.randn(2, 3, SIDE, SIDE)
    expected = model.vit.forward_features(pixels)[:, 1:].mean(dim=1)
    assert torch.allclose(model.embed(pixels), expected, atol=1e-5)
