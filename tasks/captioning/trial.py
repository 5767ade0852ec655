"""A repetition of captioning: its language model, its loss, and the texts that it generates."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.adapt.low_rank import add_lora
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.data.sources import load_once
from omnibench.data.subset import limited
from omnibench.encoders.tokens import UnitTokens, unit_tokens
from omnibench.errors import RequestError
from omnibench.scoring import case_values
from omnibench.task import Adaptation, Predictions
from omnibench.training.flops import Flops, counted, trained_flops
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.precision import DTYPES, autocast
from omnibench.training.trial import Trial

from .captioner import Captioner
from .cases import IGNORED, Cases, captions_of
from .decoding import generate
from .language import LanguageModel, folder_of, load_language_model
from .recipes import CaptioningRecipe
from .refusals import length_refusal
from .sheet import caption_sheet

LORA_DROPOUT = 0.1
BATCH = 16  # of evaluation and generation


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the captions and keep the backbone's tokens; return what makes a trial."""
    recipe = CaptioningRecipe.model_validate(unit.recipe)
    source = unit.sources["dataset"]
    dataset = limited(
        load_once(unit.dataset, context.data, source, recipe.input_size), recipe.limit
    )
    captions_of(dataset, "train")  # refused before the backbone's tokens are computed
    folder = folder_of(unit, adaptation.loads, context)
    began = time.perf_counter()
    tokens = unit_tokens(unit, dataset.splits, context)
    phases = {"features": time.perf_counter() - began}

    def trial(repetition: int) -> Trial:
        subset = Subset.from_dataset(unit, repetition, dataset)
        own = subset.of(dataset)
        language = load_language_model(unit.adaptation, folder, captions_of(own, "train"))
        cases = Cases.from_dataset(own, language.tokenizer, recipe.max_tokens)
        model = _model(unit, recipe, tokens, language).to(context.device)
        progress = partial(context.progress, f"captions of repetition {repetition}")
        made = CaptioningTrial(
            model, tokens if own is dataset else tokens.of(subset), cases, recipe, context.device,
            language.digest, unit.decodings, progress, phases,
        )  # fmt: skip
        made.subset = subset
        return made

    return trial


def _model(
    unit: Unit, recipe: CaptioningRecipe, tokens: UnitTokens, language: LanguageModel
) -> Captioner:
    options = unit.options
    scale = options["merger_scale"]
    positions = language.bart.config.max_position_embeddings
    if refusal := length_refusal(unit, positions):
        raise RequestError(refusal)
    model = Captioner(tokens.width, recipe.visual_tokens, scale, language.bart)
    if options["r"] is not None:
        model.bart.requires_grad_(False)
        blank, begin = torch.zeros(1, 1, tokens.width), torch.zeros(1, 1, dtype=torch.long)
        add_lora(
            model.bart.model,
            lambda: model(blank, begin),
            options["r"],
            options["alpha"],
            LORA_DROPOUT,
        )
    return model


class CaptioningTrial(Trial):
    """Cross-entropy of the next token, on the kept tokens of a frozen backbone."""

    model: Captioner
    recipe: CaptioningRecipe
    select, minimise = "loss", True
    predicting = "generation"

    def __init__(
        self,
        model: Captioner,
        tokens: UnitTokens,
        cases: Cases,
        recipe: CaptioningRecipe,
        device: str,
        digest: str = "",
        decodings: Sequence[str] = (),
        progress: Callable[[int, int], None] = lambda done, total: None,
        phases: Mapping[str, float] | None = None,
    ) -> None:
        self.model, self.tokens, self.cases, self.recipe = model, tokens, cases, recipe
        self.device, self.digest, self.decodings = device, digest, decodings
        self.progress, self.phases = progress, phases or {}
        self.count = cases.count("train")

    def validate(self) -> Mapping[str, float]:
        return {"loss": self.validation_loss()}

    def predict(self) -> Predictions:
        predictions = self.cases.predictions(self.texts(self.decodings, self.progress))
        # Kept, as METEOR's are slow to compute again.
        return predictions | case_values("captioning", predictions)

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss over the batch's label tokens."""
        whole = sum(len(self.cases.ids["train"][row]) for row in batch.whole.tolist())
        return self._total("train", batch.rows.numpy()) / whole

    def validation_loss(self) -> float:
        """Return the mean loss a label token of the validation split, in evaluation mode."""
        self.model.eval()
        total, count = 0.0, self.cases.count("val")
        with torch.inference_mode(), autocast(self.recipe.precision, self.device):
            for start in range(0, count, BATCH):
                total += float(self._total("val", np.arange(start, min(start + BATCH, count))))
        return total / sum(map(len, self.cases.ids["val"]))

    def texts(
        self, decodings: Sequence[str], progress: Callable[[int, int], None]
    ) -> Mapping[str, list[str]]:
        """Return every decoding's captions of the test split.

        The language model runs in the recipe's precision outright from here on.
        """
        self.model.eval()
        if self.recipe.precision in DTYPES:
            self.model.bart.to(DTYPES[self.recipe.precision])
        count = self.cases.count("test")
        texts: dict[str, list[str]] = {name: [] for name in decodings}
        with torch.inference_mode():
            for start in range(0, count, BATCH):
                rows = np.arange(start, min(start + BATCH, count))
                # One size for every batch: an image's bits do not depend on how many follow.
                padded = np.concatenate([rows, np.repeat(rows[:1], BATCH - len(rows))])
                encoded = self._encoded(padded)
                for name in decodings:
                    ids = generate(self.model.bart, encoded, name, self.cases.tokenizer)
                    texts[name] += [self.cases.tokenizer.decode(row) for row in ids[: len(rows)]]
                progress(int(rows[-1]) + 1, count)
        return texts

    def _encoded(self, rows: NDArray[np.int64]) -> Tensor:
        tokens = self.tokens.read("test", rows).to(self.device)
        with autocast(self.recipe.precision, self.device):
            states: Tensor = self.model.encode(tokens).last_hidden_state
        return states.to(self.model.bart.dtype)

    def _total(self, split: str, rows: NDArray[np.int64]) -> Tensor:
        read, labels = self.cases.words(split, rows.tolist())
        tokens = self.tokens.read(split, rows).to(self.device)
        logits = self.model(tokens, read.to(self.device)).float()
        return functional.cross_entropy(
            logits.flatten(0, 1),
            labels.flatten().to(self.device),
            ignore_index=IGNORED,
            reduction="sum",
        )

    def flops(self) -> Flops:
        """Return those of captions as long as the first ones; what generates texts is not known."""
        rows = np.arange(min(BATCH, self.count))
        with autocast(self.recipe.precision, self.device):
            forward = counted(self.model, lambda: self._total("train", rows)) / len(rows)
        return Flops(
            image=trained_flops(0, forward, through_backbone=False),
            validation=self.cases.count("val") * forward,
            before=self.tokens.made.cost()["flops"],
        )

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        own = sum(p.numel() for p in self.model.parameters())
        backbone = self.tokens.made.facts["parameters"]
        return {**self.tokens.made.cost(), "total_parameters": backbone + own}

    def digests(self) -> Mapping[str, str]:
        read = self.cases.dataset.digests
        return {**read, **self.tokens.made.digests(), "language": self.digest}

    def notes(self) -> Mapping[str, Any]:
        return {
            "backbone": dict(self.tokens.made.facts),
            "vocabulary": self.cases.tokenizer.size,
            "captions_cut": dict(self.cases.cut),
        }

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        sheet = caption_sheet(self.cases.dataset, predictions, self.decodings[-1])
        return {"captions.png": sheet}
