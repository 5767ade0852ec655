"""The network of contrasts against timm's own forward, and what must not matter to it."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from omnibench.cards import BackboneCard
from omnibench.errors import RequestError
from omnibench.tasks.contrasts.network import ContrastViT, check_plain
from omnibench.tasks.contrasts.tokenizers import TOKENIZERS, Dynamic
from tests.contrasts.conftest import SIZE

LAYERS = (0, 1, 2)
VARIABLE = ["per-contrast", "shared", "dynamic"]


def network(vit: Any, tokenizer: str, drawn: bool = True) -> ContrastViT:
    torch.manual_seed(1)
    own = ContrastViT(copy.deepcopy(vit), tokenizer, 4).eval()
    if drawn:  # as after some training
        for parameter in own.tokenize.parameters():
            nn.init.normal_(parameter, std=0.1)
    return own


def images(contrasts: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, contrasts, 3, SIZE, SIZE, generator=generator)


@pytest.mark.parametrize("tokenizer", VARIABLE)
def test_one_contrast_untrained_is_the_backbone_itself(vit: Any, tokenizer: str) -> None:
    own, seen = network(vit, tokenizer, drawn=False), images(1)
    with torch.no_grad():
        patches = own.tokenize(seen, [2])
        torch.testing.assert_close(patches[:, 0], vit.patch_embed(seen[:, 0]))
        maps = own.maps(seen, [2], LAYERS)
        levels = vit.forward_intermediates(
            seen[:, 0], indices=list(LAYERS), norm=False, intermediates_only=True
        )
    for actual, expected in zip(maps, levels, strict=True):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("tokenizer", sorted(TOKENIZERS))
def test_the_order_of_contrasts_changes_no_bit(vit: Any, tokenizer: str) -> None:
    own, seen = network(vit, tokenizer), images(3)
    with torch.no_grad():
        straight = own.maps(seen, [0, 1, 3], LAYERS)
        turned = own.maps(seen[:, [2, 0, 1]], [3, 0, 1], LAYERS)
        other = own.maps(seen, [1, 0, 3], LAYERS)
    for first, second, third in zip(straight, turned, other, strict=True):
        assert torch.equal(first, second)
        assert not torch.allclose(first, third)  # what is told of an image does matter


@pytest.mark.parametrize("tokenizer", VARIABLE)
def test_leaving_a_contrast_out_equals_masking_its_tokens(vit: Any, tokenizer: str) -> None:
    own, seen = network(vit, tokenizer), images(4)
    present = [0, 1, 3]
    with torch.no_grad():
        dropped = own.maps(seen[:, present], present, LAYERS)
        prefix, patches = own.tokens(seen, [0, 1, 2, 3])
        there = torch.ones(patches.shape[1:3], dtype=torch.bool)
        there[2] = False
        keys = torch.cat([torch.ones(own.prefix, dtype=torch.bool), there.flatten()])
        bias = torch.zeros(len(keys)).masked_fill(~keys, float("-inf"))
        sequence = torch.cat([prefix, patches.flatten(1, 2)], dim=1)
        masked = []
        for block in own.vit.blocks:
            sequence = block(sequence, attn_mask=bias.expand(len(keys), -1))
            places = sequence[:, own.prefix :].unflatten(1, patches.shape[1:3])
            masked.append(places[:, present].mean(dim=1).transpose(1, 2))
    for actual, expected in zip(dropped, masked, strict=True):
        torch.testing.assert_close(actual.flatten(2), expected, atol=1e-5, rtol=1e-5)


def test_absent_contrasts_are_zeros_of_a_wide_patch_embedding(vit: Any) -> None:
    own, seen = network(vit, "zero-filled"), images(2)
    kernels = own.tokenize.kernels
    assert isinstance(kernels, Tensor)
    filled = torch.zeros(2, 4, 3, SIZE, SIZE)
    filled[:, [1, 3]] = seen
    wide = nn.functional.conv2d(
        filled.flatten(1, 2), torch.cat(list(kernels), dim=1), own.vit.patch_embed.proj.bias, 16
    )
    tokens = own.tokenize(seen, [1, 3])
    assert tokens.shape[1] == 1  # one token a place, however many contrasts
    torch.testing.assert_close(tokens[:, 0].flatten(1, 2), wide.flatten(2).transpose(1, 2))


def test_a_dynamic_projection_is_the_shared_one_changed_by_its_contrast(vit: Any) -> None:
    tokenizer = network(vit, "dynamic").tokenize
    assert isinstance(tokenizer, Dynamic)
    first, _, last = tokenizer.change
    for contrast in range(4):
        column = first.weight[:, contrast] + first.bias  # type: ignore[operator, index]
        change = last.weight @ nn.functional.gelu(column)  # type: ignore[operator]
        expected = tokenizer.embed.proj.weight + change.view(64, 3, 16, 16)
        torch.testing.assert_close(tokenizer.kernel(contrast), expected)


def test_a_backbone_without_one_sequence_of_tokens_is_refused() -> None:
    with pytest.raises(RequestError, match="no plain vision transformer"):
        check_plain(nn.Identity(), BackboneCard(id="x", source="random:test_byobnet"))
