"""From a page's parts to one HTML file."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnibench.report.page.pictures import Image
from omnibench.report.samples.write import Link
from omnibench.report.table import Table
from omnibench.report.words import CONTROLS

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """What the template shows.

    Attributes:
        summary: sentences under the title.
        results: the printed tables.
        across: what is said over several datasets.
        subgroups: of each dataset whose columns are stored.
        calibration: of each dataset's classifiers.
        comparisons, failures: None where there is nothing to say.
        latent: tables with their picture, if they have one.
        reproduction: published numbers beside one's own.
        samples: pages of test cases beside it.
        left_out: what of the pictures is not shown, and where it lies.
        facts: tables of costs, environment, data.
        methods: paragraphs.
    """

    name: str
    summary: Sequence[str]
    results: Sequence[Table]
    methods: Sequence[str]
    comparisons: Table | None = None
    comparison_notes: Sequence[str] = ()
    across: Sequence[Table] = ()
    subgroups: Sequence[Table] = ()
    calibration: Sequence[Table] = ()
    reproduction: Sequence[Table] = ()
    figures: Sequence[Image] = ()
    figure_notes: Sequence[str] = ()
    latent: Sequence[tuple[Table, Image | None]] = ()
    pictures: Sequence[Image] = ()
    left_out: str = ""
    samples: Sequence[Link] = ()
    failures: Table | None = None
    data: Sequence[Table] = ()
    costs: Table | None = None
    environment: Table | None = None
    footer: Sequence[str] = field(default_factory=tuple)


def to_html(page: Page) -> bytes:
    """Return the page in UTF-8: one file that holds its style, its script and its pictures.

    Its own policy forbids every request, and every script but the one inside.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    environment.filters["widths"] = _widths
    text = environment.get_template("page.html").render(
        page=page,
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=digest,
    )
    return text.lstrip().encode("utf-8", "replace")  # a lone surrogate of a broken file name


def _widths(table: Table) -> Mapping[str, int]:
    """Return the characters of the longest mean, spread and signs."""
    cells = [cell for row in table.rows for cell in row.cells if cell.kind == "value"]
    return {
        "mean": max((len(cell.text) for cell in cells), default=0),
        "std": max((len(cell.std) for cell in cells), default=0),
        "signs": max((len(cell.signs) for cell in cells), default=0),
    }


def _clean(value: Any) -> Any:
    # Markup is a str too, and stays one that needs no escaping.
    return value.translate(CONTROLS) if isinstance(value, str) else value
