"""The prevalence at which a suite wants predictive values. No torch here."""

from collections.abc import Mapping

from omnibench.cards import DatasetCard
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean


def refuse_prevalence(prevalence: Mapping[str, float], datasets: Mapping[str, DatasetCard]) -> None:
    """Refuse a prevalence of what is no dataset of two classes.

    Args:
        prevalence: dataset -> share of the second class.
        datasets: of the suite, by id.

    Raises:
        RequestError: naming the dataset.
    """
    for name in prevalence:
        where = f"report.prevalence: '{name}'"
        if name not in datasets:
            raise RequestError(
                f"{where} is not among the suite's datasets{did_you_mean(name, datasets)}"
            )
        card = datasets[name]
        if card.labels == "multi-label" or (card.classes and len(card.classes) != 2):
            raise RequestError(
                f"{where} has {len(card.classes)} "
                f"{'labels' if card.labels == 'multi-label' else 'classes'}; a prevalence is of "
                "datasets with two classes"
            )
