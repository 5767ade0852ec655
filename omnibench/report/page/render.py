"""From a page's parts to one HTML file."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.report.answers import Answer
from omnibench.report.page.contest_lines import HEIGHT, SHOWN, WIDTH, lines
from omnibench.report.page.pictures import Image
from omnibench.report.samples.write import Link
from omnibench.report.table import FACETS, Table
from omnibench.report.words import CONTROLS

if TYPE_CHECKING:
    from markupsafe import Markup

FOLDER = Path(__file__).parent
SCRIPTS = ("theme", "rows", "tips", "selection", "copying")
NAMESPACES = re.compile(r' xmlns(:\w+)?="[^"]*"')
SIZE = re.compile(r' (width|height)="[^"]*"')
FEW_ROWS = 8  # of a table, which need no filter
LARGE_ROWS = 40  # of a table that is laid out when it comes into view
MOST_ROWS = 200  # of a table, until the reader asks for all


@dataclass(frozen=True)
class Page:
    """What the template shows.

    Attributes:
        summary: sentences under the title.
        answers: who leads each task, by how much, and what looks wrong.
        facets: what can be selected for the whole page: facet -> value -> its name.
        results: the printed tables.
        across: what is said over several datasets.
        beyond: on corrupted test images, mixes of qualities and other datasets.
        subgroups: of each dataset whose columns are stored.
        calibration: of each dataset's classifiers.
        selective: what they err when they reject uncertain cases.
        operating: their rates at thresholds, where the suite states a prevalence.
        convergence: how soon trainings are at a target.
        labels: how many labels each model needs.
        settings: whether the ranking depends on what a recipe varies.
        comparisons: with the baseline, a table a task.
        failures: None where there is nothing to say.
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
    answers: Sequence[Answer] = ()
    facets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    comparisons: Sequence[Table] = ()
    comparison_notes: Sequence[str] = ()
    across: Sequence[Table] = ()
    beyond: Sequence[Table] = ()
    subgroups: Sequence[Table] = ()
    calibration: Sequence[Table] = ()
    selective: Sequence[Table] = ()
    operating: Sequence[Table] = ()
    convergence: Sequence[Table] = ()
    labels: Sequence[Table] = ()
    settings: Sequence[Table] = ()
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

    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    sentences = Sentences()
    environment.filters["lines"] = lines
    environment.filters["widths"] = _widths
    environment.filters["numbered"] = sentences.numbered
    environment.filters["inlined"] = _inlined
    text = environment.get_template("page.html").render(
        page=page,
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=digest,
        sentences=lambda: Markup(sentences.as_json()),  # when all are numbered
        facet_names=FACETS,
        few_rows=FEW_ROWS,
        large_rows=LARGE_ROWS,
        most_rows=MOST_ROWS,
        shown=SHOWN,
        size=(WIDTH, HEIGHT),
    )
    return text.lstrip().encode("utf-8", "replace")  # a lone surrogate of a broken file name


class Sentences:
    """The details of all values, each sentence once: a large page repeats many of them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def numbered(self, texts: Sequence[str]) -> str:
        """Return the sentences' numbers, separated by spaces."""
        numbers = self._numbers
        return " ".join(str(numbers.setdefault(text, len(numbers))) for text in texts)

    def as_json(self) -> str:
        """Return the sentences in their order, so that no text of theirs ends a script element."""
        texts = [_clean(text) for text in self._numbers]
        return json.dumps(texts, ensure_ascii=False).replace("<", r"\u003c")


def _script() -> str:
    """Return the scripts as one, which marks the page as scripted and waits for its elements."""
    parts = [(FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return (
        '"use strict";\n'
        'document.documentElement.classList.add("scripted");\n'
        'addEventListener("DOMContentLoaded", () => {\n' + "\n".join(parts) + "});\n"
    )


def _inlined(image: Image) -> "Markup":
    """Return an SVG as an element of the page, with its words."""
    from markupsafe import Markup

    # A parser of HTML knows the namespaces by the elements' names.
    element = NAMESPACES.sub("", _clean(image.svg), count=2).removeprefix("<svg")
    element = SIZE.sub("", element, count=2)
    start = Markup('<svg role="img" aria-label="{}" width="{}"')
    return start.format(_clean(image.alt), image.width) + Markup(element)


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
