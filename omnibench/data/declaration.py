"""What the owner of a local dataset declares of it, in a small YAML file beside the data.

`omnibench.yaml` in a folder, `NAME.yaml` beside `NAME.npz` or `NAME.jsonl`:

    labels: multi-class            # or binary, multi-label, ordinal
    mask_values: {0: background, 1: lesion, 255: lesion}
    ignore: [254]                  # left out of the loss and of every metric
    pixel_spacing: [0.7, 0.7]      # mm from row to row and column to column, for surfaces in mm
    maps: {unit: mm, range: [0, 20]}  # of maps of numbers, as `MapFacts` says
    columns: [sex, age, site]      # for subgroups in a report, as `columns` says
    window: [40, 400]              # of values that are no grey levels, as `window` says
    split_seed: 1                  # of splits that are drawn, as `study_table` says
    shared_patients: allowed       # the same patient may be in two splits
    spacing: [1, 1, 3]             # mm that volumes are resampled to: to the right, front, head
    axis: axial                    # of a volume's slices, or sagittal, coronal
    series: {axial: "thorax 5*"}   # a view's series among several, by its SeriesDescription
    strict: true                   # warnings about the data become refusals

A mask value is a number (a grey level, or an index of a palette), a range "128..255", or a colour
"#ff0000". The first class that `mask_values` names is the background.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from omnibench.cards import DatasetCard, Identifier, MapFacts, Millimetres
from omnibench.errors import DataError, RequestError
from omnibench.validation import validate
from omnibench.window import Window
from omnibench.yaml_file import read_yaml

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CLASSES = 64  # more mask values than these are grey levels
VOID, UNDECLARED = 255, 254  # class indices of pixels that are ignored, and that nothing declares
UNDECIDING = {"strict", "columns", "shared_patients"}
VALUE = re.compile(r"(\d{1,3})(?:\.\.(\d{1,3}))?|#[0-9a-f]{6}")
Colour = tuple[int, int, int]
Plane = Literal["sagittal", "coronal", "axial"]
PLANES: tuple[Plane, ...] = get_args(Plane)  # by the axis that slices follow each other on


def _mask_value(given: Any) -> str:
    if not isinstance(given, str):  # a list, whose text could be without end
        raise ValueError("a mask value is one word, not a list or a mapping")
    text = given.lower()
    match = VALUE.fullmatch(text)
    if match is None or not all(0 <= v <= 255 for v in numbers(text)):
        raise ValueError(
            f"'{given}' is no mask value: write a number 0..255, a range \"128..255\" or a colour "
            '"#ff0000", the latter two in quotes'
        )
    if not text.startswith("#") and not list(numbers(text)):
        raise ValueError(f"the range {given} is empty: write the smaller number first")
    return text


MaskValue = Annotated[str, BeforeValidator(_mask_value)]


class Declaration(BaseModel):
    """The file's content.

    Attributes:
        labels: how a label reads; see `DatasetCard.labels`.
        mask_values: mask value -> name of its class; several values may be one class.
        ignore: mask values of pixels that are left out of the loss and of every metric.
        pixel_spacing: mm from row to row and from column to column of every mask.
        maps: what the numbers of maps are.
        columns: names of what is read of each image for comparisons of subgroups.
        window: what stored values are seen through.
        split_seed: of splits that are drawn.
        shared_patients: "allowed" where a patient may be in two splits.
        spacing: mm that volumes are resampled to, along x, y and z; None for their own.
        axis: the plane of the slices that volumes are cut into; None where spacings tell it.
        series: view -> pattern of the descriptions that its series may have, as of `fnmatch`.
        strict: refuse what is otherwise a warning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Literal["binary", "multi-class", "multi-label", "ordinal"] | None = None
    mask_values: dict[MaskValue, str] = Field(default_factory=dict)
    ignore: tuple[MaskValue, ...] = ()
    pixel_spacing: tuple[Millimetres, Millimetres] | None = None
    maps: MapFacts | None = None
    columns: tuple[str, ...] = ()
    window: Window | None = None
    split_seed: Annotated[int, Field(ge=0)] = 0
    shared_patients: Literal["refused", "allowed"] = "refused"
    spacing: tuple[Millimetres, Millimetres, Millimetres] | None = None
    axis: Plane | None = None
    series: dict[Identifier, str] = Field(default_factory=dict)
    strict: bool = False

    def digest(self, source: str) -> str:
        """Return a source digest with what is declared in it; without a declaration as it is.

        None of `strict`, `columns` and `shared_patients` decides a number of a cell.
        """
        declared = self.model_dump(mode="json", exclude_defaults=True, exclude=UNDECIDING)
        if not declared:
            return source
        declared["mask_values"] = list(self.mask_values.items())  # their order numbers the classes
        text = f"{source}\n{json.dumps(declared, sort_keys=True)}"
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    @property
    def by_colour(self) -> bool:
        """Return whether masks are read by their colours, not by their grey levels or indices."""
        return any(value.startswith("#") for value in self.mask_values)


