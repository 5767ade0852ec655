"""Measure the probe at its optimum on PneumoniaMNIST's shape against scikit-learn's L-BFGS."""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from benchmarks import Measure
from omnibench.tasks.classification import logistic
from omnibench.tasks.classification.linear import Standardise, as_targets
from omnibench.tasks.classification.recipes import STRENGTHS

IMAGES, SIDE, REPETITIONS = 4708, 28, 5
MOST = 1000  # iterations of scikit-learn's, as CLIP and DINOv2 allow


def measure(device: str) -> Iterator[Measure]:
    """Yield the sweep's cost of one repetition, of five, and of scikit-learn's for one."""
    whose, features, labels = _images()
    draws = [np.random.default_rng(k).permutation(IMAGES)[::2] for k in range(REPETITIONS)]
    reference = _seconds(lambda: _reference(features, labels, 1e-4))
    alone = _seconds(lambda: _own(features, labels, device))
    every = sum(_seconds(partial(_own, features[rows], labels[rows], device)) for rows in draws)
    name = f"{whose}: scikit-learn, {len(STRENGTHS)} strengths, its default tolerance"
    yield Measure("logistic", name, reference, "s")
    for what, seconds, bound in (
        ("all repetitions of the same images, one fit", alone, "<= 1"),
        (f"{REPETITIONS} repetitions, each of its own half of the images", every, None),
    ):
        text = f"{whose}: L-BFGS, {len(STRENGTHS)} strengths to the optimum, {what}"
        yield Measure("logistic", text, seconds, "s", seconds / reference, bound)


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _images() -> tuple[str, torch.Tensor, np.ndarray]:
    """Return whose they are, standardised pixels [N, 784] and labels [N] of two classes.

    Of PneumoniaMNIST where OMNIBENCH_REAL_DATA has it, which take more iterations; else pixels of
    an image's falling spectrum, and labels that they show.
    """
    file = Path(os.environ.get("OMNIBENCH_REAL_DATA", ".")) / "medmnist/pneumoniamnist.npz"
    if file.is_file():
        with np.load(file) as arrays:
            pixels = arrays["train_images"].reshape(IMAGES, -1)
            labels = arrays["train_labels"].ravel().astype(np.int64)
        name = "PneumoniaMNIST"
    else:
        rng = np.random.default_rng(0)
        waves = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
        noise = np.fft.fft2(rng.normal(size=(IMAGES, SIDE, SIDE))) / (waves + 1 / SIDE) ** 2.5
        pixels = np.fft.ifft2(noise).real.reshape(IMAGES, -1)
        scores = pixels @ rng.normal(size=SIDE * SIDE)
        labels = (scores / scores.std() + rng.logistic(size=IMAGES) / 4 > 0).astype(np.int64)
        name = "noise"
    features = torch.from_numpy(pixels.astype(np.float32))
    return name, Standardise.from_features(features)(features), labels


def _own(features: torch.Tensor, labels: np.ndarray, device: str) -> None:
    optima = logistic.fit(features.to(device), as_targets(labels, 2).to(device), STRENGTHS)
    if not all(optima.converged):
        raise RuntimeError("L-BFGS has not converged")


def _reference(features: torch.Tensor, labels: np.ndarray, tolerance: float) -> None:
    pixels = features.double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for strength in STRENGTHS:
            LogisticRegression(C=strength, tol=tolerance, max_iter=MOST).fit(pixels, labels)
