"""What a report says of test images beyond a dataset's own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnibench.report import corruption_tables, mix_tables
from omnibench.report.corruptions import CorruptedDataset, corrupted_datasets
from omnibench.report.delimited import to_csv
from omnibench.report.external import external_tables
from omnibench.report.further import further_tables
from omnibench.report.mixes import MixedDataset, mixed_datasets
from omnibench.report.table import Table

if TYPE_CHECKING:
    from omnibench.report.study import Study


@dataclass(frozen=True, eq=False)
class Beyond:
    """Corrupted test images, mixes of qualities, other datasets and other views, each by dataset.

    Attributes:
        tables: of all four.
    """

    corrupted: Sequence[CorruptedDataset]
    mixed: Sequence[MixedDataset]
    tables: Sequence[Table]

    @classmethod
    def from_study(cls, study: "Study") -> "Beyond":
        """Read what the finished units predicted on other images than the test images."""
        corrupted, mixed = list(corrupted_datasets(study)), list(mixed_datasets(study))
        tables = [
            *map(corruption_tables.corruption_table, corrupted),
            *(table for made in mixed for table in mix_tables.mix_tables(made)),
            *external_tables(study),
            *further_tables(study),
        ]
        return cls(corrupted, mixed, list(map(study.names.table, tables)))

    def csv_files(self) -> Iterator[tuple[str, str]]:
        """Yield the stem and the text of each CSV that there is something for."""
        if self.corrupted:
            yield corruption_tables.STEM, to_csv(corruption_tables.long_table(self.corrupted))
        if self.mixed:
            yield mix_tables.STEM, to_csv(mix_tables.long_table(self.mixed))
