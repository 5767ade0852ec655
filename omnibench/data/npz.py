"""Datasets in one npz file: MedMNIST, MedSegBench, and any other laid out as `npz_layout` says.

Images that take more than IN_MEMORY bytes are unpacked once to plain files and read there; smaller
ones are held in memory.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import SPLITS, DatasetCard
from omnibench.data import (
    ArrayImages,
    Dataset,
    Images,
    Labels,
    Maps,
    Masks,
    Reader,
    Split,
    Target,
    local_card,
)
from omnibench.data.checksums import checksum_like, sha256_of
from omnibench.data.columns import Columns, checked, known
from omnibench.data.declaration import (
    declaration_of,
    read_declaration,
    refuse_unused,
    required_facts,
)
from omnibench.data.labels import (
    Kind,
    as_declared,
    check_labels,
    infer,
    labels_of,
    primary_metric,
)
from omnibench.data.maps import check_channels
from omnibench.data.noisy_labels import NOISY
from omnibench.data.npz_archive import Archive, Member
from omnibench.data.npz_layout import Layout, layout_of
from omnibench.data.npz_streams import streams_of
from omnibench.data.npz_volumes import split_of
from omnibench.data.packing import Stream, outlined, pack, place_of
from omnibench.errors import DataError

IN_MEMORY = 64_000_000


def card_of(path: Path) -> DatasetCard:
    """Return the card of `npz:PATH`, from the file's headers and labels; no image is unpacked.

    Two classes make a binary set, columns of zeros and ones a multi-label one; the classes are
    numbered as the labels of all splits are, unless another kind is declared.

    Raises:
        DataError: the file is absent, damaged, or not laid out as `npz_layout` says.
    """
    declared = read_declaration(path).labels
    with Archive(path) as archive:
        layout = layout_of(archive)
        kind, classes = None, tuple[str, ...]()
        if layout.labels:
            labels = _labels(archive, layout, layout.labels, declared)
            kind, classes = infer(labels, str(path), declared)
        _columns(archive, layout)  # refused before a run
    used = ["labels"] * bool(layout.labels) + ["maps"] * bool(layout.maps)
    used += ["mask_values", "ignore", "pixel_spacing"] * bool(layout.masks)
    refuse_unused(path, used)
    facts = read_declaration(path).maps
    if layout.maps:
        facts = required_facts(path, read_declaration(path), "train_targets")
        check_channels(facts, layout.maps["train"].shape[3:], f"{path}: train_targets")
    return local_card(
        "npz",
        path,
        tasks=(
            *["classification" if layout.slices is None else "volumes"] * bool(layout.labels),
            *["segmentation"] * bool(layout.masks),
            *["dense"] * bool(layout.maps),
        ),
        labels=kind,
        classes=classes,
        primary={"classification" if layout.slices is None else "volumes": primary_metric(kind)}
        if kind
        else {},
        channels=layout.channels,
        resolution=layout.resolution,
        pixel_spacing=read_declaration(path).pixel_spacing,
        maps=facts,
        splits=layout.counts,
        images_per_study=layout.slices,
        noisy_labels=bool(layout.noisy),
    )


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Read the dataset of a card with one of `files`, whose checksum is verified, or a `path`.

    Its digests are the SHA-256 of each array's bytes: uint8 images and masks, int64 labels.

    Raises:
        DataError: the file is absent, damaged, another than the card's, or breaks a rule of
            `npz_layout`; naming file, array and image or label.
    """
    return _dataset(card, data_dir, unpacks=True)


def outline(card: DatasetCard, data_dir: Path) -> Dataset:
    """Return the dataset as headers, labels and columns tell it, without digests.

    Its images and masks may not be read, and maps of numbers are left out.

    Raises:
        DataError: as `read`.
    """
    return _dataset(card, data_dir, unpacks=False)


