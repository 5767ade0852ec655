"""Datasets in one npz file: MedMNIST, MedSegBench, and any file with arrays named as theirs.

For each split of train, val and test:

- `{split}_images`: [N, H, W], [N, H, W, 1] or [N, H, W, 3]; uint8, or floats between 0 and 1.
- `{split}_labels` (MedMNIST), or `{split}_class` where no split has that: [N], [N, 1] or [N, L].
- `{split}_label` (MedSegBench): masks [N, H, W] or [N, H, W, 1] of class values 0..255.
- `{split}_groups`, optional: [N] patient or study ids.
- `{split}_quality`, optional: [N] numbers, the column `quality`; the larger the better.
- `{split}_column_NAME`, optional: [N] texts or numbers, of which `columns` says what they serve.

Layouts are told from headers alone, images converted piece by piece. Images that take more than
IN_MEMORY bytes are unpacked once to plain files and read there; smaller ones are held in memory.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import SPLITS, DatasetCard
from omnibench.data import (
    ArrayImages,
    Dataset,
    Images,
    Labels,
    Masks,
    Reader,
    Split,
    Target,
    local_card,
)
from omnibench.data.checksums import checksum_like, sha256_of
from omnibench.data.columns import Columns, checked, known
from omnibench.data.declaration import declaration_of, read_declaration, refuse_unused
from omnibench.data.labels import (
    Kind,
    as_declared,
    check_labels,
    infer,
    labels_of,
    primary_metric,
)
from omnibench.data.npz_archive import Archive, Member
from omnibench.data.packing import Stream, pack
from omnibench.errors import DataError
from omnibench.views import QUALITY

IN_MEMORY = 64_000_000
Convert = Callable[[NDArray[Any], int, str], NDArray[np.uint8]]


@dataclass(frozen=True)
class Layout:
    """The arrays of a dataset, by split.

    Attributes:
        size: (H, W) of every image and mask.
        labels, masks: empty where the dataset has none.
        groups: of the splits that have them.
        columns: of each split, by name.
    """

    images: Mapping[str, Member]
    labels: Mapping[str, Member]
    masks: Mapping[str, Member]
    groups: Mapping[str, Member]
    columns: Mapping[str, Mapping[str, Member]]
    channels: Literal[1, 3]
    size: tuple[int, int]

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of images of each split."""
        return {split: member.shape[0] for split, member in self.images.items()}

    @property
    def resolution(self) -> int | None:
        """Return the side of the images in pixels, if they are square."""
        return self.size[0] if self.size[0] == self.size[1] else None


def layout_of(archive: Archive, channels: int | None = None) -> Layout:
    """Return the layout of an npz dataset.

    Args:
        channels: what the images must have, where that is known.

    Raises:
        DataError: an array is missing, or its type or shape fits none of the rules above.
    """
    where = archive.path
    images = _of_all_splits(archive, "images")
    labels = _of_all_splits(archive, "labels") or _of_all_splits(archive, "class")
    masks = _of_all_splits(archive, "label")
    if not images:
        raise DataError(
            f"{where} has no train_images, val_images and test_images; an npz dataset is made of "
            "these with train_labels, val_labels and test_labels"
        )
    if not labels and not masks:
        raise DataError(
            f"{where} has neither labels (train_labels, ...) nor masks (train_label, ...); "
            "add one of them for each split"
        )
    shapes = [_image_shape(where, member, channels) for member in images.values()]
    for (split, member), shape in zip(images.items(), shapes, strict=True):
        if shape != shapes[0]:
            raise DataError(
                f"{where}: {split}_images is {list(member.shape)} where train_images is "
                f"{list(images['train'].shape)}; bring all splits to one size and one number of "
                "channels"
            )
    height, width, depth = shapes[0]
    for split, member in masks.items():
        _check_mask(where, member, (images[split].shape[0], height, width))
    groups = {split: ids for split in SPLITS if (ids := archive.member(f"{split}_groups"))}
    columns = {split: archive.members(f"{split}_column_") for split in SPLITS}
    for split in SPLITS:
        if (scores := archive.member(f"{split}_{QUALITY}")) is not None:
            columns[split] = {**columns[split], QUALITY: scores}
    return Layout(images, labels, masks, groups, columns, depth, (height, width))


