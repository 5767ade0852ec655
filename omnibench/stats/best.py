"""Tell which models of a column may be its best, and between which ranks each of them lies."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from omnibench.stats.deciding import Contrasts, contrasts
from omnibench.stats.influence import Summary
from omnibench.stats.result import ALPHA, NO_SPREAD, SMALLEST_P, Floats

Place = Literal["best", "behind", "undecided", "incomplete", "untested"]
_DRAWS = 20_000
_SEED = 3


@dataclass(frozen=True)
class Standing:
    """Where a model stands among those of its column.

    Attributes:
        place: "best" for a member of the confidence set of the best; "behind" for one outside;
            "undecided" where the set holds every model that takes part; "incomplete" for one with
            fewer repetitions than asked for, which takes no part; "untested" for one that cannot,
            and for all where two differ by the same on every patient, which has no p.
        low, high: 95 % interval of its rank, 1 for the best; None where it takes no part.
        models: how many take part.
    """

    place: Place
    low: int | None = None
    high: int | None = None
    models: int = 0


def standings(models: Mapping[str, Summary], lower_is_better: bool) -> dict[str, Standing]:
    """Return where each of several complete models stands.

    The confidence set of the best leaves out a model that some other beats: one-sided tests of
    `contrasts`, their smallest p judged by its distribution over all rivals of that model at once,
    which are correlated. The true best is left out in at most 5 % of studies. A model with a better
    mean than a member is a member, so that noise is no advantage.

    A rank's interval counts the models that are better and that are worse by two-sided tests, joint
    over the rivals of that one model.

    Args:
        models: name -> influences, of the same patients; those with a value that is not finite are
            untested.

    Source:
        Comparison with the best: Hsu 1984 and Gupta 1965, unknown and unequal variances as in
        `contrasts`; ranks: Mogstad, Romano, Shaikh & Wilhelm 2024, section 3.2 (one population).
    """
    finite = {name: model for name, model in models.items() if np.isfinite(model.values).all()}
    places = {name: Standing("untested") for name in models}
    if len(finite) < 2:
        return places
    sign = -1.0 if lower_is_better else 1.0
    covariance = _covariance(finite)
    normal = _drawn(covariance)
    count = len(finite)
    means = {name: sign * model.mean for name, model in finite.items()}
    beaten, ranks = dict[str, bool](), dict[str, tuple[int, int]]()
    for k, name in enumerate(finite):
        rivals = [model for other, model in finite.items() if other != name]
        ahead = contrasts(finite[name], rivals)
        if ((ahead.error <= NO_SPREAD) & (np.abs(ahead.difference) > NO_SPREAD)).any():
            return places
        leads = _leads(normal, covariance, k)
        highest = leads.max(axis=0)
        z = sign * _as_normal(ahead)
        beaten[name] = _share(highest, float(-z.min())) < ALPHA
        largest = np.maximum(highest, -leads.min(axis=0))
        apart = np.array([_share(largest, abs(float(each))) < ALPHA for each in z])
        better, worse = int((apart & (z < 0)).sum()), int((apart & (z > 0)).sum())
        ranks[name] = (1 + better, count - worse)
    lowest = min(means[name] for name in finite if not beaten[name])
    best = {name for name in finite if means[name] >= lowest - NO_SPREAD}
    for name, (low, high) in ranks.items():
        place: Place = "best" if name in best else "behind"
        places[name] = Standing("undecided" if len(best) == count else place, low, high, count)
    return places


def _covariance(models: Mapping[str, Summary]) -> Floats:
    """Return the covariance of the models' means over new patients and runs: [K, K]."""
    rows = np.stack([model.row for model in models.values()])
    patients = min(model.patients for model in models.values())
    own = [max(0.0, model.of_runs - model.of_both) for model in models.values()]
    own = [0.0 if math.isnan(part) else part for part in own]
    return rows @ rows.T * (patients / (patients - 1)) + np.diag(own)


def _drawn(covariance: Floats) -> Floats:
    """Draw the means of all models where none differs: [K, draws]."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    rng = np.random.default_rng(_SEED)
    drawn: Floats = root @ rng.standard_normal((len(covariance), _DRAWS))
    return drawn


def _leads(drawn: Floats, covariance: Floats, k: int) -> Floats:
    """Return the standardised leads of all others over model k: [K - 1, draws]."""
    others = np.delete(np.arange(len(covariance)), k)
    variance = covariance[others, others] + covariance[k, k] - 2 * covariance[others, k]
    spread = np.sqrt(np.maximum(variance, 0.0))
    leads = drawn[others]
    leads -= drawn[k]
    leads /= np.where(spread > NO_SPREAD, spread, np.inf)[:, None]
    return leads


def _as_normal(ahead: Contrasts) -> Floats:
    """Return each t value as the normal value of the same p; 0 where no patient tells of it."""
    from scipy.special import ndtri_exp, stdtr

    still = ahead.error <= NO_SPREAD
    t = np.where(still, 0.0, ahead.difference / np.where(still, 1.0, ahead.error))
    sizes = -ndtri_exp(np.log(np.maximum(stdtr(ahead.df, -np.abs(t)), SMALLEST_P)))
    normal: Floats = np.sign(t) * sizes
    return normal


def _share(drawn: Floats, value: float) -> float:
    """Return the share of draws at or beyond a value, the value itself counted in."""
    return float((np.count_nonzero(drawn >= value) + 1) / (len(drawn) + 1))
