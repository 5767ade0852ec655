"""The linear probe that L-BFGS fits to its optimum, for every repetition and strength."""

from collections.abc import Iterator

import torch

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.frozen import UnitFeatures

from . import logistic
from .cases import Cases
from .linear import Standardise, as_targets
from .probes import Fit, best_candidate
from .recipes import LogisticRecipe


def fit_logistic(
    unit: Unit, features: UnitFeatures, cases: Cases, context: Context
) -> Iterator[Fit]:
    """Yield each repetition's fit.

    All strengths are fitted side by side, and one repetition after the other: as each has training
    images of its own, its bits do not depend on its company.
    """
    recipe = LogisticRecipe.model_validate(unit.recipe)
    # Apple's GPU has no float64.
    device = "cpu" if context.device.startswith("mps") else context.device
    arrays = {name: torch.from_numpy(array).to(device) for name, array in features.arrays.items()}
    targets = as_targets(cases.labels["train"], cases.classes).to(device)
    for repetition in unit.repetitions:
        subset = cases.subset(unit, repetition)
        rows = torch.from_numpy(subset.train).to(device)
        scale = Standardise.from_features(arrays["train"][rows])
        optima = logistic.fit(
            scale(arrays["train"][rows]),
            targets[rows],
            recipe.strengths,
            multi_label=cases.multi_label,
        )
        val = optima.logits(scale(arrays["val"][torch.from_numpy(subset.val).to(device)]))
        labels = cases.labels["val"][subset.val]
        best, quality = best_candidate(val, labels, recipe.selection)
        chosen = optima.at(best)
        tested = {n: array for n, array in arrays.items() if n not in ("train", "val")}
        logits = {name: chosen.logits(scale(array))[0] for name, array in tested.items()}
        stopped = [
            c for c, there in zip(recipe.strengths, optima.converged, strict=True) if not there
        ]
        yield Fit(
            repetition,
            subset,
            {n: own.float().cpu().numpy() for n, own in {"val": val[best], **logits}.items()},
            {"C": recipe.strengths[best], **quality},
            cases.classes * (features.width + 1),
            head=scale.folded(chosen.weight[0], chosen.bias[0]),
            notes={"lbfgs": {"iterations": list(optima.iterations), "not_converged": stopped}},
        )
