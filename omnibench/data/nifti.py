"""`nifti:PATH`: a folder of studies with `labels.csv` in it, as `study_table` says.

A study is a folder with a file for each of its views, `STUDY/VIEW.nii.gz` (or `.nii`), or a file
`STUDY.nii.gz` of the one view "volume". How volumes are cut into slices says `nifti_volume`. Each
is unpacked once, below the data folder, its values as they were stored. A study with a file that
cannot be used is left out by name, and the others are used.
"""

import hashlib
import importlib.util
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.cards import DatasetCard
from omnibench.data.checksums import sha256_of_each, sha256_of_folder
from omnibench.data.declaration import declaration_path, read_declaration
from omnibench.data.listing import ending, files_below, visible
from omnibench.data.packing import place_of
from omnibench.data.reader import Reader
from omnibench.data.split import Dataset
from omnibench.data.study_table import TABLE, StudyTable, study_table
from omnibench.errors import DataError

if TYPE_CHECKING:
    from omnibench.data.nifti_volume import Volume
    from omnibench.data.volume_images import PackedSeries

ENDINGS = (".nii.gz", ".nii")
ONE_VIEW = "volume"
RULES = "nifti 1"  # in the digest: raised when values or slices of the same files are others


@dataclass(frozen=True)
class Studies:
    """What a folder holds, by names, headers and the table.

    Attributes:
        table: of the studies that can be read by their headers.
        volumes: study -> view -> its file.
    """

    table: StudyTable
    volumes: dict[str, dict[str, "Volume"]]

    @property
    def used(self) -> list["Volume"]:
        """Return the volumes of all studies of the table."""
        return [file for row in self.table.rows for file in self.volumes[row.study].values()]


def card_of(path: Path) -> DatasetCard:
    """Return the card of `nifti:PATH`, from names, headers and the table.

    Raises:
        DataError: as `studies_of` and `study_dataset.study_card`.
    """
    from omnibench.data.study_dataset import study_card

    studies = studies_of(path)
    slices = sum(volume.shape[0] for volume in studies.used)
    return study_card("nifti", path, studies.table, studies.volumes, slices)


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Unpack every volume that is not unpacked yet, and return the dataset.

    Raises:
        DataError: as `card_of`; there is no room to unpack; or a split has no study whose values
            are whole.
    """
    return _dataset(card, data_dir, unpacks=True)


def outline(card: DatasetCard, data_dir: Path) -> Dataset:
    """Return the dataset as table and headers tell it; its slices may not be read.

    Raises:
        DataError: as `card_of`.
    """
    return _dataset(card, data_dir, unpacks=False)


def _dataset(card: DatasetCard, data_dir: Path, unpacks: bool) -> Dataset:
    from omnibench.data.nifti_volume import DamagedVolumeError
    from omnibench.data.study_dataset import PlacedSeries, Views, study_dataset

    root = Path(str(card.path))
    studies = studies_of(root)
    places = _places(studies.used, data_dir)
    unpacked: dict[str, Views] = {}
    damaged: dict[str, str] = {}
    for row in studies.table.rows:
        try:
            unpacked[row.study] = {
                view: PlacedSeries(
                    _series(volume, root, places[volume.path], unpacks), volume.places
                )
                for view, volume in studies.volumes[row.study].items()
            }
        except DamagedVolumeError as error:
            damaged[row.study] = str(error)
    table = studies.table.without(damaged)
    return study_dataset(card, table, unpacked, source_digest(root, data_dir))


def _series(volume: "Volume", root: Path, folder: Path, unpacks: bool) -> "PackedSeries":
    from omnibench.data.volume_images import PackedSeries, pack_values

    load = volume.load if unpacks else None
    # the log names the dataset alone: a study may be called after its patient
    pack = pack_values(folder, volume.shape, volume.dtype, load, f"a volume of {root}")
    return PackedSeries(pack, volume.dtype, volume.slope, volume.intercept)


def _places(volumes: Sequence["Volume"], data_dir: Path) -> dict[Path, Path]:
    """Return the folder that the content of each volume's file is unpacked to."""
    places = {}
    checksums = sha256_of_each([volume.path for volume in volumes], data_dir)
    for volume, checksum in zip(volumes, checksums, strict=True):
        content = f"{RULES} {checksum} {volume.axis} {volume.sides}"
        place = place_of(data_dir, hashlib.sha256(content.encode()).hexdigest())
        places[volume.path] = place
    return places


