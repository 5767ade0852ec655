"""`attention`: every query and head of a unit, repetitions x rates, trained in one batched pass."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.encoders.frozen import UnitFeatures
from omnibench.label_budget import WHOLE
from omnibench.tasks.classification.cases import Cases
from omnibench.tasks.classification.descent import descend, drawn, shuffled
from omnibench.tasks.classification.linear import (
    GROUP,
    Standardise,
    as_targets,
    sigmoid_slope,
    softmax_slope,
)
from omnibench.tasks.classification.probes import Fit, best_candidate
from omnibench.tasks.classification.recipes import LinearRecipe

from .bags import Layout, views_of, with_absent
from .pooling import attend, queries_of
from .studies import presence, slice_arrays


@dataclass(frozen=True)
class Studies:
    """What is trained on.

    Attributes:
        layout: of S studies.
        features: float32 [N + 1, D] of their slices, standardised; the last row stands for none.
        targets: float32 [S, C].
    """

    layout: Layout
    features: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Heads:
    """Trained heads of R repetitions and L rates.

    Attributes:
        query: [R, L, Q, D], as `pooling.attend` takes them.
        weight, bias: [R, L, C, D] and [R, L, C].
    """

    query: Tensor
    weight: Tensor
    bias: Tensor

    def answers(self, layout: Layout, features: Tensor, repetition: int) -> tuple[Tensor, Tensor]:
        """Return logits [L, S, C] and the weights of slices [L, S, V, T] of one repetition.

        Each study is pooled by itself, so that its bits are the same alone or in company.
        """
        query, weight = self.query[repetition], self.weight[repetition]
        studies, views, longest = layout.rows.shape
        logits = features.new_empty(len(query), studies, weight.shape[1])
        weights = features.new_zeros(len(query), studies, views, longest)
        for study in range(studies):
            pooled = attend(layout.slices(features, np.array([study])), query)
            own = torch.einsum("hd,hcd->hc", pooled.embedding[0], weight)
            logits[:, study] = own + self.bias[repetition]
            weights[:, study, :, : pooled.weights.shape[-1]] = pooled.weights[0]
        return logits, weights


def train_heads(
    studies: Studies,
    rates: Sequence[float],
    seeds: Sequence[int],
    order: int,
    *,
    epochs: int,
    batch: int,
    weight_decay: float,
    several: bool,
    steps: int | None = None,
) -> Heads:
    """Train by AdamW under a cosine schedule, all heads at once.

    They see the studies in one order, so that a batch of slices is read once for all of them.

    Args:
        rates: the L learning rates.
        seeds: of the draw of each of the R repetitions, which its rates share.
        order: seed of the order.
        several: whether targets are of labels, each by itself, not of classes.
        steps: of the optimiser, in as many epochs as that takes; None for those of `epochs`.

    Raises:
        NumericError: weights that are not finite.
    """
    device, width = studies.features.device, studies.features.shape[1]
    count, classes = studies.targets.shape
    queries = queries_of(studies.layout.rows.shape[1])
    parts = [drawn(seed, classes, queries, width, len(rates)) for seed in seeds]
    slope = sigmoid_slope if several else softmax_slope
    batch = min(batch, count)
    steps = epochs * math.ceil(count / batch) if steps is None else steps

    def gradients(epoch: int, rows: Tensor, parts: Sequence[Tensor]) -> Sequence[Tensor]:
        query, weight, bias = parts
        pooled = attend(studies.layout.slices(studies.features, rows[0].numpy()), query)
        logits = torch.einsum("bhd,hcd->hcb", pooled.embedding, weight) + bias
        truth = studies.targets[rows[0].to(device)].T[None, None]
        error = slope(logits.detach()[None], truth, epoch)[0] / rows.shape[1]
        return torch.autograd.grad(logits, tuple(parts), error)

    query, weight, bias = (
        part.unflatten(0, (len(seeds), -1))
        for part in descend(
            [torch.cat(part).to(device) for part in zip(*parts, strict=True)],
            torch.tensor(rates, device=device).repeat(len(seeds)).view(-1, 1, 1),
            shuffled(count, batch, steps, [order]),
            gradients,
            steps=steps,
            weight_decay=weight_decay,
        )
    )
    return Heads(query, weight, bias[..., 0])


def fit_attention(
    unit: Unit, features: UnitFeatures, cases: Cases, context: Context
) -> Iterator[Fit]:
    """Yield each repetition's fit of a query, or queries, and a linear layer on what they pool."""
    recipe = LinearRecipe.model_validate(unit.recipe)
    views = views_of(cases.dataset)
    layouts = {n: Layout.from_split(own, views) for n, own in cases.dataset.splits.items()}
    arrays = {
        name: torch.from_numpy(array).to(context.device) for name, array in features.arrays.items()
    }
    targets = as_targets(cases.labels["train"], cases.classes).to(context.device)
    for members in _groups(unit):
        subsets = [cases.subset(unit, repetition) for repetition in members]
        train, steps = subsets[0].train, _steps(recipe, subsets[0])
        layout = Layout(layouts["train"].images, layouts["train"].rows[train])
        scale = Standardise.from_features(arrays["train"][_images(layout)])
        heads = train_heads(
            Studies(layout, with_absent(scale(arrays["train"])), targets[train]),
            recipe.rates,
            [unit.seed("head", k) for k in members],
            unit.seed("order", members[0]),
            epochs=recipe.epochs,
            batch=recipe.batch,
            weight_decay=recipe.weight_decay,
            several=cases.multi_label,
            steps=steps,
        )
        batch = min(recipe.batch, len(train))
        made = steps or recipe.epochs * math.ceil(len(train) / batch)
        scaled = {name: with_absent(scale(arrays[name])) for name in ("val", "test")}
        for slot, (repetition, subset) in enumerate(zip(members, subsets, strict=True)):
            if repetition not in unit.repetitions:
                continue
            answers = {n: heads.answers(layouts[n], own, slot) for n, own in scaled.items()}
            logits = {name: own for name, (own, _) in answers.items()}
            logits["val"] = logits["val"][:, subset.val]
            labels = cases.labels["val"][subset.val]
            best, quality = best_candidate(logits["val"], labels, recipe.selection)
            weights = answers["test"][1][best].cpu().numpy()
            yield Fit(
                repetition,
                subset,
                {name: own[best].cpu().numpy() for name, own in logits.items()},
                {"lr": recipe.rates[best], **quality},
                cases.classes * (features.width + 1) + queries_of(len(views)) * features.width,
                {"batch_used": batch, "steps": made},
                {
                    **presence(layouts["test"], views),
                    **slice_arrays(layouts["test"], cases.dataset.splits["test"], weights),
                },
            )


def _groups(unit: Unit) -> Iterator[Sequence[int]]:
    """Yield the repetitions that are trained in one pass: of a label budget each by itself.

    Of all labels they are always trained in these groups, asked for or not, since the last bits of
    one depend on how many lie beside it.
    """
    if unit.labels != WHOLE:
        yield from ((repetition,) for repetition in unit.repetitions)
        return
    for group in sorted({repetition // GROUP for repetition in unit.repetitions}):
        yield range(group * GROUP, (group + 1) * GROUP)


def _steps(recipe: LinearRecipe, subset: Subset) -> int | None:
    """Return the steps of a budget of steps, as many as of all labels; None of one of epochs."""
    if recipe.budget == "epochs":
        return None
    return recipe.epochs * math.ceil(subset.whole / recipe.batch)


def _images(layout: Layout) -> NDArray[np.int64]:
    """Return the images of a layout, in their order in the split."""
    return np.sort(layout.rows[layout.there])
