import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from omnibench.cards import BackboneCard
from omnibench.errors import RequestError
from omnibench.tasks.segmentation.decoder import Decoder, DetailedDecoder
from omnibench.tasks.segmentation.heads import UNet, check_input_size
from omnibench.tasks.segmentation.hybrid import (
    BASE,
    SMALL,
    Branch,
    FuseBlock,
    HybridEncoder,
    RepVgg,
    SelfAttention,
    positions,
)
from omnibench.tasks.segmentation.prior import ConvolutionalPrior, FusedPyramid, Fusion
from omnibench.tasks.segmentation.width import decoder_flops, decoder_width

CNN = [(40, 8), (112, 16), (320, 32)]  # widths and strides of efficientnet-lite0
TINY = [(24, 8, 8), (24, 4, 4), (24, 2, 2)]  # a CNN's maps at 64 px, as `head` takes them


def vit(width: int, patch: int, size: int) -> list[tuple[int, int, int]]:
    return [(width, size // patch, size // patch)] * 3


def cnn(size: int) -> list[tuple[int, int, int]]:
    return [(width, size // stride, size // stride) for width, stride in CNN]


def count(module: nn.Module, trained: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


@pytest.mark.parametrize(
    ("width", "trained", "encoder", "decoder", "frozen"),
    [
        (384, 14_268_554, 5_859_720, 8_408_834, 566_800),
        (768, 69_763_706, None, None, 1_957_648),
    ],
)
def test_as_many_parameters_as_the_study_trains(
    width: int, trained: int, encoder: int | None, decoder: int | None, frozen: int
) -> None:
    with torch.device("meta"):
        head = UNet(vit(width, 14, 448), True, 2, "frozen")
        whole = UNet(vit(width, 14, 448), True, 2, "trained")
    assert count(head, trained=True) == trained
    assert count(head.encoder, trained=True) + count(head.decoder, trained=True) == trained
    if encoder:
        assert (count(head.encoder), count(head.decoder)) == (encoder, decoder)
    assert count(head) == count(whole, trained=True) == trained + frozen


@pytest.mark.parametrize("size", [224, 448])
@pytest.mark.parametrize("kind", ["vit-small/14", "vit-base/14", "vit-tiny/16", "cnn"])
def test_shapes_at_every_stage(kind: str, size: int) -> None:
    shapes, tokens, width, scale = {
        "vit-small/14": (vit(384, 14, size), True, 384, SMALL),
        "vit-base/14": (vit(768, 14, size), True, 768, BASE),
        "vit-tiny/16": (vit(192, 16, size), True, 192, SMALL),
        "cnn": (cnn(size), False, 384, SMALL),
    }[kind]
    seen = []
    with torch.device("meta"):
        head = UNet(shapes, tokens, 3, "trained")
        for fusion in head.pyramid.fusions:
            assert isinstance(fusion, Fusion)
            fusion.norm.register_forward_hook(lambda *args: seen.append(args[-1].shape[-2:]))
        pixels = torch.empty(2, 3, size, size)
        pyramid = head.pyramid(pixels, [torch.empty(2, *shape) for shape in shapes])
        encoded = head.encoder(pyramid)
        expected = [(2, width, size // stride, size // stride) for stride in (8, 16, 32)]
        assert [m.shape for m in pyramid] == [m.shape for m in encoded] == expected
        assert head.decoder(encoded).shape == (2, 3, size // 8, size // 8)
        assert count(head.encoder) == count(HybridEncoder(width, scale))
    # Maps and prior meet, and are normed, at 4h, 2h, h of a ViT, and at a CNN's own sizes.
    factors = (4, 2, 1) if tokens else (1, 1, 1)
    assert seen == [(s[1] * f, s[2] * f) for s, f in zip(shapes, factors, strict=True)]


def test_the_decoders_width() -> None:
    assert [decoder_width(width, tokens=True) for width in (192, 384, 768, 1024, 1280)] == [
        192,
        384,
        768,
        768,
        768,
    ]
    # Six heads and a quarter for each of four sines must divide it.
    assert decoder_width(320, tokens=True) == decoder_width(320, tokens=False) == 384
    assert decoder_width(768, tokens=False) == decoder_width(2048, tokens=False) == 384


def literally(fusion: Fusion, backbone: Any, prior: Any, fused: Any, size: Any) -> Any:
    """Both maps resized, then concatenated, projected, normed, and brought to size."""

    def to(maps: Any, side: Any) -> Any:
        return functional.interpolate(maps, side, mode="bilinear", align_corners=False)

    joint = torch.cat([to(backbone, fused), to(prior, fused)], dim=1)
    return to(fusion.norm(fusion.project(joint)), size)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("backbone", "prior", "fused", "size"),
    [
        ((5, 5), (8, 8), (20, 20), (8, 8)),
        ((5, 5), (8, 8), (10, 10), (6, 7)),
        ((8, 8), (8, 8), (8, 8), (8, 8)),
        ((5, 6), (3, 4), (5, 6), (3, 4)),
    ],
)
def test_fusing_equals_the_literal_reading_and_so_do_its_gradients(
    training: bool,
    backbone: tuple[int, int],
    prior: tuple[int, int],
    fused: tuple[int, int],
    size: tuple[int, int],
) -> None:
    actual = {}
    for name, forward in (("ours", Fusion.forward), ("literal", literally)):
        torch.manual_seed(0)
        fusion = Fusion(6, 4, 7).double().train(training)
        nn.init.normal_(fusion.norm.weight)
        nn.init.normal_(fusion.norm.bias)
        assert fusion.norm.running_mean is not None
        fusion.norm.running_mean.normal_()
        assert fusion.norm.running_var is not None
        fusion.norm.running_var.uniform_(0.5, 2)
        maps = torch.randn(2, 6, *backbone).double().requires_grad_()
        other = torch.randn(2, 4, *prior).double().requires_grad_()
        out = forward(fusion, maps, other, fused, size)
        (out * torch.randn_like(out)).sum().backward()
        assert out.shape == (2, 7, *size)
        tensors = {"out": out, "maps": maps.grad, "prior": other.grad}
        tensors |= {key: p.grad for key, p in fusion.named_parameters()}
        tensors |= dict(fusion.named_buffers())
        actual[name] = tensors
    assert len(actual["ours"]) == 9
    for key, value in actual["literal"].items():
        assert value is not None
        assert value.abs().max() > 0.01 or "num_batches" in key
        torch.testing.assert_close(actual["ours"][key], value, rtol=1e-10, atol=1e-10)


def test_positions_are_sines_and_cosines_of_column_and_row() -> None:
    width, rows, columns = 24, 3, 5
    actual = positions(width, rows, columns)
    assert actual.shape == (rows * columns, width)
    for row in range(rows):
        for column in range(columns):
            expected = []
            for place in (column, row):
                angles = [place / 10000 ** (k / 6) for k in range(6)]
                expected += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            assert actual[row * columns + column].tolist() == pytest.approx(expected, abs=1e-6)


def test_attention_is_a_post_norm_layer_with_positions_on_queries_and_keys_alone() -> None:
    torch.manual_seed(0)
    layer = SelfAttention(24).eval()
    plain: Any = nn.TransformerEncoderLayer(24, 6, 1536, 0.0, "gelu", batch_first=True).eval()
    plain.self_attn.load_state_dict(layer.attention.state_dict())
    maps = torch.randn(2, 24, 2, 3)
    for own, its in (
        (layer.feed_forward[0], plain.linear1),
        (layer.feed_forward[2], plain.linear2),
        (layer.norm1, plain.norm1),
        (layer.norm2, plain.norm2),
    ):
        its.load_state_dict(own.state_dict())
    tokens = maps.flatten(2).transpose(1, 2)

    def attend(queries: Any, keys: Any, values: Any, **options: Any) -> Any:
        placed = tokens + positions(24, 2, 3)
        return layer.attention(placed, placed, values)

    plain.self_attn.forward = attend
    # Training mode takes the layer's plain path, which goes through the module; dropout is 0.
    expected = plain.train()(tokens).transpose(1, 2).reshape(maps.shape)
    torch.testing.assert_close(layer(maps), expected)
    assert (layer(maps.flip(3)).flip(3) - layer(maps)).abs().max() > 1e-3  # positions count


def drawn(module: nn.Module) -> nn.Module:
    """In evaluation mode, with statistics and affine parameters unlike a fresh norm's."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.weight, part.bias, part.running_mean):
                assert tensor is not None
                nn.init.normal_(tensor, std=0.5)
            assert part.running_var is not None
            nn.init.uniform_(part.running_var, 0.5, 2)
    return module.double().eval()


def fused(block: Any, x: Any) -> Any:
    """The protocol's fuse block, word by word; conv-BN-SiLU is a Sequential of the model's."""

    def rep_vgg(block: Any, x: Any) -> Any:
        return functional.silu(block.wide(x) + block.point(x))

    def csp(branch: Any, x: Any) -> Any:
        u, v = torch.tensor_split(branch.expand(x), 2, dim=1)
        for inner in branch.blocks:
            v = rep_vgg(inner, v)
        return u + v

    a, b = torch.tensor_split(block.expand(x), 2, dim=1)
    c = csp(block.branches[0], b)
    d = csp(block.branches[1], c)
    return block.reduce(torch.cat([a, b, c, d], dim=1))


@torch.inference_mode()
def test_the_hybrid_encoder_is_wired_as_the_protocol_says() -> None:
    encoder: Any = drawn(HybridEncoder(24, BASE))
    fine, middle, coarse = (torch.randn(2, 24, side, side).double() for side in (8, 4, 2))

    def twice(x: Any) -> Any:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    top = encoder.laterals[0](encoder.attention(coarse))
    middle_down = encoder.laterals[1](fused(encoder.downwards[0], twice(top) + middle))
    fine_out = fused(encoder.downwards[1], twice(middle_down) + fine)
    middle_out = fused(encoder.upwards[0], encoder.strided[0](fine_out) + middle_down)
    coarse_out = fused(encoder.upwards[1], encoder.strided[1](middle_out) + top)
    for own, expected in zip(
        encoder([fine, middle, coarse]), (fine_out, middle_out, coarse_out), strict=True
    ):
        torch.testing.assert_close(own, expected)
        assert expected.std() > 0.01


@pytest.mark.parametrize(
    ("width", "scale", "inner", "blocks"),
    [(384, SMALL, 65, 2), (768, BASE, 257, 3), (192, SMALL, 32, 2)],
)
def test_the_fuse_blocks_branches(width: int, scale: Any, inner: int, blocks: int) -> None:
    with torch.device("meta"):
        block = FuseBlock(width, scale)
    for branch in block.branches:
        assert isinstance(branch, Branch)
        assert len(branch.blocks) == blocks
        first = branch.blocks[0]
        assert isinstance(first, RepVgg)
        assert first.wide[0].weight.shape == (inner, inner, 3, 3)
        assert first.point[0].weight.shape == (inner, inner, 1, 1)


@torch.inference_mode()
def test_the_decoder_is_wired_as_the_protocol_says() -> None:
    decoder: Any = drawn(Decoder(8, 3))
    maps = [torch.randn(2, 8, side, side).double() for side in (8, 4, 2)]
    fine, middle, current = (p(m) for p, m in zip(decoder.project, maps, strict=True))
    for step, finer in zip(decoder.steps, (middle, fine), strict=True):
        enlarged = nn.Upsample(scale_factor=2, mode="bilinear")(current)
        current = step(torch.cat([enlarged, finer], dim=1))
    torch.testing.assert_close(decoder(maps), decoder.classify(current))
    kinds = [type(part).__name__ for part in decoder.steps[0]]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU"] * 2


@torch.inference_mode()
def test_the_detailed_decoder_goes_on_beside_convolutions_of_the_pixels() -> None:
    decoder: Any = drawn(DetailedDecoder(8, 3))
    maps = [torch.randn(2, 8, side, side).double() for side in (8, 4, 2)]
    pixels = torch.randn(2, 3, 64, 64).double()
    full = decoder.stem[0](pixels)
    half = decoder.stem[1](full)
    quarter = decoder.stem[2](half)
    assert [m.shape[1:] for m in (full, half, quarter)] == [
        (16, 64, 64),
        (24, 32, 32),
        (32, 16, 16),
    ]
    current = decoder.features(maps)
    for step, detail in zip(decoder.finer, (quarter, half, full), strict=True):
        enlarged = nn.Upsample(scale_factor=2, mode="bilinear")(current)
        current = step(torch.cat([enlarged, detail], dim=1))
    torch.testing.assert_close(decoder.detailed(pixels, maps), decoder.classify(current))


@pytest.mark.parametrize("options", [{}, {"width": 96}, {"width": 96, "detail": True}])
def test_the_plan_counts_the_decoders_flops_within_a_fifth(options: Any) -> None:
    card = BackboneCard(id="b", source="random:tf_efficientnet_lite0", width=320)
    unit: Any = SimpleNamespace(backbone=card, recipe={"input_size": 448}, options=options)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        head = UNet(cnn(448), False, 1, **options)
        logits = head(torch.empty(1, 3, 448, 448), [torch.empty(1, *shape) for shape in cnn(448)])
    assert logits.shape[-1] == (448 if options.get("detail") else 56)
    assert decoder_flops(unit) == pytest.approx(counter.get_total_flops(), rel=0.25)


def test_the_priors_maps_have_the_studys_channels_and_strides() -> None:
    prior = ConvolutionalPrior()
    maps = prior(torch.randn(2, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [(32, 8, 12), (64, 4, 6), (64, 2, 3)]
    kinds = [type(module).__name__ for module in prior.modules() if not list(module.children())]
    block = ["Conv2d", "BatchNorm2d"]
    assert kinds == [*block, "GELU", "MaxPool2d", *block, "GELU", *block, "GELU", *block]
    assert all(m.min() < 0 for m in maps)  # maps are taken before the activation


@pytest.mark.parametrize(
    ("size", "near"), [(72, "use 64 or 96"), (447, "use 416 or 448"), (20, "use 32$")]
)
def test_a_size_that_strides_do_not_divide_is_refused_with_the_nearest(
    size: int, near: str
) -> None:
    with pytest.raises(RequestError, match=f"input_size {size} is not a multiple of 32.*{near}"):
        check_input_size(size)


@pytest.fixture(scope="module")
def inputs() -> tuple[torch.Tensor, list[torch.Tensor]]:
    torch.manual_seed(1)
    return torch.randn(2, 3, 64, 64), [torch.randn(2, *shape) for shape in vit(24, 16, 64)]


def step(head: UNet, inputs: tuple[torch.Tensor, list[torch.Tensor]]) -> tuple[set[str], set[str]]:
    """Names of the parameters and of the running statistics that a training step changes."""
    before = {name: value.clone() for name, value in head.state_dict().items()}
    optimiser = torch.optim.AdamW(
        (p for p in head.parameters() if p.requires_grad), 1e-3, weight_decay=0
    )
    head.train()
    functional.cross_entropy(head(*inputs), torch.zeros(2, 8, 8, dtype=torch.long)).backward()
    optimiser.step()
    moved = {k for k, value in head.state_dict().items() if not torch.equal(value, before[k])}
    parameters = {name for name, _ in head.named_parameters()}
    return moved & parameters, {name for name in moved - parameters if "running" in name}


@pytest.mark.parametrize("prior", ["frozen", "trained"])
def test_a_frozen_prior_keeps_its_weights_while_its_statistics_move(
    prior: str, inputs: tuple[torch.Tensor, list[torch.Tensor]]
) -> None:
    torch.manual_seed(0)
    head = UNet(vit(24, 16, 64), True, 2, prior)
    trained, moved = step(head, inputs)
    names = {name for name, _ in head.named_parameters()}
    pyramid = {name for name in names if name.startswith("pyramid.")}
    assert names - pyramid <= trained
    assert trained & pyramid == (pyramid if prior == "trained" else set())
    assert len(pyramid) == 3 * 4 + 3 * 3
    # Four norms of the prior and three of the projections, each with a mean and a variance.
    assert len([name for name in moved if name.startswith("pyramid.")]) == 14


def test_every_input_reaches_the_logits(inputs: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    torch.manual_seed(0)
    head = UNet(vit(24, 16, 64), True, 2, "trained").eval()
    pixels, maps = inputs
    sources = [pixels.clone().requires_grad_(), *(m.clone().requires_grad_() for m in maps)]
    logits = head(sources[0], sources[1:])
    gradients = torch.autograd.grad(logits.square().sum(), sources)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    assert logits.shape == (2, 2, 8, 8)


def test_a_decoder_of_equal_maps_needs_them_finest_first() -> None:
    decoder = Decoder(24, 2)
    maps = [torch.randn(1, *shape) for shape in TINY]
    assert decoder(maps).shape == (1, 2, 8, 8)
    assert decoder(maps[::-1]).shape != (1, 2, 8, 8)


def test_a_pyramid_takes_one_map_for_each_stride() -> None:
    pyramid = FusedPyramid([24] * 3, (4, 2, 1), 24)
    with pytest.raises(ValueError, match="zip"):
        pyramid(torch.zeros(1, 3, 64, 64), [torch.zeros(1, 24, 4, 4)] * 2)
