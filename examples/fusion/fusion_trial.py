"""A repetition of `fusion`: a linear head, and the variances of its answers over variants."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from fusion_variants import VERSION, Variants, hashed, text_variants, words_of
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor, nn
from torch.nn import functional

import omnibench
from omnibench import Batch, Context, Labels, Predictions, Split, Texts, Trial, Unit

# Of N cases, each itself and then its n variants (none in training): `images` [N, 1 + n, D] and
# `texts` [N, 1 + n, F]; and `labels`, `case` and, where known, `group` [N].
Cases = Mapping[str, NDArray[Any]]


def prepare(unit: Unit, context: Context) -> Callable[[int], Trial]:
    """Read cases and embed their images and variants, once for all repetitions."""
    data = omnibench.unit_dataset(unit, context)
    views = omnibench.view_splits(unit, data, context)  # of other datasets, as `test_on` says
    every = {n: (unit, s, s, np.arange(len(s))) for n, s in data.splits.items()}
    every |= {f"test@{n}": (v.unit, v.whole, v.split, v.rows) for n, v in views.items()}
    counts = {name: 1 if name == "train" else 1 + unit.options["n"] for name in every}
    shown, owners = {}, {}
    for name, (owner, whole, _, _) in every.items():
        shown[name] = Split(Variants(whole.images, counts[name]))
        owners[name] = (owner, f"{name.partition('@')[0]}-{counts[name]}-variants-{VERSION}")
    features = omnibench.unit_features(unit, shown, context, owners)
    centre, spread = (f(features.arrays["train"], axis=0) for f in (np.mean, np.std))
    scale = np.maximum(spread, 0.1 * spread.mean())  # so that no variant leaves it far behind
    answers = {*data.card.classes, *(c for v in views.values() for c in v.unit.dataset.classes)}
    parts: dict[str, Cases] = {}
    for name, (_, _, split, rows) in every.items():
        images = (features.arrays[name] - centre) / scale
        count, texts = counts[name], split.target("captions", Texts).values
        words = zip(rows.tolist(), (words_of(text, answers) for text in texts), strict=True)
        varied = (text_variants(each, count, unit.options["drop"], row) for row, each in words)
        parts[name] = {
            "images": images.reshape(-1, count, images.shape[1])[rows],
            "texts": np.stack([hashed(variants) for variants in varied]),
            "labels": split.target("labels", Labels).values,
            "case": np.arange(len(split)),
            **({} if split.groups is None else {"group": split.groups}),
        }
    width = sum(parts["train"][name].shape[-1] for name in ("images", "texts"))
    shape, digests = (width, len(data.card.classes)), {**data.digests, **features.made.digests()}
    return lambda _: FusionTrial(unit, parts, nn.Linear(*shape).to(context.device), digests)


class FusionTrial(Trial):
    """A linear layer under cross-entropy, on an image's embedding beside its text's n-grams."""

    def __init__(
        self, unit: Unit, parts: Mapping[str, Cases], head: nn.Linear, digests: Mapping[str, str]
    ) -> None:
        self.recipe = omnibench.TrainingRecipe.model_validate(unit.recipe)
        self.parts, self.model, self.loaded_digests = parts, head, digests
        train, device = parts["train"], head.weight.device
        inputs = np.concatenate([train["images"], train["texts"]], axis=-1)[:, 0]
        self.inputs = torch.from_numpy(inputs).float().to(device)
        self.labels = torch.from_numpy(train["labels"]).to(device)
        self.count = len(inputs)

    def loss(self, batch: Batch) -> Tensor:
        """Return a part's share of the batch's loss: the parts are summed."""
        rows = batch.rows.to(self.labels.device)
        logits = self.model(self.inputs[rows])
        return functional.cross_entropy(logits, self.labels[rows]) * len(rows) / len(batch.whole)

    def predict(self) -> Predictions:
        """Return labels, answers and variances of the cases of validation, test and views."""
        weight, bias = (p.detach().cpu().double().numpy() for p in self.model.parameters())
        arrays: dict[str, NDArray[Any]] = {}
        for name in self.parts.keys() - {"train"}:
            own = dict(self.parts[name])
            image, text = own.pop("images"), own.pop("texts")
            images = image @ weight[:, : image.shape[-1]].T
            texts = text @ weight[:, image.shape[-1] :].T + bias
            own |= {"logits": images[:, 0] + texts[:, 0], **variances(images, texts)}
            split, at, view = name.partition("@")
            arrays |= {f"{split}_{key}{at}{view}": array for key, array in own.items()}
        return arrays

    def digests(self) -> Mapping[str, str]:
        """Return the hashes of what was really loaded."""
        return self.loaded_digests


def variances(images: NDArray[Any], texts: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the unbiased variances [N, K, 3] of probabilities and of logits over n variants.

    They are of image, text and both varied, from the two parts' logits [N, 1 + n, K]. Variant i of
    both is variant i of each: were the pairs drawn anew, the samples' own scatter in V_I and V_T
    would pull b1 and b2 towards 0.
    """
    image, text = images[:, 1:], texts[:, 1:]
    logits = (image + texts[:, :1], images[:, :1] + text, image + text)
    answers = [softmax(part, axis=-1) for part in logits]
    return {
        name: np.stack([part.var(axis=1, ddof=1) for part in parts], axis=-1)
        for name, parts in (("variances", answers), ("logit_variances", logits))
    }
