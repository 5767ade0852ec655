"""The fusions of slices: what a transformer sees of them, and what it does not."""

import torch

from omnibench.tasks.volumes.bags import Slices
from omnibench.tasks.volumes.fusion import StatisticFusion, TransformerFusion, places
from omnibench.tasks.volumes.pooling import summarise

WIDTH = 8


def slices_of(views: int) -> Slices:
    there = torch.ones(2, views, 5, dtype=torch.bool)
    there[1, 0, 3:] = False
    features = torch.randn(2, views, 5, WIDTH, generator=torch.Generator().manual_seed(0))
    return Slices(features, there)


def transformer(views: int) -> TransformerFusion:
    torch.manual_seed(0)
    return TransformerFusion(WIDTH, 16, views, 2, 4).eval()


def test_a_slice_that_is_not_there_changes_no_bit() -> None:
    slices, fusion = slices_of(2), transformer(2)
    expected = fusion(slices).embedding
    noisy = slices.features.masked_fill(~slices.there[..., None], 1e4)
    assert torch.equal(fusion(Slices(noisy, slices.there)).embedding, expected)


def test_padding_changes_nothing_but_the_last_bits() -> None:
    slices, fusion = slices_of(1), transformer(1)
    alone = Slices(slices.features[1:, :, :3], slices.there[1:, :, :3])
    whole, own = fusion(slices).embedding[1], fusion(alone).embedding[0]
    assert torch.allclose(whole, own, atol=1e-5)


def test_the_place_of_a_slice_is_seen() -> None:
    slices, fusion = slices_of(1), transformer(1)
    flipped = Slices(slices.features.flip(2), slices.there)
    assert not torch.allclose(fusion(slices).embedding[0], fusion(flipped).embedding[0], atol=1e-3)


def test_places_are_the_papers_sines_and_cosines() -> None:
    code = places(4, 6)
    for place in range(4):
        for pair in range(3):
            angle = torch.tensor(place / 10_000 ** (2 * pair / 6))
            assert torch.allclose(code[place, 2 * pair], angle.sin(), atol=1e-6)
            assert torch.allclose(code[place, 2 * pair + 1], angle.cos(), atol=1e-6)


def test_a_statistic_trains_nothing() -> None:
    fusion = StatisticFusion(WIDTH, "max")
    assert list(fusion.parameters()) == []
    assert torch.equal(fusion(slices_of(2)).embedding, summarise(slices_of(2), "max"))