def _of_all_splits(archive: Archive, suffix: str) -> dict[str, Member]:
    """Return the arrays `{split}_{suffix}`: of every split or of none."""
    members = {split: archive.member(f"{split}_{suffix}") for split in SPLITS}
    absent = [f"{split}_{suffix}" for split, member in members.items() if member is None]
    if len(absent) == len(SPLITS):
        return {}
    if absent:
        raise DataError(
            f"{archive.path} has no {' and no '.join(absent)}; add what is missing: a dataset has "
            "the splits train, val and test"
        )
    return {split: member for split, member in members.items() if member is not None}


def _image_shape(
    where: Any, member: Member, channels: int | None
) -> tuple[int, int, Literal[1, 3]]:
    """Return (H, W, channels) of an image array."""
    shape, dtype = member.shape, member.dtype
    if dtype != "uint8" and dtype.kind != "f":
        raise DataError(
            f"{where}: {member.name} holds {dtype}; save uint8 images, or floats between 0 and 1 "
            "(window CT and MR values first)"
        )
    if len(shape) == 3 and channels == 3:
        raise DataError(
            f"{where}: {member.name} is {list(shape)}, three dimensions where colour images have "
            "four, [N, H, W, 3]; name a dataset of grey images or save the colour ones"
        )
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        hint = ""
        if len(shape) == 4 and shape[1] in (1, 3):
            hint = f" (channels stand last: {member.name}.transpose(0, 2, 3, 1))"
        raise DataError(
            f"{where}: {member.name} is {list(shape)}; save grey images as [N, H, W] or colour "
            f"images as [N, H, W, 3]{hint}"
        )
    depth: Literal[1, 3] = 3 if len(shape) == 4 and shape[3] == 3 else 1
    if channels is not None and depth != channels:
        raise DataError(
            f"{where}: {member.name} is {list(shape)}, colour images where grey ones "
            "[N, H, W] are due; save one channel"
        )
    if 0 in shape:
        raise DataError(
            f"{where}: {member.name} is {list(shape)}, without an image; every split needs some"
        )
    return shape[1], shape[2], depth


def _check_mask(where: Any, member: Member, expected: tuple[int, int, int]) -> None:
    if member.shape not in (expected, (*expected, 1)):
        hint = ""
        if len(member.shape) < 3:
            hint = f" (class numbers are called {member.name}s)"
        raise DataError(
            f"{where}: {member.name} is {list(member.shape)}; a mask has the size of its image, "
            f"{list(expected)}{hint}"
        )
    if member.dtype.kind not in "iub":
        raise DataError(
            f"{where}: {member.name} holds {member.dtype}; save masks as uint8 class values"
        )


def streams_of(archive: Archive, layout: Layout) -> dict[str, Stream]:
    """Return `{split}_images` and, where there are any, `{split}_masks` as they will be kept.

    Grey images and masks lose a channel axis they may have: [N, H, W].
    """
    streams = {}
    pixel = (3,) if layout.channels == 3 else ()
    for split, count in layout.counts.items():
        streams[f"{split}_images"] = _stream(
            archive, layout.images[split], (count, *layout.size, *pixel), image_values
        )
        if split in layout.masks:
            streams[f"{split}_masks"] = _stream(
                archive, layout.masks[split], (count, *layout.size), mask_values
            )
    return streams


def image_values(chunk: NDArray[Any], first: int, where: str) -> NDArray[np.uint8]:
    """Return images as uint8: as they are, or floats between 0 and 1 times 255, rounded.

    Args:
        chunk: [n, ...] uint8 or floats.
        first: index of the first of them in its split.
        where: file and array, for the message.

    Raises:
        DataError: a float is NaN or outside 0..1.
    """
    if chunk.dtype == np.uint8:
        return chunk
    _refuse_first(
        ~((chunk >= 0) & (chunk <= 1)),  # true for NaN
        chunk,
        first,
        where,
        "float images must lie between 0 and 1: scale them, or save uint8",
    )
    # float16 has too few digits for the product to round as float32's does
    scaled = chunk.astype(np.promote_types(chunk.dtype, np.float32)) * 255
    values: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return values


