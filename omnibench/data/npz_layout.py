"""How an npz file lays a dataset out: any file with arrays named as MedMNIST's or MedSegBench's.

For each split of train, val and test:

- `{split}_images`: [N, H, W], [N, H, W, 1] or [N, H, W, 3]; uint8, or floats between 0 and 1.
- `{split}_labels` (MedMNIST), or `{split}_class` where no split has that: [N], [N, 1] or [N, L].
- `{split}_targets`: maps of numbers [N, H, W], or [N, H, W, C] where channels are declared,
  floats, in the unit and range that are declared beside the file; with `{split}_valid`, optional,
  bool [N, H, W]: whose numbers are known.
- `{split}_label` (MedSegBench): masks [N, H, W] or [N, H, W, 1] of class values 0..255.
- `train_labels_noisy` and `val_labels_noisy`, optional: as the labels, made more cheaply.
- `{split}_groups`, optional: [N] patient or study ids.
- `{split}_quality`, optional: [N] numbers, the column `quality`; the larger the better.
- `{split}_column_NAME`, optional: [N] texts or numbers, of which `columns` says what they serve.
- `{split}_volumes`, in the place of images and masks: as `npz_volumes` says.

The layout is told from headers alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from omnibench.cards import SPLITS, DatasetCard
from omnibench.data.noisy_labels import LEARNT, NOISY
from omnibench.data.npz_archive import Archive, Member
from omnibench.data.npz_volumes import volume_shape
from omnibench.errors import DataError
from omnibench.views import QUALITY


@dataclass(frozen=True)
class Layout:
    """The arrays of a dataset, by split.

    Attributes:
        images: of single images, or of volumes.
        size: (H, W) of every image and mask.
        slices: D of volumes; None of single images.
        labels, noisy, masks, maps: empty where the dataset has none.
        valid: of the maps; of the splits that have them.
        groups: of the splits that have them.
        columns: of each split, by name.
    """

    images: Mapping[str, Member]
    labels: Mapping[str, Member]
    noisy: Mapping[str, Member]
    masks: Mapping[str, Member]
    maps: Mapping[str, Member]
    valid: Mapping[str, Member]
    groups: Mapping[str, Member]
    columns: Mapping[str, Mapping[str, Member]]
    channels: Literal[1, 3]
    size: tuple[int, int]
    slices: int | None = None

    @property
    def what(self) -> str:
        """Return what there is a label for each of: "image" or "volume"."""
        return "image" if self.slices is None else "volume"

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of images, or of volumes, of each split."""
        return {split: member.shape[0] for split, member in self.images.items()}

    @property
    def resolution(self) -> int | None:
        """Return the side of the images in pixels, if they are square."""
        return self.size[0] if self.size[0] == self.size[1] else None


