"""The datasets and weights that suites ask for, for `data fetch` and `weights fetch`."""

import fnmatch
from pathlib import Path

from omnibench.cards import DatasetCard, WeightsCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.data import sources
from omnibench.options import places
from omnibench.session import Session
from omnibench.suite import shipped

Stock = tuple[list[DatasetCard], list[WeightsCard]]


def of_suites(name: str, session: Session) -> Stock:
    """Return what the suites of a name, a glob or a file ask for, each card once.

    Nothing where no suite is called so. Weights that a suite makes itself are not among them.

    Raises:
        RequestError: the suite's file is wrong.
    """
    names = [suite for suite in shipped() if fnmatch.fnmatchcase(suite, name)]
    if not names and Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        names = [name]
    datasets: dict[str, DatasetCard] = {}
    backbones: dict[str, WeightsCard] = {}
    for suite in names:
        for unit in session.suite(suite)[1]:
            datasets |= {card.id: card for card in _datasets(unit)}
            backbones |= {card.id: card for card in _weights(unit)}
    return list(datasets.values()), list(backbones.values())


def _datasets(unit: Unit) -> list[DatasetCard]:
    """Its dataset, or the members of a pool; and those that its options name."""
    kinds = places(tasks.get(unit.task).adaptations[unit.adaptation].options)
    named = [unit.options[name] for name, kind in kinds.items() if kind.holds == "dataset"]
    return [
        *(unit.dataset.members or (unit.dataset,)),
        *(sources.resolve(name) for name in named if name is not None),
    ]


def _weights(unit: Unit) -> list[WeightsCard]:
    """Its backbone unless a pretraining of the suite leaves it; and a language model."""
    loads = tasks.get(unit.task).adaptations[unit.adaptation].loads
    backbone = [] if unit.after else [unit.backbone]
    return [*backbone, *([loads] if loads else [])]