def mask_values(chunk: NDArray[Any], first: int, where: str) -> NDArray[np.uint8]:
    """Return masks [n, ...] of any integers as uint8; arguments as in `image_values`.

    Raises:
        DataError: a value is outside 0..255.
    """
    if chunk.dtype not in (np.uint8, np.bool_):
        _refuse_first(
            (chunk < 0) | (chunk > 255), chunk, first, where, "mask values must lie in 0..255"
        )
    return chunk.astype(np.uint8, copy=False)


def _stream(archive: Archive, member: Member, shape: tuple[int, ...], convert: Convert) -> Stream:
    where = f"{archive.path}: {member.name}"

    def chunks() -> Iterator[NDArray[np.uint8]]:
        first = 0
        for chunk in archive.chunks(member.name):
            yield convert(chunk, first, where).reshape(-1, *shape[1:])
            first += len(chunk)

    return Stream(shape, chunks)


def _refuse_first(
    bad: NDArray[np.bool_], chunk: NDArray[Any], first: int, where: str, rule: str
) -> None:
    if bad.any():
        position = np.unravel_index(int(bad.argmax()), bad.shape)
        raise DataError(f"{where} holds {chunk[position]} in image {first + position[0]}; {rule}")


def card_of(path: Path) -> DatasetCard:
    """Return the card of `npz:PATH`, from the file's headers and labels; no image is unpacked.

    Two classes make a binary set, columns of zeros and ones a multi-label one; the classes are
    numbered as the labels of all splits are, unless another kind is declared.

    Raises:
        DataError: the file is absent, damaged, or not laid out as the module says.
    """
    declared = read_declaration(path).labels
    with Archive(path) as archive:
        layout = layout_of(archive)
        kind, classes = None, tuple[str, ...]()
        if layout.labels:
            kind, classes = infer(_labels(archive, layout, declared), str(path), declared)
        _columns(archive, layout)  # refused before a run
    used = ["labels"] * bool(layout.labels) + ["mask_values", "ignore"] * bool(layout.masks)
    refuse_unused(path, used)
    return local_card(
        "npz",
        path,
        tasks=(
            *["classification"] * bool(layout.labels),
            *["segmentation"] * bool(layout.masks),
        ),
        labels=kind,
        classes=classes,
        primary={"classification": primary_metric(kind)} if kind else {},
        channels=layout.channels,
        resolution=layout.resolution,
        splits=layout.counts,
    )


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Read the dataset of a card with one of `files`, whose checksum is verified, or a `path`.

    Its digests are the SHA-256 of each array's bytes: uint8 images and masks, int64 labels.

    Raises:
        DataError: the file is absent, damaged, another than the card's, or breaks a rule of
            this module; naming file, array and image or label.
    """
    path, checksum = _source(card, data_dir)
    with Archive(path) as archive:
        layout = layout_of(archive, card.channels)
        _check_counts(card, layout, path)
        labels = _labels(archive, layout, declaration_of(card).labels)
        if card.labels is not None:
            for split, values in labels.items():
                check_labels(values, card, f"{path}: {layout.labels[split].name}")
        streams = streams_of(archive, layout)
        if sum(stream.nbytes for stream in streams.values()) < IN_MEMORY:
            images, digests = _held(streams)
        else:
            packed = pack(data_dir / "packed" / checksum[:16], streams, str(path))
            images = dict(packed)
            digests = {name: array.checksum for name, array in packed.items()}
        groups = {split: _groups(archive, layout, split) for split in layout.groups}
        columns = _columns(archive, layout)
    digests |= {f"{split}_labels": _digest(values) for split, values in labels.items()}
    targets: dict[str, dict[str, Target]] = {split: {} for split in SPLITS}
    for split, values in labels.items():
        targets[split]["labels"] = Labels(values)
    for split in layout.masks:
        targets[split]["masks"] = Masks(images[f"{split}_masks"])
    splits = {
        split: Split(
            images=images[f"{split}_images"],
            targets=targets[split],
            groups=groups.get(split),
            columns=columns[split],
        )
        for split in SPLITS
    }
    return Dataset(card, splits, digests)


def unpacked_bytes(path: Path) -> int:
    """Return what the images and masks of `npz:PATH` take unpacked; 0 where memory holds them.

    Raises:
        DataError: as `card_of`.
    """
    with Archive(path) as archive:
        streams = streams_of(archive, layout_of(archive))
    size = sum(stream.nbytes for stream in streams.values())
    return 0 if size < IN_MEMORY else size


def _source(card: DatasetCard, data_dir: Path) -> tuple[Path, str]:
    """Return the card's file and its checksum in hex, verified where the card pins one."""
    if card.path is not None:
        return Path(card.path), sha256_of(Path(card.path), data_dir)
    [(name, expected)] = card.files.items()
    path = data_dir / name
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; run `bench.py data fetch {card.id}` or put the file there"
        )
    checksum = checksum_like(expected, path, data_dir)
    if checksum != expected:
        raise DataError(
            f"{path} is not the file of '{card.id}': its checksum is {checksum} where {expected} "
            f"is expected; {_way_out(checksum, path)}"
        )
    return path, checksum.partition(":")[2]


