"""Write a page of test cases for each task, dataset and adaptation beside the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.cell import digest_of
from omnibench.errors import OmnibenchError
from omnibench.files import inside, write_atomically
from omnibench.report.samples.disagreement import Disagreement, disagreements
from omnibench.report.samples.pictures import Thumbnails, address, painted
from omnibench.report.study import Study
from omnibench.report.words import CONTROLS, counted

FOLDER = "samples"
VERSION = 2  # raised when a page below is made otherwise
MARK = "<!-- made from {} -->"


@dataclass(frozen=True)
class Link:
    """A page beside the report.

    Attributes:
        address: relative to the report.
    """

    title: str
    address: str


def write_samples(study: Study, folder: Path, data: Path, side: int) -> list[Link]:
    """Write `samples/TASK-DATASET-ADAPTATION.html` of what is finished; return links to them.

    A page that shows the same already is left as it is, so that no image is read.

    Args:
        folder: of the report.
        data: where datasets lie.
        side: of the pictures, in pixels; 0 for none.

    Raises:
        StoreError: a file cannot be written.
    """
    thumbnails = Thumbnails(data, side)
    links = []
    for shown in disagreements(study):
        path = inside(folder / FOLDER / f"{shown.stem}.html", folder)
        unit = shown.unit
        title = f"{unit.task}: {unit.dataset.id}, {unit.short}"
        made_from = {
            "records": shown.records,
            "side": side,
            "title": title,
            "version": VERSION,
        }
        # Without its images a page is made again: they may be there now.
        mark = MARK.format(digest_of(made_from))
        if not path.is_file() or mark.encode() not in path.read_bytes()[-200:]:
            images, lacking = _images(shown, thumbnails)
            page = _page(study.name, title, shown, images, lacking)
            write_atomically(path, page + (b"" if lacking and side else f"{mark}\n".encode()))
        links.append(Link(title, f"{FOLDER}/{path.name}"))
    return links


def _images(shown: Disagreement, thumbnails: Thumbnails) -> tuple[Sequence[Any], str]:
    """Return the cases' images, none of them where they cannot be had, and why in a sentence."""
    if not thumbnails.side:
        return (), "Without images, as `thumbnails` is 0."
    try:
        return thumbnails.images(shown.unit, shown.cases), ""
    except (OmnibenchError, OSError, IndexError) as error:
        return (), f"Without images: {error}."


def _page(
    suite: str, title: str, shown: Disagreement, images: Sequence[Any], lacking: str
) -> bytes:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    cases = []
    for place, case in enumerate(shown.cases):
        image = images[place] if images else None
        rows = [
            {
                "backbone": backbone,
                "answer": answers.answers[case],
                "picture": "" if image is None else painted(answers, case, image),
            }
            for backbone, answers in shown.answers.items()
        ]
        truth = next(iter(shown.answers.values())).truth[case]
        source = "" if image is None else address(image)
        cases.append({"number": case, "truth": truth, "image": source, "rows": rows})
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value.translate(CONTROLS) if isinstance(value, str) else value,
    )
    text = environment.get_template("samples.html").render(
        suite=suite,
        title=title,
        words=[*_words(shown), *([lacking] if lacking else [])],
        cases=cases,
    )
    return text.encode("utf-8", "replace")


def _words(shown: Disagreement) -> list[str]:
    models = counted(len(shown.answers), "backbone")
    order = "whose best and worst score lie farthest apart, these first"
    if len(shown.answers) == 1:
        order = "with the lowest score, these first"
    which = f"{len(shown.cases)} of {counted(shown.count, 'test case')}"
    repetitions = sorted(set(shown.repetitions.values()))
    listed = " and ".join(map(str, repetitions))
    legends = dict.fromkeys(some.legend for some in shown.answers.values() if some.legend)
    return [
        f"{which}, those {order}. Score: {shown.measure}. {models.capitalize()}, each by its first "
        f"finished repetition ({listed}). Cases are numbered by their index in the test split, "
        "from 0.",
        *(f"Colours over an image: {legend}." for legend in legends),
        "Cases picked for disagreement are no sample of the test set: rates belong to the tables.",
    ]