def _dataset(card: DatasetCard, data_dir: Path, unpacks: bool) -> Dataset:
    path, checksum = _source(card, data_dir)
    with Archive(path) as archive:
        layout = layout_of(archive, card)
        _check_counts(card, layout, path)
        declared = declaration_of(card).labels
        labels = _labels(archive, layout, layout.labels, declared)
        noisy = _labels(archive, layout, layout.noisy, declared)
        if card.labels is not None:
            for members, arrays in ((layout.labels, labels), (layout.noisy, noisy)):
                for split, values in arrays.items():
                    check_labels(values, card, f"{path}: {members[split].name}")
        streams = streams_of(archive, layout)
        folder = place_of(data_dir, checksum)
        images: dict[str, Images]
        digests: dict[str, str] = {}
        if not unpacks:
            images = dict(outlined(folder, streams))
        elif sum(stream.nbytes for stream in streams.values()) < IN_MEMORY:
            images, digests = _held(streams)
        else:
            packed = pack(folder, streams, str(path))
            images = dict(packed)
            digests = {name: array.checksum for name, array in packed.items()}
        groups = {split: _groups(archive, layout, split) for split in layout.groups}
        columns = _columns(archive, layout)
        maps = {split: _maps(archive, layout, split) for split in layout.maps if unpacks}
    for split, own in maps.items():
        digests[f"{split}_targets"] = _digest(own.images.read(0, len(own)))
        if own.valid is not None:
            digests[f"{split}_valid"] = _digest(own.valid.read(0, len(own)))
    digests |= {f"{split}_labels": _digest(values) for split, values in labels.items()}
    digests |= {f"{split}_{NOISY}": _digest(values) for split, values in noisy.items()}
    if layout.slices is not None:
        splits = {
            split: split_of(
                split, images[f"{split}_images"], values, groups.get(split), columns[split]
            )
            for split, values in labels.items()
        }
        return Dataset(card, splits, digests)
    targets: dict[str, dict[str, Target]] = {split: {} for split in SPLITS}
    for split, values in labels.items():
        targets[split]["labels"] = Labels(values)
    for split, values in noisy.items():
        targets[split][NOISY] = Labels(values)
    for split in layout.masks:
        targets[split]["masks"] = Masks(images[f"{split}_masks"])
    for split, own in maps.items():
        targets[split]["maps"] = own
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


def unpacked_bytes(path: Path, data_dir: Path | None = None) -> int:
    """Return what the images and masks of `npz:PATH` take unpacked; 0 where memory holds them.

    Args:
        data_dir: 0, too, of what is unpacked there.

    Raises:
        DataError: as `card_of`.
    """
    with Archive(path) as archive:
        streams = streams_of(archive, layout_of(archive))
    size = sum(stream.nbytes for stream in streams.values())
    is_there = data_dir is not None and place_of(data_dir, sha256_of(path, data_dir)).is_dir()
    return 0 if size < IN_MEMORY or is_there else size


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
            f"{path} holds {layout.counts} {layout.what}s where '{card.id}' has {card.splits}; "
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
    archive: Archive, layout: Layout, members: Mapping[str, Member], declared: Kind | None
) -> dict[str, NDArray[np.int64]]:
    for split, member in members.items():  # before a byte of them is unpacked
        if member.shape and member.shape[0] != layout.counts[split]:
            raise DataError(
                f"{archive.path}: {member.name} holds {member.shape[0]} labels for "
                f"{layout.counts[split]} {layout.what}s; save one for each"
            )
    labels = {}
    for split, member in members.items():
        where = f"{archive.path}: {member.name}"
        values = labels_of(archive.array(member.name), layout.counts[split], where)
        labels[split] = as_declared(values, declared, where)
    return labels


def _maps(archive: Archive, layout: Layout, split: str) -> Maps:
    """Return a split's maps, which memory holds."""
    values = archive.array(layout.maps[split].name).astype(np.float32, copy=False)
    known = layout.valid.get(split)
    valid = None if known is None else ArrayImages(archive.array(known.name))
    return Maps(ArrayImages(values), valid)


def _groups(archive: Archive, layout: Layout, split: str) -> NDArray[np.str_]:
    member = layout.groups[split]
    if member.dtype.kind not in "iuU" or member.shape != (layout.counts[split],):
        raise DataError(
            f"{archive.path}: {member.name} is {member.dtype} {list(member.shape)}; save one "
            f"number or string for each {layout.what}"
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
                    f"one number or text for each {layout.what}"
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
    outline=outline,
    declares=("labels", "maps", "mask_values", "ignore", "pixel_spacing"),
)
