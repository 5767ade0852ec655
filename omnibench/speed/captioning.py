"""Captioning with ViT-B/14 and a BART-base: kept tokens and autocast against the released way.

The released way runs the backbone in fp32 in every step, trains in fp32 with an unfused optimiser,
and generates one image at a time in fp32 (with its key-value cache).
"""

import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BartConfig, BartForConditionalGeneration

from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.commands.session import usable_cores
from omnibench.context import Context
from omnibench.data import ArrayImages, Dataset, Split, Texts
from omnibench.data.reader import local_card
from omnibench.encoders.build import load_encoder
from omnibench.encoders.tokens import unit_tokens
from omnibench.recipe import native_precision
from omnibench.speed import Measure, best_seconds, image_rates
from omnibench.speed.steps import stepper
from omnibench.training.precision import DTYPES

CARD = BackboneCard(id="speed", source="random:vit_base_patch14_dinov2", pool="cls")
SIZE, BATCH, STEPS, WORDS, GENERATED = 224, 4, 4, 32, 16
PACKAGE = "omnibench.tasks.captioning"


def measure(device: str) -> Iterator[Measure]:
    """Yield training and generation, ours against released, and the cost of keeping tokens."""
    torch.set_num_threads(usable_cores())
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
        one = generation_seconds(ours, 1, "fp32")
        batched = generation_seconds(ours, GENERATED, native_precision(device))
        yield Measure("captioning", "beam 5 x 64, one image at a time in fp32", one, "s/image")
        yield Measure(
            "captioning", "beam 5 x 64, 16 images at once, against one at a time", batched,
            "s/image", one / batched, ">= 8",
        )  # fmt: skip


class _Ours:
    """A BART of base size on kept tokens, as the runner trains it."""

    def __init__(self, context: Context) -> None:
        precision = context.precision
        recipe = import_module(f"{PACKAGE}.recipes").OMNIRAD.model_copy(
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
        self.tokenizer = import_module(f"{PACKAGE}.tokenizer").learn(captions)
        cases = import_module(f"{PACKAGE}.cases").Cases.of(dataset, self.tokenizer, WORDS)
        self.model = captioner(self.tokens.width).to(context.device)
        self.objective = import_module(f"{PACKAGE}.objective").Objective(
            self.model, self.tokens, cases, precision, context.device
        )
        self.step = stepper(
            self.model,
            self.objective.loss,
            self.model.train,
            recipe,
            GENERATED,
            context.device,
            context.results,
        )

    def step_alone(self, index: int) -> None:
        """The same without reading tokens: they are in memory."""
        rows = np.arange(index * BATCH, (index + 1) * BATCH)
        held = getattr(self, "held", None) or {}
        if index not in held:
            held[index] = self.tokens.read("train", rows).to(self.objective.device)
            self.held = held
        self.objective.tokens = _Held(held[index])
        self.step(index)
        self.objective.tokens = self.tokens


class _Held:
    def __init__(self, tokens: torch.Tensor) -> None:
        self.tokens = tokens

    def read(self, split: str, rows: Any) -> torch.Tensor:
        return self.tokens


class _Released:
    """The same model in fp32 behind a backbone that runs every time."""

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
        read, labels = self.ours.objective.cases.words("train", range(part.start, part.stop))
        logits = self.model(self.tokens(part), read.to(self.device))
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten().to(self.device)
        )
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()


def generation_seconds(ours: _Ours, images: int, precision: str) -> float:
    """Seconds an image to generate for `images` at once, by a model no step has changed.

    An untrained model never ends a caption early, so both ways make all 64 tokens.
    """
    generate = import_module(f"{PACKAGE}.decoding").generate
    device = ours.objective.device
    model = captioner(ours.tokens.width).to(device).eval()
    with torch.inference_mode():
        encoded = model.encode(ours.tokens.read("train", np.arange(images)).to(device).float())
        model.bart.to(DTYPES.get(precision, torch.float32))
        states = encoded.last_hidden_state.to(model.bart.dtype)
        seconds = best_seconds(
            lambda: generate(model.bart, states, "b5-t64", ours.tokenizer), repeats=2
        )
    return seconds / images


def captioner(width: int) -> Any:
    """A captioner on a BART of base size, its embeddings of BART's 50,265 tokens."""
    torch.manual_seed(0)
    config = BartConfig(
        d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072,
        decoder_ffn_dim=3072, encoder_attention_heads=12, decoder_attention_heads=12,
    )  # fmt: skip
    bart = BartForConditionalGeneration(config)
    return import_module(f"{PACKAGE}.captioner").Captioner(width, 64, "sqrt", bart)