def source_digest(path: Path, data_dir: Path) -> str:
    """Return "sha256:..." of the volumes, their places in the folder, the table and its findings.

    The findings, since what `columns` declares is none of them.

    Raises:
        DataError: as `files_of` and `study_table`, or a file cannot be read.
    """
    files = files_of(path)
    table = study_table(path, dict.fromkeys(files))
    names = _names(files)
    content = sha256_of_folder(path, [TABLE, *names], data_dir)
    text = json.dumps([RULES, content, table.classes])
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def left_out(path: Path) -> dict[str, int]:
    """Return how many files of each ending are neither volumes in their places nor the table."""
    names = {*_names(files_of(path)), TABLE, declaration_path(path).name}
    return dict(Counter(ending(name) for name in files_below(path) if name not in names))


def unpacked_bytes(path: Path, data_dir: Path | None = None) -> int:
    """Return what the volumes take on disk once they are unpacked.

    Args:
        data_dir: without those that are unpacked there.

    Raises:
        DataError: as `studies_of`.
    """
    used = studies_of(path).used
    if data_dir is not None:
        places = _places(used, data_dir)
        used = [volume for volume in used if not places[volume.path].is_dir()]
    return sum(math.prod(volume.shape) * int(volume.dtype[2:]) for volume in used)


def studies_of(path: Path) -> Studies:
    """Read the table and the headers of a folder.

    Raises:
        DataError: nibabel is not installed; as `files_of` and `study_table`; no study of a split
            can be used; or no window is declared where values are no grey levels.
    """
    if importlib.util.find_spec("nibabel") is None:
        raise DataError("volumes in NIfTI files are read by nibabel; run `pip install nibabel`")
    from omnibench.data.nifti_volume import Volume

    declaration, files = read_declaration(path), files_of(path)
    volumes: dict[str, dict[str, Volume]] = {}
    damaged: dict[str, str] = {}
    for study, views in files.items():
        try:
            volumes[study] = {
                view: Volume.from_header(path / _single(path, names), declaration)
                for view, names in views.items()
            }
        except DataError as error:
            damaged[study] = str(error)
        if not views:
            damaged[study] = f"{path / study} holds no volume ({' or '.join(ENDINGS)})"
    table = study_table(path, dict.fromkeys(files)).without(damaged)
    studies = Studies(table, volumes)
    for volume in studies.used:
        if declaration.window is None and not volume.holds_grey_levels:
            raise DataError(
                f"{path} holds values that are no grey levels 0..255, such as {volume.dtype_name} "
                f"in {volume.path.name}, and nothing tells which of them matter; declare `window: "
                "[centre, width]`, or `window: {percentiles: [1, 99]}` for MR, in "
                f"{declaration_path(path).name}"
            )
    return studies


def files_of(path: Path) -> dict[str, dict[str, list[str]]]:
    """Return study -> view -> the names of its files from the folder on, of which one is due.

    Raises:
        DataError: it is no folder, or a link leads out of it.
    """
    if not path.is_dir():
        raise DataError(f"{path} is not a folder; put studies and {TABLE} there or correct it")
    files: dict[str, dict[str, list[str]]] = {}
    for entry in visible(path, path):
        if entry.is_dir():
            views = files.setdefault(entry.name, {})
            for file in visible(path, entry):
                if name := _stem(file):
                    views.setdefault(name, []).append(f"{entry.name}/{file.name}")
        elif name := _stem(entry):
            files.setdefault(name, {}).setdefault(ONE_VIEW, []).append(entry.name)
    return files


def _names(files: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    return [name for views in files.values() for names in views.values() for name in names]


def _single(path: Path, names: list[str]) -> str:
    if len(names) > 1:
        raise DataError(f"{path}: {' and '.join(names)} are of one view; remove one of them")
    return names[0]


def _stem(file: Path) -> str:
    """Return a volume's name without its ending, "" of what is no volume by its name."""
    return next((file.name.removesuffix(end) for end in ENDINGS if file.name.endswith(end)), "")


READER = Reader(
    "nifti",
    card_of,
    read,
    source_digest=source_digest,
    left_out=left_out,
    unpacked_bytes=unpacked_bytes,
    outline=outline,
    declares=(
        *("labels", "columns", "window", "spacing", "axis"),
        *("split_seed", "shared_patients"),
    ),
)
