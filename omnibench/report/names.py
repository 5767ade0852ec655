"""What backbones and datasets are called where people read of them, and how LaTeX cites them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from omnibench.cards import Card, DatasetCard
from omnibench.report.results import Results
from omnibench.report.table import Table


@dataclass(frozen=True)
class Names:
    """Names and bib keys, each by the id of a card.

    Attributes:
        backbones, datasets: id -> name; an id without one is its own name.
        keys: id of a backbone -> key of its citation, where it has one.
    """

    backbones: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_cards(cls, cards: Iterable[Card]) -> "Names":
        """Return the names of a suite's backbones and datasets."""
        backbones, datasets = list[Card](), list[Card]()
        for card in cards:
            (datasets if isinstance(card, DatasetCard) else backbones).append(card)
        keys = {card.id: card.bib for card in backbones if card.bib}
        return cls(displayed(backbones), displayed(datasets), keys)

    def backbone(self, name: str) -> str:
        """Return what a backbone of this id is called."""
        return self.backbones.get(name, name)

    def dataset(self, name: str) -> str:
        """Return what a dataset of this id is called."""
        return self.datasets.get(name, name)

    def results(self, results: Results) -> Results:
        """Return results whose rows and datasets are called by their names."""
        rows = (replace(row, backbone=self.backbone(row.backbone)) for row in results.rows)
        columns = map(self.dataset, results.columns) if results.metric else results.columns
        return replace(results, rows=tuple(rows), columns=tuple(columns))

    def values(self, values: pd.DataFrame) -> pd.DataFrame:
        """Return a long table whose backbones and datasets are called by their names."""
        backbones, datasets = (values[name] for name in ("backbone", "dataset"))
        return values.assign(
            backbone=[self.backbone(name) for name in backbones],
            dataset=[self.dataset(name) for name in datasets],
        )

    def table(self, table: Table) -> Table:
        """Return a table whose cells below "backbone" and "dataset" are names."""
        calls = {"backbone": self.backbone, "dataset": self.dataset}
        rows = [
            replace(
                row,
                cells=tuple(
                    replace(cell, text=calls[head](cell.text)) if head in calls else cell
                    for head, cell in zip(table.heads, row.cells, strict=True)
                ),
            )
            for row in table.rows
        ]
        return replace(table, rows=tuple(rows))


NO_NAMES = Names()  # ids alone


def displayed(cards: Iterable[Card]) -> dict[str, str]:
    """Return id -> what each card is called; cards of one name are told apart by their ids."""
    names = {card.id: " ".join(card.display.split()) or card.id for card in cards}
    counts = Counter(names.values())
    counts.update(id for id, name in names.items() if name != id)  # nobody takes another's id
    return {
        id: name if name == id or counts[name] == 1 else f"{name} ({id})"
        for id, name in names.items()
    }
