"""The loss of a part of a batch and of the validation split, and the texts a model generates."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.encoders.tokens import UnitTokens
from omnibench.training.job import Batch
from omnibench.training.precision import DTYPES, autocast

from .captioner import Captioner
from .cases import IGNORED, Cases
from .decoding import generate

BATCH = 16  # of evaluation and generation


class Objective:
    """Cross-entropy of the next token, on the kept tokens of a frozen backbone."""

    def __init__(
        self, model: Captioner, tokens: UnitTokens, cases: Cases, precision: str, device: str
    ) -> None:
        self.model, self.tokens, self.cases, self.device = model, tokens, cases, device
        self.precision = precision

    def loss(self, batch: Batch) -> Tensor:
        """This part's share of the step's mean loss over the batch's label tokens."""
        whole = sum(len(self.cases.ids["train"][row]) for row in batch.whole.tolist())
        return self._total("train", batch.rows.numpy()) / whole

    def validation_loss(self) -> float:
        """Mean loss a label token of the validation split, in evaluation mode."""
        self.model.eval()
        total, count = 0.0, self.cases.count("val")
        with torch.inference_mode(), autocast(self.precision, self.device):
            for start in range(0, count, BATCH):
                total += float(self._total("val", np.arange(start, min(start + BATCH, count))))
        return total / sum(map(len, self.cases.ids["val"]))

    def texts(
        self, decodings: Sequence[str], progress: Callable[[int, int], None]
    ) -> Mapping[str, list[str]]:
        """Every decoding's captions of the test split.

        The language model runs in the recipe's precision outright from here on.
        """
        self.model.eval()
        if self.precision in DTYPES:
            self.model.bart.to(DTYPES[self.precision])
        count = self.cases.count("test")
        said: dict[str, list[str]] = {name: [] for name in decodings}
        with torch.inference_mode():
            for start in range(0, count, BATCH):
                rows = np.arange(start, min(start + BATCH, count))
                # One size for every batch: an image's bits do not depend on how many follow.
                padded = np.concatenate([rows, np.repeat(rows[:1], BATCH - len(rows))])
                encoded = self._encoded(padded)
                for name in decodings:
                    ids = generate(self.model.bart, encoded, name, self.cases.tokenizer)
                    said[name] += [self.cases.tokenizer.decode(row) for row in ids[: len(rows)]]
                progress(int(rows[-1]) + 1, count)
        return said

    def _encoded(self, rows: NDArray[np.int64]) -> Tensor:
        tokens = self.tokens.read("test", rows).to(self.device)
        with autocast(self.precision, self.device):
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
