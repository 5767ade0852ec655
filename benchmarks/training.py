"""Measure training of ViT-S/14 at 224 pixels: our loop against a plain loop as the study's.

The plain loop takes PIL images one by one, augments them with torchvision, and trains in fp32
with an unfused optimiser.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torchvision import transforms

from benchmarks import Measure, image_rate
from benchmarks.calibrate import ARCHITECTURE, SIZE, card, keep_rates
from benchmarks.steps import stepper
from omnibench.adapt.trainable import attach
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import ArrayImages, Dataset, Labels, Split
from omnibench.data.reader import local_card
from omnibench.device import default_threads
from omnibench.encoders.build import load_trainable
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.rates import TRAINED
from omnibench.recipe import native_precision
from omnibench.tasks.classification.cases import Cases
from omnibench.tasks.classification.classifier import Classifier
from omnibench.tasks.classification.finetune import ClassificationTrial
from omnibench.tasks.classification.recipes import TrainedRecipe
from omnibench.training.job import Batch

SMALL, CLASSES = 28, 2
BATCH, STEPS = 16, 4

Pixels = NDArray[np.uint8]
Labelled = NDArray[np.int64]


def measure(device: str) -> Iterator[Measure]:
    """Yield images/s of a step of `full` and of `head`, ours and plain, and the data's share."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH * STEPS, SMALL, SMALL), np.uint8)
    labels = np.arange(len(images)) % CLASSES
    torch.set_num_threads(default_threads())
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


def _plain(adaptation: str, images: Pixels, labels: Labelled, device: str) -> float:
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
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()

    return image_rate(step, BATCH, STEPS, device)


def _ours(adaptation: str, images: Pixels, labels: Labelled, device: str) -> tuple[float, float]:
    precision = native_precision(device)
    recipe = TrainedRecipe(batch=BATCH, precision=precision, normalization="imagenet")
    facts = local_card("npz", Path("speed.npz")).model_copy(update={"classes": ("0", "1")})
    splits = {"train": Split(ArrayImages(images), {"labels": Labels(labels)})}
    cases = Cases.from_dataset(Dataset(facts, splits))
    unit = Unit(
        "classification", facts, card(), adaptation, adaptation, {},
        recipe.model_dump(mode="json"), 0, {"dataset": "speed", "backbone": "speed"}, (0,),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        context = Context(Path(folder), Path(folder), device)
        loaded = load_trainable(unit, context, "fp32" if adaptation == "full" else precision)
        head = Classifier.drawn_head(loaded.encoder, CLASSES)
        attached = attach(tasks.get("classification").adaptations[adaptation], loaded.encoder, {})
        model = Classifier(attached, head, recipe.dropout).to(device)
        trial = ClassificationTrial(model, cases, recipe, loaded, device, seed=0)
        step = stepper(trial, device, Path(folder))

    def rows(index: int) -> torch.Tensor:
        return torch.arange(index * BATCH, (index + 1) * BATCH)

    def data(index: int) -> None:
        trial.pixels(Batch(index, rows(index), torch.arange(BATCH), rows(index)))

    rate = image_rate(step, BATCH, STEPS, device)
    return rate, rate / image_rate(data, BATCH, STEPS, device)
