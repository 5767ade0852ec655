"""Measure captioning with ViT-B/14 and a BART-base: stored tokens against the released way.

The released way runs the backbone in fp32 in every step, trains in fp32 with an unfused optimiser,
and generates one image at a time in fp32 (with its key-value cache).
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BartConfig, BartForConditionalGeneration

from benchmarks import Measure, best_seconds, image_rates
from benchmarks.steps import stepper
from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import ArrayImages, Dataset, Split, Texts
from omnibench.data.reader import local_card
from omnibench.device import default_threads
from omnibench.encoders.build import load_encoder
from omnibench.encoders.tokens import UnitTokens, unit_tokens
from omnibench.recipe import native_precision
from omnibench.tasks.captioning.captioner import Captioner
from omnibench.tasks.captioning.cases import Cases
from omnibench.tasks.captioning.decoding import generate
from omnibench.tasks.captioning.recipes import OMNIRAD
from omnibench.tasks.captioning.tokenizer import learn
from omnibench.tasks.captioning.trial import CaptioningTrial
from omnibench.training.precision import DTYPES

CARD = BackboneCard(id="speed", source="random:vit_base_patch14_dinov2", pool="cls")
SIZE, BATCH, STEPS, WORDS, GENERATED = 224, 4, 4, 32, 16


def measure(device: str) -> Iterator[Measure]:
    """Yield training and generation, ours against released, and the cost of keeping tokens."""
    torch.set_num_threads(default_threads())
    with tempfile.TemporaryDirectory() as folder:
        context = Context(Path(folder), Path(folder), device)
        ours = _Ours(context)
        released = _Released(ours, context)

        rates = image_rates(
            {"released": released.step, "ours": ours.step, "alone": ours.step_alone},
            BATCH,
            STEPS,
            device,
            rounds=3,
        )
        slow, fast, alone = rates.values()
        yield Measure("captioning", "training step, released way", slow, "images/s")
        yield Measure(
            "captioning", "training step, kept tokens and autocast, against the released way",
            fast, "images/s", fast / slow, ">= 2.2",
        )  # fmt: skip
        yield Measure(
            "captioning", "a step with kept tokens, against BART alone (time)", 1 / fast,
            "s/image", alone / fast, "<= 1.1",
        )  # fmt: skip
        single = generation_seconds(ours, 1, "fp32")
        batched = generation_seconds(ours, GENERATED, native_precision(device))
        yield Measure("captioning", "beam 5 x 64, one image at a time in fp32", single, "s/image")
        yield Measure(
            "captioning", "beam 5 x 64, 16 images at once, against one at a time", batched,
            "s/image", single / batched, ">= 8",
        )  # fmt: skip


class _Ours:
    """Train a BART of base size on stored tokens, as the runner does."""

    def __init__(self, context: Context) -> None:
        precision = context.precision
        recipe = OMNIRAD.model_copy(
            update={"batch": BATCH, "micro_batch": None, "precision": precision}
        )
        rng = np.random.default_rng(0)
        images = ArrayImages(rng.integers(0, 256, (GENERATED, SIZE, SIZE), np.uint8))
        captions = tuple(" ".join(map(str, rng.integers(10, 99, 20))) for _ in range(GENERATED))
        split = Split(images, {"captions": Texts(captions)})
        dataset = Dataset(local_card("npz", Path("speed.npz")), {"train": split, "test": split})
        unit = Unit(
            "captioning", dataset.card, CARD, "bart-base", "bart-base", {},
            recipe.model_dump(mode="json"), 0, {"dataset": "speed", "backbone": "speed"}, (0,),
        )  # fmt: skip
        self.dataset = dataset
        self.tokens = unit_tokens(unit, dataset.splits, context)
        self.held: dict[int, _HeldTokens] = {}
        self.tokenizer = learn(captions)
        cases = Cases.from_dataset(dataset, self.tokenizer, WORDS)
        model = captioner(self.tokens.width).to(context.device)
        self.trial = CaptioningTrial(model, self.tokens, cases, recipe, context.device)
        self.step = stepper(self.trial, context.device, context.results)

    def step_alone(self, index: int) -> None:
        """Run a step on tokens that are in memory already."""
        if index not in self.held:
            rows = np.arange(index * BATCH, (index + 1) * BATCH)
            tokens = self.tokens.read("train", rows).to(self.trial.device)
            self.held[index] = _HeldTokens(**vars(self.tokens), tokens=tokens)
        self.trial.tokens = self.held[index]
        self.step(index)
        self.trial.tokens = self.tokens


@dataclass(frozen=True)
class _HeldTokens(UnitTokens):
    """Give the tokens of one batch from memory."""

    tokens: torch.Tensor

    def read(self, split: str, indices: NDArray[np.int64]) -> torch.Tensor:
        return self.tokens


class _Released:
    """Train the same model in fp32 behind a backbone that runs every time."""

    def __init__(self, ours: _Ours, context: Context) -> None:
        recipe = {"input_size": SIZE, "normalization": "imagenet", "precision": "fp32"}
        self.encoder: Any = load_encoder(
            CARD, recipe, context.device, context.data, context.results
        ).encoder
        self.ours, self.device = ours, context.device
        self.model = captioner(ours.tokens.width).to(context.device)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=5e-5, foreach=False)
        self.images = torch.from_numpy(ours.dataset.splits["train"].images.read(0, GENERATED))

    def tokens(self, part: slice) -> torch.Tensor:
        with torch.no_grad():
            prefix, patches = self.encoder.tokens(self.images[part])
        return torch.cat([prefix, patches.flatten(1, 2)], dim=1)

    def step(self, index: int) -> None:
        self.model.train()
        part = slice(index * BATCH, (index + 1) * BATCH)
        read, labels = self.ours.trial.cases.words("train", range(part.start, part.stop))
        logits = self.model(self.tokens(part), read.to(self.device))
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten().to(self.device)
        )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


def generation_seconds(ours: _Ours, images: int, precision: str) -> float:
    """Return the seconds an image to generate for `images` at once, by a model no step has changed.

    An untrained model never ends a caption early, so both ways make all 64 tokens.
    """
    device = ours.trial.device
    model = captioner(ours.tokens.width).to(device).eval()
    with torch.inference_mode():
        encoded = model.encode(ours.tokens.read("train", np.arange(images)).to(device).float())
        model.bart.to(DTYPES.get(precision, torch.float32))
        states = encoded.last_hidden_state.to(model.bart.dtype)
        seconds = best_seconds(
            lambda: generate(model.bart, states, "b5-t64", ours.tokenizer), repeats=2
        )
    return seconds / images


def captioner(width: int) -> Captioner:
    """Return a captioner on a BART of base size, its embeddings of BART's 50,265 tokens."""
    torch.manual_seed(0)
    config = BartConfig(
        d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072,
        decoder_ffn_dim=3072, encoder_attention_heads=12, decoder_attention_heads=12,
    )  # fmt: skip
    bart = BartForConditionalGeneration(config)
    return Captioner(width, 64, "sqrt", bart)
