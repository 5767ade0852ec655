"""Training ViT-S/14 at 224 pixels: our loop against a plain one as the study released it.

The plain loop takes PIL images one by one, augments them with torchvision, and trains in fp32
with an unfused optimiser.
"""

import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from torch import nn
from torchvision import transforms

from omnibench.commands.session import usable_cores
from omnibench.data import ArrayImages, Dataset, Labels, Split
from omnibench.data.reader import local_card
from omnibench.encoders.build import load_encoder
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.estimate import TRAINED
from omnibench.recipe import native_precision
from omnibench.speed import Measure, image_rate
from omnibench.speed.calibrate import ARCHITECTURE, SIZE, card, keep_rates
from omnibench.speed.steps import stepper
from omnibench.training.job import Batch

SMALL, CLASSES = 28, 2
BATCH, STEPS = 16, 4


def measure(device: str) -> Iterator[Measure]:
    """Yield images/s of a step of `full` and of `head`, ours and plain, and the data's share."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH * STEPS, SMALL, SMALL), np.uint8)
    labels = np.arange(len(images)) % CLASSES
    torch.set_num_threads(usable_cores())
    for adaptation, bound in (("full", ">= 1.7"), ("head", ">= 2")):
        plain = _plain(adaptation, images, labels, device)
        ours, share = _ours(adaptation, images, labels, device)
        yield Measure("training", f"{adaptation}: plain loop", plain, "images/s")
        yield Measure(
            "training",
            f"{adaptation}: our loop, against the plain one",
            ours,
            "images/s",
            ours / plain,
            bound,
        )
        if adaptation == "full":
            # The plain loop is in fp32, but its data keep a GPU waiting.
            in_fp32 = {"fp32": plain} if device == "cpu" else {}
            keep_rates(device, "trained", {**in_fp32, native_precision(device): ours}, TRAINED)
            yield Measure("training", "full: data's share of a step", share, "", None, "<= 0.05")


def _plain(adaptation: str, images: Any, labels: Any, device: str) -> float:
    model = timm.create_model(ARCHITECTURE, num_classes=CLASSES)
    fit_input_size(model, SIZE, ARCHITECTURE)
    model.to(device).train()
    if adaptation == "head":
        model.requires_grad_(False)
        model.head.requires_grad_(True)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-5, foreach=False)
    augment = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(7),
            transforms.RandomResizedCrop(SIZE, scale=(0.85, 1.0)),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )

    def step(index: int) -> None:
        rows = range(index * BATCH, (index + 1) * BATCH)
        pixels = torch.stack([augment(Image.fromarray(images[k]).convert("RGB")) for k in rows])
        truth = torch.from_numpy(labels[list(rows)]).to(device)
        loss = nn.functional.cross_entropy(model(pixels.to(device)), truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()

    return image_rate(step, BATCH, STEPS, device)


def _ours(adaptation: str, images: Any, labels: Any, device: str) -> tuple[float, float]:
    package = "omnibench.tasks.classification"
    recipes = import_module(f"{package}.recipes")
    precision = native_precision(device)
    recipe = recipes.TrainedRecipe(batch=BATCH, precision=precision, normalization="imagenet")
    fields = recipe.model_dump(mode="json")
    if adaptation == "full":
        fields["precision"] = "fp32"
    loaded = load_encoder(card(), fields, device, Path("unused"), Path("unused"))
    model = import_module(f"{package}.classifier").Classifier.of(
        loaded.encoder, adaptation, {}, recipe, CLASSES
    )
    model.to(device)
    splits = {"train": Split(ArrayImages(images), {"labels": Labels(labels.astype(np.int64))})}
    facts = local_card("npz", Path("speed.npz")).model_copy(update={"classes": ("0", "1")})
    cases = import_module(f"{package}.cases").Cases.of(Dataset(facts, splits))
    objective = import_module(f"{package}.objective").Objective(model, cases, recipe, 0)
    with tempfile.TemporaryDirectory() as folder:
        step = stepper(
            model, objective.loss, model.set_training, recipe, len(images), device, Path(folder)
        )

    def rows(index: int) -> torch.Tensor:
        return torch.arange(index * BATCH, (index + 1) * BATCH)

    def data(index: int) -> None:
        objective.pixels(Batch(index, rows(index), torch.arange(BATCH), rows(index)))

    rate = image_rate(step, BATCH, STEPS, device)
    return rate, rate / image_rate(data, BATCH, STEPS, device)
