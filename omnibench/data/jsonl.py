"""Captioned images in a JSON-lines file: one object a line with `image`, `split` and `caption`.

`image` is a file name, looked for beside the file and then in its `images/`. `split` is train, val
or test; "validation" and "valid" are read as val. `group`, else `uid`, else `patient`, names the
case an image belongs to: on every line or on none. Keys that `columns:` names in the declaration
beside it are columns (see `columns`): a text, a number, true or false, or null where it is not
known. Other keys and blank lines are left alone.
"""

import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from omnibench.cards import SPLITS, DatasetCard
from omnibench.data import Dataset, Reader, Split, Texts, local_card
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.columns import Columns, as_columns
from omnibench.data.declaration import declaration_path, read_declaration
from omnibench.errors import DataError
from omnibench.files import open_regular

SPLIT_NAMES = {split: split for split in SPLITS} | {"validation": "val", "valid": "val"}
GROUP_KEYS = ("group", "uid", "patient")


@dataclass(frozen=True)
class Line:
    """One image and its caption.

    Attributes:
        number: in the file, from 1.
        image: relative to the file's folder.
        caption: without line breaks.
        group: the case it belongs to, where the line names one.
        columns: the text of each declared column, "" where it is not known.
    """

    number: int
    image: str
    split: str
    caption: str
    group: str | None
    columns: tuple[str, ...] = ()


def lines_of(path: Path) -> dict[str, tuple[Line, ...]]:
    """Return split -> its lines, in their order; the same image or line may come more than once.

    Raises:
        DataError: the file is absent, a line is broken or names an image that is not there, some
            lines name a case and others do not, a declared column stands on no line or is that of
            the cases, or a split is empty.
    """
    names = _column_names(path)
    try:
        with open_regular(path) as file:
            lines = [
                _line(path, number, text, names)
                for number, text in enumerate(file, start=1)
                if text.strip()
            ]
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); put the file there or correct its path"
        ) from error
    ungrouped = [line.number for line in lines if line.group is None]
    if 0 < len(ungrouped) < len(lines):
        raise DataError(
            f"{path} names no case ({', '.join(GROUP_KEYS)}) on line {ungrouped[0]}, but on others;"
            " name it on every line or on none"
        )
    for k, name in enumerate(names):
        if not any(line.columns[k] for line in lines):
            raise DataError(
                f"{path} has no '{name}' on any line, though {declaration_path(path)} declares it; "
                "write it there or correct the name"
            )
    by_split = {split: tuple(line for line in lines if line.split == split) for split in SPLITS}
    for split, rows in by_split.items():
        if not rows:
            raise DataError(
                f"{path} has no line with the split '{split}'; every split needs some, so move "
                "some cases there"
            )
    return by_split


def _column_names(path: Path) -> tuple[str, ...]:
    """Return the declared columns.

    Raises:
        DataError: one is that of the cases, or what a line must have.
    """
    names = read_declaration(path).columns
    for name in names:
        if name in (*GROUP_KEYS, "image", "split", "caption"):
            raise DataError(
                f"{declaration_path(path)} declares the column '{name}', which tells images or "
                "patients apart; name what subgroups have in common"
            )
    return names


def columns_of(path: Path, lines: dict[str, tuple[Line, ...]]) -> dict[str, Columns]:
    """Return the declared columns of each split.

    Raises:
        DataError: as `columns.checked`.
    """
    names = _column_names(path)
    written = {
        split: {name: [line.columns[k] for line in rows] for k, name in enumerate(names)}
        for split, rows in lines.items()
    }
    groups = {
        split: [line.group for line in rows if line.group is not None]
        for split, rows in lines.items()
    }
    return as_columns(written, groups, str(path))


def one_line(caption: str) -> str:
    """Return the caption with each run of blanks and line breaks as one, none at the ends."""
    return " ".join(caption.split())


def _line(path: Path, number: int, content: bytes, names: Sequence[str]) -> Line:
    where = f"{path}, line {number}"
    try:
        entry = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 text; save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", error)
        raise DataError(f"{where} is no JSON ({reason}); write one object a line") from error
    if not isinstance(entry, dict):
        raise DataError(f'{where} is no JSON object; write {{"image": ..., "caption": ...}}')
    image, split, caption = (_text(where, entry, key) for key in ("image", "split", "caption"))
    if split not in SPLIT_NAMES:
        raise DataError(f"{where} has the split '{split}'; write train, val or test")
    return Line(
        number,
        _place(where, path.parent, image),
        SPLIT_NAMES[split],
        caption,
        _group(where, entry),
        tuple(_column(where, entry, name) for name in names),
    )


