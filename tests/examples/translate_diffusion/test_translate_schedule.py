"""The diffusion's noise, its sampler and the average of samples, against closed forms."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from translate_schedule import (
    STEPS,
    clean_of,
    image_weights,
    noise_of,
    sample,
    signal_shares,
    velocity,
)


def test_signal_shares_are_the_products_of_scaled_linear_betas() -> None:
    roots = np.sqrt(0.0015) + np.arange(1000) / 999 * (np.sqrt(0.0205) - np.sqrt(0.0015))
    expected = np.exp(np.cumsum(np.log1p(-(roots**2))))
    np.testing.assert_allclose(signal_shares().numpy(), expected, rtol=1e-5)
    assert signal_shares()[0] == pytest.approx(1 - 0.0015)
    assert signal_shares()[-1] < 1e-3  # hardly a trace is left


def test_the_image_counts_fully_without_noise_and_hardly_where_all_is_noise() -> None:
    weights = image_weights().numpy()
    np.testing.assert_allclose(weights, [(1000 - t) / 1000 for t in range(1000)], rtol=1e-6)


def test_velocity_turns_back_into_what_it_was_made_of() -> None:
    clean, noise = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    share = torch.linspace(0.01, 0.99, 50)
    noisy, speed = share.sqrt() * clean + (1 - share).sqrt() * noise, velocity(clean, noise, share)
    torch.testing.assert_close(clean_of(noisy, speed, share), clean)
    torch.testing.assert_close(noise_of(noisy, speed, share), noise)


class Posterior:
    """x given y, where x ~ N(0, prior) and y = H x + n: a normal law of known mean and spread."""

    def __init__(self) -> None:
        self.observed = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]])
        self.prior = np.array([[1.0, 0.3, 0.1], [0.3, 0.8, 0.2], [0.1, 0.2, 0.6]])
        self.noise = 0.3 * np.eye(2)
        both = self.observed @ self.prior @ self.observed.T + self.noise
        self.gain = self.prior @ self.observed.T @ np.linalg.inv(both)
        self.covariance = self.prior - self.gain @ self.observed @ self.prior

    def network(self, means: Tensor) -> "Network":
        return Network(means, torch.from_numpy(self.covariance).float())


class Network:
    """The exact velocity: E[x | z_t] = m + sqrt(a) S (a S + (1 - a) I)^-1 (z_t - sqrt(a) m)."""

    def __init__(self, means: Tensor, covariance: Tensor) -> None:
        self.means, self.covariance, self.shares = means, covariance, signal_shares()

    def __call__(self, latents: Tensor, time: int) -> Tensor:
        a = self.shares[time]
        spread = a * self.covariance + (1 - a) * torch.eye(3)
        gain = a.sqrt() * self.covariance @ torch.linalg.inv(spread)
        clean = self.means + (latents - a.sqrt() * self.means) @ gain.T
        speed: Tensor = (a.sqrt() * latents - clean) / (1 - a).sqrt()
        return speed


def test_samples_have_the_mean_and_covariance_of_the_posterior() -> None:
    posterior, random = Posterior(), torch.Generator().manual_seed(1)
    mean = torch.tensor([[0.5, -1.0, 2.0]])
    drawn = sample(posterior.network(mean), torch.randn(20_000, 3, generator=random), 500).numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), mean[0], atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), posterior.covariance, atol=0.01)


def test_few_steps_give_what_their_products_say() -> None:
    spread, a = 0.25, signal_shares().double().numpy()
    network = Network(torch.zeros(1, 3), spread * torch.eye(3))
    noise = torch.tensor([[1.0, -2.0, 0.5]])
    times, factor = np.linspace(STEPS - 1, 0, 7).round().astype(int), 1.0
    for time, later in itertools.pairwise(times):
        gain = spread * np.sqrt(a[time]) / (a[time] * spread + 1 - a[time])
        rest = (1 - np.sqrt(a[time]) * gain) / np.sqrt(1 - a[time])
        factor *= np.sqrt(a[later]) * gain + np.sqrt(1 - a[later]) * rest
    factor *= spread * np.sqrt(a[0]) / (a[0] * spread + 1 - a[0])
    np.testing.assert_allclose(sample(network, noise, 7), factor * noise, rtol=1e-4)


def test_the_error_of_an_average_falls_with_the_number_of_samples() -> None:
    """MSE(m) = MSE(inf) + tr(S) / m, and of a posterior that is known MSE(inf) = tr(S)."""
    posterior, random = Posterior(), np.random.default_rng(2)
    cases, count = 1500, 64
    truth = random.multivariate_normal(np.zeros(3), posterior.prior, cases)
    seen = truth @ posterior.observed.T + random.multivariate_normal(
        np.zeros(2), posterior.noise, cases
    )
    means = np.repeat(seen @ posterior.gain.T, count, axis=0)
    noise = random.standard_normal((cases * count, 3))
    network = posterior.network(torch.from_numpy(means).float())
    drawn = sample(network, torch.from_numpy(noise).float(), 60).numpy().reshape(cases, count, 3)
    trace = np.trace(posterior.covariance)
    sizes = np.array([1, 4, 16, 64])
    errors = [((drawn[:, :m].mean(axis=1) - truth) ** 2).sum(axis=1).mean() for m in sizes]
    np.testing.assert_allclose(errors, trace * (1 + 1 / sizes), rtol=0.06)
    limit = ((seen @ posterior.gain.T - truth) ** 2).sum(axis=1).mean()
    slope, _ = np.polyfit(np.log(sizes[:3]), np.log(np.array(errors[:3]) - limit), 1)
    assert slope == pytest.approx(-1, abs=0.1)
