"""Captioning metrics from stored texts. Fractions of 1; CIDEr-D runs to 10, lengths in tokens.

Predictions hold arrays of N texts: `test_reference`, `test_reference_cut` (the reference cut at 128
tokens of the language model and put together again) and `test_text`, what one decoding generated.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Metric, Predictions, metrics_of_pass

from . import diversity
from .bleu import bleu
from .cider import cider_d
from .meteor import meteor
from .rouge import rouge_l
from .slots import most_frequent, slot_matches

Floats = NDArray[np.float64]
Texts = Sequence[str]
PerCaption = Callable[[Texts, Texts], Mapping[str, Floats | None]]
OverSet = Callable[[Texts, Texts], Mapping[str, float | None]]


def study_bleu(references: Texts, texts: Texts) -> dict[str, float | None]:
    """BLEU-4, and what Table 12 prints as "BLEU-1" and "BLEU-4": precisions without a penalty."""
    scored = bleu(references, texts)
    return {
        "bleu": scored.cumulative[3],
        "precision-1": scored.precisions[0],
        "precision-4": scored.precisions[3],
    }


def cumulative_bleu(references: Texts, texts: Texts) -> dict[str, float | None]:
    """BLEU-1 to BLEU-4."""
    return {f"bleu-{n}": value for n, value in enumerate(bleu(references, texts).cumulative, 1)}


def variety(references: Texts, texts: Texts) -> dict[str, float | None]:
    """What is no mean over captions; see `diversity`."""
    return {
        "distinct-1": diversity.distinct(texts, 1),
        "distinct-2": diversity.distinct(texts, 2),
        "distinct-captions": diversity.distinct_captions(texts),
        "length-ratio": diversity.length_ratio(references, texts),
    }


def _metrics(
    definition: str,
    names: Sequence[str],
    per_caption: PerCaption,
    over_set: OverSet = lambda references, texts: {},
    reference: str = "test_reference",
    **facts: Any,
) -> tuple[Metric, ...]:
    """Return metrics that are means over captions (None: undefined) or of the whole set."""

    def both(predictions: Predictions) -> tuple[list[str], list[str]]:
        return [str(t) for t in predictions[reference]], [str(t) for t in predictions["test_text"]]

    def per_case(predictions: Predictions) -> dict[str, Floats]:
        scored = per_caption(*both(predictions))
        return {name: values for name, values in scored.items() if values is not None}

    def compute(predictions: Predictions) -> dict[str, float | None]:
        means = {
            name: None if values is None else float(values.mean())
            for name, values in per_caption(*both(predictions)).items()
        }
        return {**means, **over_set(*both(predictions))}

    return metrics_of_pass(definition, names, compute, per_case=per_case, **facts)


STUDY = ("meteor", "bleu", "precision-1", "precision-4", "rouge-l")
OWN = ("meteor", "bleu-4", "rouge-l", "cider-d")
SLOTS = ("modality", "plane", "organ", "side", "lesion", "size", "place")
METRICS = (
    *_metrics(
        "omnirad-captioning",
        STUDY,
        lambda *both: {"meteor": meteor(*both), "rouge-l": rouge_l(*both)},
        study_bleu,
        reference="test_reference_cut",
        reported=STUDY,
    ),
    *_metrics(
        "omnibench-captioning",
        (*OWN, "bleu-1", "bleu-2", "bleu-3"),
        lambda *both: {
            "meteor": meteor(*both),
            "rouge-l": rouge_l(*both),
            "cider-d": cider_d(*both),
        },
        cumulative_bleu,
        reported=OWN,
    ),
    *_metrics(
        "caption-diversity",
        ("distinct-captions", "distinct-1", "distinct-2", "length-ratio", "empty"),
        lambda _, texts: {"empty": diversity.empty(texts)},
        variety,
        reported=("distinct-captions",),
        down=("empty",),
        neither=("length-ratio",),
    ),
    *_metrics(
        "caption-length",
        ("length",),
        lambda _, texts: {"length": diversity.lengths(texts)},
        neither=("length",),
        unit="tokens",
    ),
    *_metrics(
        "phantom-slots",
        SLOTS,
        slot_matches,
        reported=("organ", "side", "lesion"),
        chance=most_frequent,
    ),
)