def _column(where: str, entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    if value is None or value == "":
        return ""
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return one_line(_text(where, entry, name))


def _text(where: str, entry: dict[str, Any], key: str) -> str:
    if key not in entry:
        raise DataError(f"{where} has no '{key}'; add it as text")
    value = entry[key]
    if not isinstance(value, str):
        raise DataError(f"{where} has {json.dumps(value)[:40]} as '{key}'; write text in quotes")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: '{key}' holds half a character (\\ud...); repair it") from error
    text = one_line(value) if key == "caption" else value
    if not text:
        raise DataError(f"{where} has an empty '{key}'; fill it in or remove the line")
    return text


def _group(where: str, entry: dict[str, Any]) -> str | None:
    key = next((key for key in GROUP_KEYS if key in entry), None)
    if key is None:
        return None
    value = entry[key]
    return str(value) if type(value) is int else _text(where, entry, key)


def _place(where: str, root: Path, image: str) -> str:
    """Return the image's name from the root on, spelt as the file is."""
    if PurePath(image).is_absolute() or ".." in PurePath(image).parts:
        raise DataError(
            f"{where}: the image '{image}' leads out of {root}; copy it there and name it so"
        )
    for name in _candidates(image):
        if os.path.isfile(root / name):  # noqa: PTH113  (False where a name is no name at all)
            if not (root / name).resolve().is_relative_to(root.resolve()):
                raise DataError(
                    f"{where}: the image '{image}' is a link that leads out of {root}; copy what "
                    "it names there"
                )
            return name
    raise DataError(
        f"{where}: the image '{image}' is neither in {root} nor in {root / 'images'}; put it "
        "there or remove the line"
    )


def _candidates(image: str) -> Iterator[str]:
    for form in dict.fromkeys((image, *(unicodedata.normalize(f, image) for f in ("NFC", "NFD")))):
        yield PurePath(form).as_posix()
        yield (PurePath("images") / form).as_posix()


def card_of(path: Path) -> DatasetCard:
    """Return the card of `jsonl:PATH`, from its lines; no image is opened.

    So `channels` and `resolution` are left out; the card that `read` returns has them.

    Raises:
        DataError: as `lines_of` and `columns_of`.
    """
    lines = lines_of(path)
    columns_of(path, lines)  # refused before a run
    return local_card(
        "jsonl",
        path,
        tasks=("captioning",),
        splits={split: len(rows) for split, rows in lines.items()},
        primary={"captioning": "meteor"},
    )


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Open every image's header and return the dataset; pixels are decoded when they are read.

    Images of several sizes are brought to one as `image_files.survey` says.

    Raises:
        DataError: as `card_of`, or an image is unreadable or of more than 8 bits.
    """
    import numpy as np

    from omnibench.data.image_files import FolderImages, survey

    path = Path(str(card.path))
    lines = lines_of(path)
    names = dict.fromkeys(line.image for rows in lines.values() for line in rows)
    channels, height, width = survey(path.parent, tuple(names))
    pixel = (3,) if channels == 3 else ()
    splits = {}
    columns = columns_of(path, lines)
    for split, rows in lines.items():
        groups = [line.group for line in rows if line.group is not None]
        splits[split] = Split(
            images=FolderImages(
                path.parent,
                tuple(line.image for line in rows),
                (len(rows), height, width, *pixel),
            ),
            targets={"captions": Texts(tuple(line.caption for line in rows))},
            groups=np.array(groups, np.str_) if groups else None,
            columns=columns[split],
        )
    card = card.model_copy(
        update={"channels": channels, "resolution": height if height == width else None}
    )
    return Dataset(card, splits, {"files": source_digest(path, data_dir)})


def source_digest(path: Path, data_dir: Path) -> str:
    """Return "sha256:..." of the file and of the images it names.

    Raises:
        DataError: as `lines_of`, or a file cannot be read.
    """
    from omnibench.data.image_files import as_read

    names = {line.image for rows in lines_of(path).values() for line in rows}
    digest = f"sha256:{sha256_of_folder(path.parent, {path.name, *names}, data_dir)}"
    return as_read(digest, path.parent, sorted(names), data_dir)


def training_files(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder and the names in it of the training images.

    Raises:
        DataError: as `lines_of`.
    """
    return path.parent, tuple(dict.fromkeys(line.image for line in lines_of(path)["train"]))


READER = Reader(
    "jsonl",
    card_of,
    read,
    source_digest=source_digest,
    training_files=training_files,
    declares=("columns",),
)
