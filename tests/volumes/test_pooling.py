"""Pooling over slices against what the formulas say, written out study by study."""

import numpy as np
import pytest
import torch
from torch import Tensor

from omnibench.tasks.volumes.bags import Slices
from omnibench.tasks.volumes.pooling import attend, queries_of, summarise

WIDTH, HEADS = 6, 3


@pytest.fixture
def slices() -> Slices:
    """Three studies of up to four slices and two views, of which the last study lacks one."""
    there = torch.zeros(3, 2, 4, dtype=torch.bool)
    for study, sizes in enumerate(((4, 2), (1, 3), (3, 0))):
        for view, size in enumerate(sizes):
            there[study, view, :size] = True
    features = torch.randn(3, 2, 4, WIDTH, generator=torch.Generator().manual_seed(0))
    return Slices(features.masked_fill(~there[..., None], 0.0), there)


def drawn(views: int) -> Tensor:
    return torch.randn(HEADS, queries_of(views), WIDTH, generator=torch.Generator().manual_seed(1))


def softmax(values: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())


def test_attention_is_the_papers_formula_in_each_view_and_over_the_views(slices: Slices) -> None:
    query = drawn(2)
    pooled = attend(slices, query)
    for study in range(3):
        for head in range(HEADS):
            own, embeddings = {}, {}
            for view in range(2):
                rows = slices.features[study, view][slices.there[study, view]].double().numpy()
                if len(rows):
                    own[view] = softmax(rows @ query[head, view].double().numpy() / WIDTH**0.5)
                    embeddings[view] = own[view] @ rows
            over = query[head, 2].double().numpy() / WIDTH**0.5
            shares = softmax(np.array([embeddings[view] @ over for view in embeddings]))
            expected = sum(s * e for s, e in zip(shares, embeddings.values(), strict=True))
            assert pooled.embedding[study, head].numpy() == pytest.approx(expected, abs=1e-6)
            for share, view in zip(shares, own, strict=True):
                weights = pooled.weights[study, head, view][slices.there[study, view]]
                assert weights.numpy() == pytest.approx(share * own[view], abs=1e-6)
    assert pooled.weights.sum((2, 3)).numpy() == pytest.approx(1, abs=1e-6)


def test_a_query_of_zeros_is_the_mean(slices: Slices) -> None:
    single = Slices(slices.features[:, :1], slices.there[:, :1])
    pooled = attend(single, torch.zeros(1, 1, WIDTH)).embedding[:, 0]
    assert torch.allclose(pooled, summarise(single, "mean"), atol=1e-6)
    both = attend(slices, torch.zeros(1, 3, WIDTH)).embedding[:, 0]
    assert torch.allclose(both, summarise(slices, "mean"), atol=1e-6)


def test_what_stands_in_an_absent_view_changes_no_bit(slices: Slices) -> None:
    noisy = slices.features.masked_fill(~slices.there[..., None], float("nan"))
    expected, pooled = attend(slices, drawn(2)), attend(Slices(noisy, slices.there), drawn(2))
    assert torch.equal(pooled.embedding, expected.embedding)
    assert torch.equal(pooled.weights, expected.weights)
    assert (pooled.weights[2, :, 1] == 0).all()


@pytest.mark.parametrize("statistic", ["mean", "max", "median"])
def test_a_statistic_is_numpys_over_the_slices_and_then_over_the_views(
    slices: Slices, statistic: str
) -> None:
    reduce = getattr(np, statistic)
    for study in range(3):
        views = [
            reduce(slices.features[study, view][slices.there[study, view]].numpy(), axis=0)
            for view in range(2)
            if slices.there[study, view].any()
        ]
        own = summarise(slices, statistic)[study].numpy()
        assert own == pytest.approx(reduce(np.stack(views), axis=0), abs=1e-6)