def layout_of(archive: Archive, card: DatasetCard | None = None) -> Layout:
    """Return the layout of an npz dataset.

    Args:
        card: of a dataset whose channels are known, and whether it is made of volumes.

    Raises:
        DataError: an array is missing, or its type or shape fits none of the rules above.
    """
    where = archive.path
    images, volumes = _of_all_splits(archive, "_images"), _of_all_splits(archive, "_volumes")
    if images and volumes:
        raise DataError(
            f"{where} has both images (train_images, ...) and volumes (train_volumes, ...); save "
            "them as two datasets"
        )
    if card is not None and card.images_per_study is not None:
        images, volumes = {}, volumes or images  # MedMNIST3D calls its volumes images
    labels = _of_all_splits(archive, "_labels") or _of_all_splits(archive, "_class")
    noisy = _of_all_splits(archive, f"_{NOISY}", LEARNT)
    masks = _of_all_splits(archive, "_label")
    maps = _of_all_splits(archive, "_targets")
    valid = {split: own for split in maps if (own := archive.member(f"{split}_valid"))}
    if volumes and (masks or maps or not labels):
        raise DataError(
            f"{where} has {'masks or maps' if masks or maps else 'no labels'} beside volumes, "
            "of which each has a label (train_labels, ...) and none a mask or a map; "
            f"{'leave them out' if masks or maps else 'add them'}"
        )
    if not images and not volumes:
        raise DataError(
            f"{where} has no train_images, val_images and test_images; an npz dataset is made of "
            "these, or of train_volumes and so on, with train_labels, val_labels and test_labels"
        )
    if not labels and not masks and not maps:
        raise DataError(
            f"{where} has neither labels (train_labels, ...) nor masks (train_label, ...) nor maps "
            "of numbers (train_targets, ...); add one of them for each split"
        )
    stored = images or volumes
    shapes: dict[str, tuple[int | None, int, int, Literal[1, 3]]] = {}
    for split, member in stored.items():
        _check_values(where, member)
        shapes[split] = (
            volume_shape(where, member)
            if volumes
            else (None, *_image_shape(where, member, card.channels if card else None))
        )
        if shapes[split] != shapes["train"]:
            raise DataError(
                f"{where}: {member.name} is {list(member.shape)} where {stored['train'].name} is "
                f"{list(stored['train'].shape)}; bring all splits to one size and one number of "
                f"{'slices' if volumes else 'channels'}"
            )
    slices, height, width, channels = shapes["train"]
    for split, member in masks.items():
        _check_mask(where, member, (images[split].shape[0], height, width))
    for split, member in maps.items():
        expected = (images[split].shape[0], height, width, *maps["train"].shape[3:4])
        _check_map(where, member, expected, "f", "floats")
    for split, member in valid.items():
        _check_map(where, member, maps[split].shape[:3], "b", "truth values")
    groups = {split: ids for split in SPLITS if (ids := archive.member(f"{split}_groups"))}
    columns = {split: archive.members(f"{split}_column_") for split in SPLITS}
    for split in SPLITS:
        if (scores := archive.member(f"{split}_{QUALITY}")) is not None:
            columns[split] = {**columns[split], QUALITY: scores}
    if noisy and (not labels or volumes):
        raise DataError(
            f"{where} has noisy labels {'of volumes' if volumes else 'and no clean ones'}; "
            f"{'leave them out' if volumes else 'add train_labels, ...'}"
        )
    size = height, width
    return Layout(
        stored, labels, noisy, masks, maps, valid, groups, columns, channels, size, slices
    )


def _of_all_splits(
    archive: Archive, suffix: str, splits: Sequence[str] = SPLITS
) -> dict[str, Member]:
    """Return the arrays `{split}{suffix}`: of every split or of none."""
    members = {split: archive.member(f"{split}{suffix}") for split in splits}
    absent = [f"{split}{suffix}" for split, member in members.items() if member is None]
    if len(absent) == len(splits):
        return {}
    if absent:
        raise DataError(
            f"{archive.path} has no {' and no '.join(absent)}; add what is missing: a dataset has "
            f"the splits {', '.join(splits[:-1])} and {splits[-1]}"
        )
    return {split: member for split, member in members.items() if member is not None}


def _check_values(where: Path, member: Member) -> None:
    if member.dtype != "uint8" and member.dtype.kind != "f":
        raise DataError(
            f"{where}: {member.name} holds {member.dtype}; save uint8 images, or floats between 0 "
            "and 1 (window CT and MR values first)"
        )


def _image_shape(
    where: Path, member: Member, channels: int | None
) -> tuple[int, int, Literal[1, 3]]:
    """Return (H, W, channels) of an image array."""
    shape = member.shape
    if len(shape) == 3 and channels == 3:
        raise DataError(
            f"{where}: {member.name} is {list(shape)}, three dimensions where colour images have "
            "four, [N, H, W, 3]; name a dataset of grey images or save the colour ones"
        )
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        hint = ""
        if len(shape) == 4 and shape[1] in (1, 3):
            hint = f" (channels stand last: {member.name}.transpose(0, 2, 3, 1))"
        elif len(shape) == 4:
            hint = " (volumes [N, D, H, W] are called train_volumes and so on)"
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


def _check_map(
    where: Path, member: Member, expected: tuple[int, ...], kind: str, values: str
) -> None:
    if member.shape != expected or member.dtype.kind != kind:
        raise DataError(
            f"{where}: {member.name} is {member.dtype} {list(member.shape)} where {values} of its "
            f"images' size are due, {list(expected)}; save one for each pixel"
        )


def _check_mask(where: Path, member: Member, expected: tuple[int, int, int]) -> None:
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
