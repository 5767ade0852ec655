"""The captions of a dataset as token ids, and what is stored of generated ones."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.data import Dataset, Texts
from omnibench.data.columns import stored

from .tokenizer import CaptionTokenizer

log = logging.getLogger("omnibench")
IGNORED = -100  # a label that no loss is taken of


@dataclass(frozen=True)
class Cases:
    """A dataset and the ids of its captions, cut to a length.

    Attributes:
        cut: how many captions of each split were longer.
    """

    dataset: Dataset
    tokenizer: CaptionTokenizer
    ids: Mapping[str, Sequence[list[int]]]
    cut: Mapping[str, int]

    @classmethod
    def from_dataset(cls, dataset: Dataset, tokenizer: CaptionTokenizer, most: int) -> "Cases":
        """Tokenize every caption; those longer than `most` tokens are cut, counted and named."""
        ids = {
            name: [tokenizer.encode(caption, most) for caption in captions_of(dataset, name)]
            for name in dataset.splits
        }
        cut = {
            name: sum(tokenizer.length(caption) > most for caption in captions_of(dataset, name))
            for name in dataset.splits
        }
        if any(cut.values()):
            counts = ", ".join(f"{count} of {name}" for name, count in cut.items() if count)
            log.warning("%s: captions cut to %d tokens: %s", dataset.card.id, most, counts)
        return cls(dataset, tokenizer, ids, cut)

    def count(self, split: str) -> int:
        """Number of images of a split."""
        return len(self.ids[split])

    def words(self, split: str, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """What the decoder reads and what it is to say next, [B, L] each, padded at the end.

        It reads the caption's ids behind one more begin; labels beyond the end are ignored.
        """
        chosen = [self.ids[split][row] for row in rows]
        longest = max(map(len, chosen))
        labels = torch.full((len(chosen), longest), IGNORED)
        read = torch.full((len(chosen), longest), self.tokenizer.pad)
        for place, ids in enumerate(chosen):
            labels[place, : len(ids)] = torch.tensor(ids)
            read[place, : len(ids)] = torch.tensor([self.tokenizer.bos, *ids[:-1]])
        return read, labels

    def predictions(self, texts: Mapping[str, Sequence[str]]) -> dict[str, NDArray[Any]]:
        """The arrays stored beside a record, a test image a row.

        Args:
            texts: decoding -> the N generated captions.
        """
        split = self.dataset.splits["test"]
        references = captions_of(self.dataset, "test")
        cut = [self.tokenizer.decode(ids) for ids in self.ids["test"]]
        arrays: dict[str, NDArray[Any]] = {"test_case": np.arange(len(split), dtype=np.int64)}
        if split.groups is not None:
            arrays["test_group"] = split.groups.astype(object)
        arrays |= stored(split)
        arrays["test_reference"] = np.array(references, object)
        arrays["test_reference_cut"] = np.array(cut, object)
        for name, generated in texts.items():
            arrays[f"test_text@{name}"] = np.array(generated, object)
        return arrays


def captions_of(dataset: Dataset, split: str) -> tuple[str, ...]:
    """A split's captions.

    Raises:
        DataError: it has none.
    """
    return dataset.target(split, "captions", Texts).values
