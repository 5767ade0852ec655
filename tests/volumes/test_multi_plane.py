"""Views that attend to each other, against the formulas written out and what must not matter."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit
from omnibench.errors import RequestError
from omnibench.tasks.volumes import VolumesTask
from omnibench.tasks.volumes.bags import Slices
from omnibench.tasks.volumes.multi_plane import CrossAttention, MultiPlaneFusion

WIDTH, HEADS = 8, 2


@pytest.fixture
def slices() -> Slices:
    """Three studies of up to four slices and three views; the second lacks two, the third one."""
    there = torch.zeros(3, 3, 4, dtype=torch.bool)
    for study, sizes in enumerate(((4, 2, 1), (0, 3, 0), (2, 0, 4))):
        for view, size in enumerate(sizes):
            there[study, view, :size] = True
    features = torch.randn(3, 3, 4, WIDTH, generator=torch.Generator().manual_seed(0))
    return Slices(features.masked_fill(~there[..., None], 0.0), there)


def fusion(layers: int, presence: bool = True) -> MultiPlaneFusion:
    torch.manual_seed(1)
    own = MultiPlaneFusion(WIDTH, WIDTH, 3, layers, HEADS, presence).eval()
    for parameter in own.parameters():  # norms and biases too, none at 0 or 1
        torch.nn.init.normal_(parameter, std=0.5)
    return own


def normed(tokens: Tensor, norm: torch.nn.Module) -> Tensor:
    return functional.layer_norm(tokens, (WIDTH,), norm.weight, norm.bias)  # type: ignore[arg-type]


def explicit(layer: CrossAttention, view: int, tokens: Tensor, others: Tensor) -> Tensor:
    """A view's tokens [T, D] after an attention to the other views' [K, D], head by head."""
    attention, own = layer.attentions[view], normed(tokens, layer.norms[view])
    assert isinstance(attention, torch.nn.MultiheadAttention)
    assert attention.in_proj_weight is not None
    projections = zip(
        attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True
    )
    q, k, v = (x @ w.T + b for x, (w, b) in zip((own, others, others), projections, strict=True))
    depth = WIDTH // HEADS
    parts = []
    for head in range(HEADS):
        columns = slice(head * depth, (head + 1) * depth)
        powers = (q[:, columns] @ k[:, columns].T / depth**0.5).exp()
        parts.append(powers / powers.sum(dim=1, keepdim=True) @ v[:, columns])
    look = torch.cat(parts, dim=1) @ attention.out_proj.weight.T + attention.out_proj.bias
    return tokens + look


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_the_fusion_is_its_formulas_study_by_study(slices: Slices, layers: int) -> None:
    own = fusion(layers)
    embedding = own(slices).embedding
    assert embedding.shape == (3, own.width)
    for study in range(3):
        there = slices.there[study]
        tokens = [
            own.project(slices.features[study, view][there[view]])
            if there[view].any()
            else own.null[view, None]
            for view in range(3)
        ]
        for layer in own.layers:
            assert isinstance(layer, CrossAttention)
            keys = [normed(part, norm) for part, norm in zip(tokens, layer.norms, strict=True)]
            tokens = [
                explicit(layer, view, part, torch.cat(keys[:view] + keys[view + 1 :]))
                for view, part in enumerate(tokens)
            ]
        pooled = []
        for part, query in zip(tokens, own.query, strict=True):
            rows = normed(part, own.norm)
            powers = (rows @ query / WIDTH**0.5).exp()
            pooled.append(powers / powers.sum() @ rows)
        expected = torch.cat([*pooled, there.any(dim=1).float()])
        assert embedding[study].detach().numpy() == pytest.approx(
            expected.detach().numpy(), abs=1e-5
        )


def test_cross_attention_that_puts_nothing_out_is_late_fusion(slices: Slices) -> None:
    cross, late = fusion(layers=1), fusion(layers=0)
    late.load_state_dict(cross.state_dict(), strict=False)
    for name, parameter in cross.named_parameters():
        if "out_proj" in name:
            torch.nn.init.zeros_(parameter)
    assert torch.equal(cross(slices).embedding, late(slices).embedding)


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("noise", [1e6, float("nan")])
def test_the_pixels_of_a_view_that_a_study_lacks_change_no_bit(
    slices: Slices, layers: int, noise: float
) -> None:
    noisy = Slices(slices.features.masked_fill(~slices.there[..., None], noise), slices.there)
    own = fusion(layers)
    expected, embedding = own(slices).embedding, own(noisy).embedding
    assert torch.equal(embedding, expected)
    gradients = torch.autograd.grad(embedding.sum(), list(own.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_order_of_a_views_slices_changes_nothing(slices: Slices) -> None:
    own = fusion(layers=1)
    mixed = slices.features.clone()
    mixed[0, 0] = slices.features[0, 0, [2, 0, 3, 1]]
    expected, embedding = own(slices).embedding, own(Slices(mixed, slices.there)).embedding
    assert torch.allclose(embedding, expected, atol=1e-6)


def test_the_presence_vector_is_the_last_of_what_the_head_sees(slices: Slices) -> None:
    with_presence, without = fusion(layers=0), fusion(layers=0, presence=False)
    assert with_presence.width == without.width + 3 == 3 * WIDTH + 3
    embedding = with_presence(slices).embedding
    assert embedding[:, -3:].tolist() == [[1, 1, 1], [0, 1, 0], [1, 0, 1]]
    assert torch.equal(without(slices).embedding, embedding[:, :-3])


def refusals_of(views: tuple[str, ...], options: dict[str, object]) -> list[str]:
    task = VolumesTask()
    adaptation = task.adaptations["multi-plane"]
    unit = Unit(
        task="volumes",
        dataset=DatasetCard(id="ct", reader="a:b", tasks=("volumes",), views=views),
        backbone=BackboneCard(id="tiny", source="random:vit_tiny_patch16_224", width=8),
        adaptation="multi-plane",
        short="multi-plane",
        options=adaptation.resolve_options(options, "options"),
        recipe=adaptation.recipes["small"].model_dump(mode="json"),
        suite_seed=0,
        sources={},
        repetitions=(0,),
    )
    return list(task.refusals(unit, {}))


def test_plan_refuses_studies_of_one_view() -> None:
    assert refusals_of(("axial", "sagittal"), {}) == []
    for views in ((), ("axial",)):
        assert "studies have one; take 'attention'" in refusals_of(views, {})[0]


def test_heads_divide_the_width() -> None:
    views = ("axial", "sagittal")
    with pytest.raises(RequestError, match="heads 4 does not divide the width 6"):
        refusals_of(views, {"width": 6})
    with pytest.raises(RequestError, match="layers and heads are of fusion: cross"):
        refusals_of(views, {"fusion": "late", "layers": 2})
