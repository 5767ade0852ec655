import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from omnibench.errors import RequestError
from omnibench.tasks.classification.knn import as_logits, vote_shares


@pytest.fixture
def cases() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    train = torch.randn(80, 10, generator=generator)
    labels = torch.randint(0, 3, (80,), generator=generator)
    return train, labels, torch.randn(33, 10, generator=generator)


def test_shares_equal_scikit_learns_weighted_votes(cases: tuple[Tensor, Tensor, Tensor]) -> None:
    train, labels, queries = cases
    temperature = 0.07

    def weights(distances: np.ndarray) -> np.ndarray:
        return np.exp((1 - distances) / temperature)

    shares = vote_shares(train, torch.eye(3)[labels], queries, (1, 5, 20), temperature)
    for index, k in enumerate((1, 5, 20)):
        reference = KNeighborsClassifier(k, metric="cosine", weights=weights).fit(train, labels)
        assert np.allclose(shares[index], reference.predict_proba(queries), atol=1e-4)


def test_k_beyond_the_training_split_uses_all_of_it_and_alone_is_refused(
    cases: tuple[Tensor, Tensor, Tensor],
) -> None:
    train, labels, queries = cases
    shares = vote_shares(train, torch.eye(3)[labels], queries, (80, 500), 0.07)
    assert torch.equal(shares[0], shares[1])
    with pytest.raises(RequestError, match="smallest k is 100"):
        vote_shares(train, torch.eye(3)[labels], queries, (100,), 0.07)


def test_a_small_temperature_does_not_overflow(cases: tuple[Tensor, Tensor, Tensor]) -> None:
    train, labels, queries = cases
    shares = vote_shares(train, torch.eye(3)[labels], queries, (5,), 1e-4)
    assert shares.isfinite().all()
    assert torch.allclose(shares.sum(-1), torch.ones(33))


def test_logits_give_the_shares_back() -> None:
    shares = torch.tensor([[0.25, 0.75, 0.0]])
    assert torch.allclose(as_logits(shares, False).softmax(-1), shares, atol=1e-5)
    assert torch.allclose(as_logits(shares, True).sigmoid(), shares, atol=1e-5)
