"""A repetition of `progression`: states are read out of maps, patients placed on one time axis."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from progression import NEEDS
from progression_dynamics import DYNAMICS, SPAN, STEP, YEARS, Dynamics, StagedExperts
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

import omnibench
from omnibench import Batch, Context, Dataset, Numbers, Outcome, Predictions, Unit

RIDGE = 1e-2  # of each feature's mean square
EARLY = 20  # one in so many visits, those of the least load, give the state that starts the axis
OFFSETS = torch.arange(0, YEARS - SPAN, 0.1)  # at which years of the axis first visits may be
Forest = tuple[dict[str, "Cohort"], Dataset, dict[str, str]]


class Cohort(NamedTuple):
    """The P patients of a split and their N visits, each patient's in order."""

    times: Tensor  # [N], years since the patient's first visit
    patient: Tensor  # [N], 0 to P - 1
    last: Tensor  # [P], places of patients' last visits
    states: Tensor  # [N, K], as they are read out of images
    truth: Tensor  # [N, K]
    laplacian: Tensor  # [P, K, K]
    onset: Tensor  # [P], years after the first visit


def cohorts_of(unit: Unit, context: Context) -> Forest:
    """Read states out of maps by ridge regression; return each split's patients, data, digests."""
    data = omnibench.unit_dataset(unit, context)
    maps = omnibench.unit_maps(unit, data.splits, context)
    loads = {name: data.target(name, "loads", Numbers).values for name in data.splits}

    def pooled(split: str) -> Tensor:
        """Return the mean maps of each region, a cell of a grid, and a one: [N, K, D + 1]."""
        grid = math.isqrt(loads[split].shape[1])
        levels = maps.read(split, np.arange(len(data.splits[split])))
        means = [adaptive_avg_pool2d(level.double(), grid).flatten(2) for level in levels]
        return torch.cat([*means, torch.ones_like(means[0][:, :1])], dim=1).mT

    for name, split in data.splits.items():
        visits, side = np.bincount(split.study_of_image), math.isqrt(loads[name][0].size)
        shapes = {2 * loads[name].shape[1:], data.target(name, "graph", Numbers).values.shape[1:]}
        if split.place is None or visits.min() < 2 or shapes != {2 * (side**2,)}:
            raise omnibench.errors.DataError(f"{name} of {data.card.id}: {NEEDS}")
    x = pooled("train").flatten(0, 1)
    gram, moment = x.T @ x, x.T @ torch.from_numpy(loads["train"]).flatten()
    weights = torch.linalg.pinv(gram + RIDGE * gram.diagonal().diag(), hermitian=True) @ moment
    cohorts = {}
    for name, split in data.splits.items():
        order = np.lexsort((np.asarray(split.place), split.study_of_image))
        patient, place = split.study_of_image[order], np.asarray(split.place)[order]
        last = np.bincount(patient).cumsum() - 1
        times = np.float32(place - place[np.append(0, last[:-1] + 1)][patient])
        if not times.max() <= SPAN:
            raise omnibench.errors.DataError(f"{name} of {data.card.id}: {NEEDS}")
        edges, onset = (data.target(name, key, Numbers).values for key in ("graph", "onset"))
        laplacian = np.float32(np.eye(edges.shape[1]) * edges.sum(axis=1)[:, None] - edges)
        states = (pooled(name) @ weights).clamp(0, 1).float().numpy()[order]
        truth = np.float32(loads[name][order])
        arrays = (times, patient, last, states, truth, laplacian, np.float32(onset))
        cohorts[name] = Cohort(*(torch.from_numpy(own).to(context.device) for own in arrays))
    return cohorts, data, {**data.digests, **maps.made.digests()}


def at(curve: Tensor, own: Cohort, begun: Tensor) -> Tensor:
    """Return the states [N, K] at visits, of curves [T, P, K] on which first visits are at [P]."""
    place = ((begun[own.patient] + own.times) / STEP).clamp(0, len(curve) - 1.001)
    lower, share = place.long(), place.frac()[:, None]
    return torch.lerp(curve[lower, own.patient], curve[lower + 1, own.patient], share)


