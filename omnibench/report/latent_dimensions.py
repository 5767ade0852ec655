"""The dimensions that the features of a latent space fill, by backbone, as a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omnibench.report.latent import Space
from omnibench.report.table import DASH, Table
from omnibench.stats.dimension import (
    CONSTANT,
    ONE_DIRECTION,
    Spread,
    effective_rank,
    intrinsic_dimension,
    spread,
)


@dataclass(frozen=True)
class Dimensions:
    """What a backbone's features fill.

    Attributes:
        width: D.
        intrinsic, rank: None where undefined.
    """

    width: int
    intrinsic: float | None
    rank: float | None
    spread: Spread

    @property
    def measures(self) -> dict[str, float | None]:
        """Return the numbers by the names that the CSV has."""
        return {
            "intrinsic_dimension": self.intrinsic,
            "effective_rank": self.rank,
            "first_direction": self.spread.first,
            "relative_variance": self.spread.relative,
        }


def dimensions_of(space: Space) -> dict[str, Dimensions]:
    """Return what each backbone's features fill."""
    return {
        backbone: Dimensions(
            features.shape[1],
            intrinsic_dimension(features),
            effective_rank(features),
            spread(features),
        )
        for backbone, features in space.features.items()
    }


def dimensions_table(title: str, measured: Mapping[str, Dimensions], images: int) -> Table:
    """Return a row a backbone."""
    heads = (
        *("backbone", "width", "intrinsic dimension", "effective rank", "at most"),
        *("first direction", "relative variance", "collapse"),
    )
    rows = [
        (
            backbone,
            str(own.width),
            _text(own.intrinsic, "{:.1f}"),
            _text(own.rank, "{:.1f}"),
            str(min(own.width, images)),
            _text(own.spread.first, "{:.3f}"),
            _text(own.spread.relative, "{:.2g}"),
            own.spread.collapse or "no",
        )
        for backbone, own in measured.items()
    ]
    caption = (
        f"Of the same n = {images} images' features. Intrinsic dimension: TwoNN (Facco et al. "
        "2017), from the distances to the two nearest neighbours; high ones are underestimated "
        "from few images. Effective rank: RankMe (Garrido et al. 2023), the exponential of the "
        "entropy of the singular values' shares, features not centred; at most the smaller of "
        "width and n. First direction: share of the variance along the first principal direction. "
        "Relative variance: that about the mean, of the mean squared length. Collapse, by "
        f"convention: constant where the relative variance is {CONSTANT:g} or less, one "
        f"direction where that has {ONE_DIRECTION:.0%} of the variance or more."
    )
    return Table.from_texts(f"{title}: dimensions", heads, tuple(rows), caption)


def dimension_rows(measured: Mapping[str, Dimensions]) -> Iterator[dict[str, Any]]:
    """Yield rows of the CSV."""
    for backbone, own in measured.items():
        for measure, value in own.measures.items():
            yield {"measure": measure, "backbone": backbone, "value": value}


def _text(value: float | None, form: str) -> str:
    return DASH if value is None else form.format(value)