@dataclass(frozen=True)
class Coding:
    """What mask values become.

    Attributes:
        classes: names of the classes, the background first.
        table: uint8 [256]: the class index of each value, VOID or UNDECLARED.
        colours: where masks are read by colour, the one that each value 0, 1, ... stands for.
    """

    classes: tuple[str, ...]
    table: "NDArray[np.uint8]"
    colours: tuple[Colour, ...] = ()


def numbers(value: str) -> Iterator[int]:
    """Yield the grey levels of a mask value; none of a colour."""
    if not value.startswith("#"):
        low, _, high = value.partition("..")
        yield from range(int(low), int(high or low) + 1)


def declaration_path(path: Path) -> Path:
    """Return where the declaration of a local dataset lies, if it has one."""
    return path / "omnibench.yaml" if path.is_dir() else path.with_suffix(".yaml")


def declaration_of(card: DatasetCard) -> Declaration:
    """Return what is declared of a card's dataset, nothing where it is no local one.

    Raises:
        DataError: as `read_declaration`.
    """
    return Declaration() if card.path is None else read_declaration(Path(card.path))


def read_declaration(path: Path) -> Declaration:
    """Return what is declared of a local dataset's file or folder; nothing without a file.

    Raises:
        DataError: the file is no YAML, a key is unknown or stands twice, or values contradict
            each other.
    """
    file = declaration_path(path)
    if (other := file.with_suffix(".yml")).is_file():
        raise DataError(f"{other} is not looked at; rename it to {file.name}, or remove it")
    if not file.is_file():
        return Declaration()
    try:
        content = read_yaml(file, as_text=True)
    except RequestError as error:
        raise DataError(str(error)) from None
    if isinstance(content, dict) and "backbones" in content:
        return Declaration()  # a suite that is called as its data
    try:
        declaration = validate(Declaration, content or {})
        _check(declaration)
    except RequestError as error:
        raise DataError(f"{file}: {error}") from None
    return declaration


def required_facts(path: Path, declared: Declaration, where: str) -> MapFacts:
    """Return what is declared of a local dataset's maps of numbers.

    Args:
        where: they stand in it.

    Raises:
        DataError: nothing is.
    """
    if declared.maps is None:
        raise DataError(
            f"{path} has maps of numbers ({where}, ...), and nothing says what they are in; "
            f"write their unit and range into {declaration_path(path)}, as in maps: {{unit: mm, "
            "range: [0, 20]}"
        )
    return declared.maps


def refuse_unused(path: Path, used: Collection[str]) -> None:
    """Refuse a declaration with a key that says nothing of a local dataset.

    Args:
        used: the keys that do, beside `strict`.

    Raises:
        DataError: as `read_declaration`, or one stands there.
    """
    declared = read_declaration(path).model_dump(exclude_defaults=True, exclude={"strict", *used})
    if declared:
        raise DataError(
            f"{declaration_path(path)} declares {' and '.join(declared)}, which says nothing of "
            f"{path.name} ({_listed(used) or 'only strict'} would); remove it"
        )


def _listed(names: Collection[str]) -> str:
    *first, last = names or ("",)
    return f"{', '.join(first)} and {last}" if first else last


def coding_of(declaration: Declaration) -> Coding:
    """Return the coding that a declaration with `mask_values` spells out."""
    import numpy as np

    classes = tuple(dict.fromkeys(declaration.mask_values.values()))
    targets = {value: classes.index(name) for value, name in declaration.mask_values.items()}
    targets |= dict.fromkeys(declaration.ignore, VOID)
    table = np.full(256, UNDECLARED, np.uint8)
    if not declaration.by_colour:
        for value, target in targets.items():
            table[list(numbers(value))] = target
        return Coding(classes, table)
    table[: len(targets)] = list(targets.values())
    return Coding(classes, table, tuple(_colour(value) for value in targets))


def _colour(value: str) -> Colour:
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _check(declaration: Declaration) -> None:
    """Refuse values that contradict each other."""
    values = [*declaration.mask_values, *declaration.ignore]
    colours = [value for value in values if value.startswith("#")]
    if colours and (len(colours) < len(values) or not declaration.mask_values):
        raise RequestError(
            "mask_values and ignore: name all values by colour, or all by number, since a palette "
            "image is read by one of them"
        )
    levels = [level for value in values for level in (numbers(value) if not colours else (value,))]
    twice = next((level for level in levels if levels.count(level) > 1), None)
    if twice is not None:
        raise RequestError(f"mask_values and ignore: {twice} stands twice; leave it in one place")
    classes = set(declaration.mask_values.values())
    if len(classes) == 1 or len(classes) > MOST_CLASSES or len(colours) > UNDECLARED:
        raise RequestError(
            f"mask_values: it names {len(classes)} classes where 2 to {MOST_CLASSES} are due, the "
            "background first"
        )