def placed(curve: Tensor, own: Cohort, used: Tensor) -> Tensor:
    """Return the years [P] of the axis at which first visits fit best, by the visits [N] used."""
    zeros, errors = torch.zeros_like(own.onset), []
    for offset in OFFSETS.tolist():
        apart = (at(curve, own, zeros + offset) - own.states).square().sum(dim=1)
        errors.append(zeros.index_add(0, own.patient, apart * used))
    return OFFSETS.to(curve)[torch.stack(errors).argmin(dim=0)]


def stored(own: Cohort, data: Dataset, predicted: Tensor) -> dict[str, NDArray[Any]]:
    """Return what is stored of the predicted states [P, K] at last visits."""
    arrays = {"test_predicted": predicted, "test_truth": own.truth[own.last]}
    cases = {"test_case": np.arange(len(own.last)), "test_group": data.splits["test"].studies}
    return {**cases, **{name: array.cpu().numpy() for name, array in arrays.items()}}


def run_persistence(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield the outcome of the state at the visit before the last."""
    cohorts, data, digests = cohorts_of(unit, context)
    test = cohorts["test"]
    arrays = stored(test, data, test.states[test.last - 1])
    for repetition in unit.repetitions:
        yield Outcome(repetition, omnibench.score(unit.task, arrays), arrays, digests=digests)


class ProgressionTrial(omnibench.Trial):
    """Dynamics on one time axis, on which each patient is placed anew before each step."""

    model: Dynamics
    select, minimise = "mae", True  # of what `validate` returns

    def __init__(self, unit: Unit, context: Context, forest: Forest) -> None:
        self.recipe = omnibench.TrainingRecipe.model_validate(unit.recipe)
        self.cohorts, self.data, self.loaded_digests = forest
        self.coarse = 2.0 if unit.adaptation == "ode" else 0.05  # a free network is a map of steps
        train = self.cohorts["train"]
        self.count = len(train.onset)
        early = train.states.sum(dim=1).argsort()[: max(1, len(train.states) // EARLY)]
        self.model = DYNAMICS[unit.adaptation](train.states[early].mean(dim=0)).to(context.device)

    def loss(self, batch: Batch) -> Tensor:
        """Return a part's share of the mean squared error over all visits of the batch."""
        own = self.cohorts["train"]
        curve = self.model.curve(own.laplacian)
        begun = placed(curve.detach(), own, torch.ones_like(own.times))
        errors = (at(curve, own, begun) - own.states).square().mean(dim=1)
        part, whole = (torch.isin(own.patient.cpu(), rows) for rows in (batch.rows, batch.whole))
        return errors[part].sum() / whole.sum()

    @torch.inference_mode()
    def forecast(self, split: str) -> tuple[Tensor, Tensor]:
        """Return years [P] of first visits, by all visits but the last, and states at that one."""
        own = self.cohorts[split]
        curve = self.model.curve(own.laplacian)
        begun = placed(curve, own, torch.ones_like(own.times).index_fill(0, own.last, 0))
        return begun, at(curve, own, begun)[own.last]

    def validate(self) -> Mapping[str, float]:
        """Return what epochs are chosen by."""
        own = self.cohorts["val"]
        return {"mae": float((self.forecast("val")[1] - own.truth[own.last]).abs().mean())}

    @torch.inference_mode()
    def predict(self) -> Predictions:
        """Return what is stored; experts' weights, [2, E], are those early and late on the axis."""
        test, (begun, predicted) = self.cohorts["test"], self.forecast("test")
        finer = at(self.model.curve(test.laplacian, parts=2), test, begun)[test.last]
        if not (off := float((finer - predicted).abs().max())) < self.coarse:  # of NaN, too
            raise omnibench.errors.NumericError(f"halved steps change a state by {off}; lower lr")
        own = {"test_onset": -begun.cpu().numpy(), "test_true_onset": test.onset.cpu().numpy()}
        if isinstance(self.model, StagedExperts):
            weights = [self.model.weights(YEARS / 6), self.model.weights(YEARS * 5 / 6)]
            own["stage_weights"] = torch.stack(weights).detach().cpu().numpy()
        return {**stored(test, self.data, predicted), **own}

    def digests(self) -> Mapping[str, str]:
        """Return the hashes of what was really loaded."""
        return self.loaded_digests