def _way_out(checksum: str, path: Path) -> str:
    from omnibench.catalogue import datasets  # not before it is needed: the catalogue is above

    for name in datasets:
        if checksum in datasets.get(name).files.values():
            return f"it is the file of '{name}': use that name and move the file to its place"
    return f"delete it and fetch it again, or use it as a dataset of your own, npz:{path}"


def _check_counts(card: DatasetCard, layout: Layout, path: Path) -> None:
    if card.splits and card.splits != layout.counts:
        raise DataError(
            f"{path} holds {layout.counts} images where '{card.id}' has {card.splits}; "
            "put the right file there"
        )
    if card.resolution is not None and layout.size != (card.resolution, card.resolution):
        raise DataError(
            f"{path} holds images of {layout.size[0]} x {layout.size[1]} pixels where '{card.id}' "
            f"has {card.resolution} x {card.resolution}; put the right file there"
        )
    if card.labels is not None and not layout.labels:
        raise DataError(f"{path} has no labels where '{card.id}' has some; add train_labels, ...")


def _labels(
    archive: Archive, layout: Layout, declared: Kind | None
) -> dict[str, NDArray[np.int64]]:
    for split, member in layout.labels.items():  # before a byte of them is unpacked
        if member.shape and member.shape[0] != layout.counts[split]:
            raise DataError(
                f"{archive.path}: {member.name} holds {member.shape[0]} labels for "
                f"{layout.counts[split]} images; save one for each"
            )
    labels = {}
    for split, member in layout.labels.items():
        where = f"{archive.path}: {member.name}"
        values = labels_of(archive.array(member.name), layout.counts[split], where)
        labels[split] = as_declared(values, declared, where)
    return labels


def _groups(archive: Archive, layout: Layout, split: str) -> NDArray[np.str_]:
    member = layout.groups[split]
    if member.dtype.kind not in "iuU" or member.shape != (layout.counts[split],):
        raise DataError(
            f"{archive.path}: {member.name} is {member.dtype} {list(member.shape)}; save one "
            "number or string for each image"
        )
    return archive.array(member.name).astype(np.str_)


def _columns(archive: Archive, layout: Layout) -> dict[str, Columns]:
    """Return the columns of each split: texts, or float64; truth values are texts."""
    columns: dict[str, Columns] = {}
    for split, members in layout.columns.items():
        columns[split] = {}
        for name, member in members.items():
            if member.dtype.kind not in "iufbU" or member.shape != (layout.counts[split],):
                raise DataError(
                    f"{archive.path}: {member.name} is {member.dtype} {list(member.shape)}; save "
                    "one number or text for each image"
                )
            values = archive.array(member.name)
            if member.dtype.kind in "bU":
                columns[split][name] = np.array([known(str(v)) for v in values.tolist()], np.str_)
            else:
                columns[split][name] = values.astype(np.float64)
    named = [split for split, members in layout.columns.items() if members]
    groups = {
        split: _groups(archive, layout, split).tolist() for split in named if split in layout.groups
    }
    checked(columns, groups, str(archive.path))
    return columns


def _held(streams: dict[str, Stream]) -> tuple[dict[str, Images], dict[str, str]]:
    arrays = {name: np.concatenate(list(stream.chunks())) for name, stream in streams.items()}
    return (
        {name: ArrayImages(array) for name, array in arrays.items()},
        {name: _digest(array) for name, array in arrays.items()},
    )


def _digest(array: NDArray[Any]) -> str:
    return f"sha256:{hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()}"


READER = Reader(
    "npz",
    card_of,
    read,
    unpacked_bytes=unpacked_bytes,
    declares=("labels", "mask_values", "ignore"),
)
