"""`reports/index.html`: the reports of a folder of results on one page."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from omnibench.errors import StoreError
from omnibench.files import inside, read_regular, write_atomically
from omnibench.report.page.render import FOLDER
from omnibench.report.page.write import NAME
from omnibench.report.study import Study
from omnibench.terminal import printable

REPORTS = "reports"  # folder of the reports below one of results
INDEX, SUMMARY = "index.html", "summary.json"
STATES = ("done", "failed", "missing", "blocked")


@dataclass(frozen=True)
class Summary:
    """What the index says of one report.

    Attributes:
        suite: its name.
        date: of its last record, as 2026-01-31; "" for none.
        cells: state -> number of cells.
        filters: what narrows it; "" for nothing.
    """

    suite: str
    date: str
    cells: dict[str, int]
    filters: str = ""


def note_report(folder: Path, study: Study) -> Path:
    """Write beside a report what the index says of it, and return the path.

    Raises:
        StoreError: the file cannot be written.
    """
    counts = Counter[str](state.state for state in study.states)
    date = max((str(record["finished"])[:10] for _, record in study.finished), default="")
    cells = {state: counts[state] for state in STATES}
    path = folder / SUMMARY
    summary = asdict(Summary(study.name, date, cells, study.filters))
    write_atomically(path, (json.dumps(summary, indent=1) + "\n").encode())
    return path


def write_index(reports: Path) -> Path:
    """Write the index of the reports below a folder, and return its path.

    Raises:
        StoreError: the file cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = [*reports.glob(f"*/{NAME}"), *reports.glob(f"*/*/{NAME}")]
    pages.sort(key=lambda page: page.parent)  # a suite's own before what filters left of it
    entries = [(_address(page, reports), _summary_of(page, reports)) for page in pages]
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: printable(value) if isinstance(value, str) else value,
    )
    text = environment.get_template(INDEX).render(entries=entries, states=STATES)
    path = inside(reports / INDEX, reports)
    write_atomically(path, text.encode("utf-8", "replace"))
    return path


def _address(page: Path, reports: Path) -> str:
    return quote(page.relative_to(reports).as_posix(), errors="surrogateescape")


def _summary_of(page: Path, reports: Path) -> Summary:
    """Return what is known of a report; of one from before, or a damaged one, its folder's name."""
    try:
        content: Any = json.loads(read_regular(inside(page.with_name(SUMMARY), reports)))
        cells = {state: int(content["cells"][state]) for state in STATES}
        suite, date, filters = (str(content[name]) for name in ("suite", "date", "filters"))
        return Summary(suite, date, cells, filters)
    except (OSError, StoreError, ValueError, LookupError, TypeError, RecursionError):
        return Summary(page.parent.relative_to(reports).as_posix(), "", {})
