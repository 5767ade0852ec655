"""A repetition of `localisation`: System I is trained, a verifier; System II thinks later."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import default_rng
from numpy.typing import NDArray
from selfplay import ALIKE, FLIPPED, UPDATES, VIEWS, overlap
from selfplay_game import best_threshold, self_play
from torch import Tensor, nn
from torch.nn import functional

import omnibench
from omnibench import ArrayImages, Batch, Context, Fitted, Masks, Predictions, Split, Trial, Unit

MIRRORS = ((2,), (1,), (1, 2))  # the axes along which images [N, H, W] are flipped
VOID = 255  # of mask values: pixels that count for nothing
Arrays = Mapping[str, NDArray[Any]]


class Seen(NamedTuple):
    """What the repetitions of a unit share.

    Attributes:
        tokens: [N, h, w, D] of the images of a split, and of the test's as MIRRORS has them, as
            "test-1" and on; standardised by all patches of the training images.
        shows: [N] of the images of a split, whether they show the object.
        truth: [N, H, W] where the object is in the test images, and which of their pixels count.
        own: what is stored of the test images: `case`, `present` and, where known, `group`.
    """

    tokens: Arrays
    shows: Arrays
    truth: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    own: Arrays
    backbone_flops: float
    digests: Mapping[str, str]


def prepare(unit: Unit, context: Context) -> Callable[[int], Trial]:
    """Read tokens of all images, and of the test's flipped ones, once for all repetitions.

    They are of a ViT the last block's, of a CNN those of a stride of 16.

    Raises:
        DataError: all training images show the object, or none does.
    """
    data = omnibench.unit_dataset(unit, context)
    splits, test = dict(data.splits), data.splits["test"]
    for place, axes in enumerate(MIRRORS, start=1):
        flipped = np.flip(test.images.read(0, len(test)), axes)
        splits[f"test-{place}"] = Split(ArrayImages(flipped))
    maps = omnibench.unit_maps(unit, splits, context)
    every = {name: maps.read(name, np.arange(len(split))) for name, split in splits.items()}
    level = -1 if maps.tokens else 1
    tokens = {n: levels[level].permute(0, 2, 3, 1).float().numpy() for n, levels in every.items()}
    centre, spread = (f(tokens["train"], axis=(0, 1, 2)) for f in (np.mean, np.std))
    scale = np.maximum(spread, 0.1 * spread.mean())
    images = {name: data.target(name, "masks", Masks).images for name in data.splits}
    masks = {name: each.read(0, each.shape[0]) for name, each in images.items()}
    number, name = len(data.card.mask_classes) - 1, data.card.mask_classes[-1]
    shows = {split: (mask == number).any(axis=(1, 2)) for split, mask in masks.items()}
    if len(np.unique(shows["train"])) == 1:
        raise omnibench.errors.DataError(f"{data.card.id}: {ALIKE.format(name)}")
    seen = Seen(
        tokens={name: (array - centre) / scale for name, array in tokens.items()},
        shows=shows,
        truth=(masks["test"] == number, masks["test"] != VOID),
        own={"present": shows["test"], "case": np.arange(len(test))}
        | ({} if test.groups is None else {"group": test.groups}),
        backbone_flops=maps.made.cost()["flops"] / maps.made.images,
        digests={**data.digests, **maps.made.digests()},
    )
    return lambda repetition: LocalisationTrial(unit, context, repetition, seen)


class LocalisationTrial(Trial):
    """A linear layer on pooled tokens, under cross-entropy with whether the object is there."""

    select, minimise = "loss", True

    def __init__(self, unit: Unit, context: Context, repetition: int, seen: Seen) -> None:
        self.recipe = omnibench.TrainingRecipe.model_validate(unit.recipe)
        self.seen, self.seed, self.seconds = seen, unit.seed("self-play", repetition), 0.0
        self.pooled, self.shows = (
            {s: torch.from_numpy(array).float().to(context.device) for s, array in arrays.items()}
            for arrays in ({s: a.mean(axis=(1, 2)) for s, a in seen.tokens.items()}, seen.shows)
        )
        self.count, width = self.pooled["train"].shape
        self.model = nn.Linear(width, 1).to(context.device)

    def error(self, split: str, rows: Tensor | slice) -> Tensor:
        """Return the mean cross-entropy of images of a split."""
        logits = self.model(self.pooled[split][rows])[:, 0]
        return functional.binary_cross_entropy_with_logits(logits, self.shows[split][rows])

    def loss(self, batch: Batch) -> Tensor:
        """Return a part's share of the batch's loss: the parts are summed."""
        rows = batch.rows.to(self.shows["train"].device)
        return self.error("train", rows) * len(rows) / len(batch.whole)

    @torch.inference_mode()
    def validate(self) -> Mapping[str, float]:
        """Return what epochs are chosen by."""
        return {"loss": float(self.error("val", slice(None)))}

    def predict(self) -> Predictions:
        """Return what System I answers of each test image and, as views, System II and rivals."""
        weight, bias = (p.detach().cpu().double().numpy() for p in self.model.parameters())
        tokens = self.seen.tokens["test"].astype(np.float64)
        logits = {name: array @ weight[0] + bias for name, array in self.seen.tokens.items()}
        absent = logits["train"][~self.seen.shows["train"]]
        turned = [logits["test"]]
        turned += [np.flip(logits[f"test-{k}"], axes) for k, axes in enumerate(MIRRORS, start=1)]
        of_views = {"": logits["test"]}
        of_views |= {f"tta{n}": np.mean(turned[:n], axis=0) for n in FLIPPED}
        verdicts = {view: array.mean(axis=(1, 2)) for view, array in of_views.items()}
        # Where the verifier does not see the object in the whole image, there is no answer.
        answers = {v: (a > 0) & (verdicts[v] > 0)[:, None, None] for v, a in of_views.items()}
        answers |= {view: np.zeros_like(answers[""]) for view in VIEWS if view not in answers}
        began = time.perf_counter()
        for case in np.flatnonzero(verdicts[""] > 0):
            start = logits["test"][case].ravel() / absent.std()
            evidence = start - absent.mean() / absent.std()
            seen, random = tokens[case].reshape(len(start), -1), default_rng([self.seed, int(case)])
            for updates, chosen in self_play(seen, start, evidence, UPDATES, random).items():
                answers[f"s{updates}"][case].flat = chosen
            answers["threshold"][case].flat = best_threshold(evidence)
        self.seconds = (time.perf_counter() - began) / len(tokens)
        counts = {view: self.counts(chosen) for view, chosen in answers.items()}
        curve = [overlap({"test_counts": counts[f"s{updates}"]})["dice"] for updates in UPDATES]
        size, patches = tokens[0].size, logits["test"][0].size
        flops = {f"s{n}": 4.0 * size * n for n in UPDATES} | {"threshold": 2.0 * patches**2}
        flops |= {f"tta{n}": (n - 1) * (self.seen.backbone_flops + 2 * size) for n in FLIPPED}
        arrays = {f"test_{name}": array for name, array in self.seen.own.items()}
        for view, array in counts.items():
            at = f"@{view}" if view else ""
            arrays[f"test_counts{at}"] = array
            arrays[f"test_verdict{at}"] = verdicts.get(view, verdicts[""])
        further = {f"test_mflop@{view}": np.full(len(tokens), n / 1e6) for view, n in flops.items()}
        return {**arrays, **further, "test_curve": np.stack(curve, axis=1)}

    def counts(self, answers: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return hits, wrong, missed and other pixels [N, 4] of patches [N, h, w]."""
        truth, known = self.seen.truth
        sizes = zip(truth.shape[1:], answers.shape[1:], strict=True)
        rows, columns = (np.arange(pixels) * patches // pixels for pixels, patches in sizes)
        given = answers[:, rows][:, :, columns]
        parts = (given & truth, given & ~truth, ~given & truth, ~given & ~truth)
        return np.stack([(part & known).sum(axis=(1, 2)) for part in parts], axis=1)

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        """Return how long System II thought of a test image, with its rival `threshold`."""
        return {"thinking_ms_per_image": 1e3 * self.seconds}

    def digests(self) -> Mapping[str, str]:
        """Return the hashes of what was really loaded."""
        return self.seen.digests
