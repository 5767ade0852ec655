"""Folders of images and maps of numbers: read as they are, or refused in a sentence."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnibench.data import Maps
from omnibench.data.maps import checked_maps
from omnibench.data.pairs import card_of, read, source_digest
from omnibench.errors import DataError

DECLARED = "maps: {unit: mm, range: [0, 2]}"
NUMBERS = np.random.default_rng(0).random((12, 14)).astype(np.float32)


def write(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, map=array)
    else:
        Image.fromarray(array).save(path)


def write_each(paths: Iterable[Path], array: Any) -> None:
    for path in list(paths):
        write(path, array)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two images of 14 x 12 pixels a split and their maps, of every kind of file."""
    for split in ("train", "val", "test"):
        for name in ("a.npy", "b.npz" if split == "val" else "b.tif"):
            write(tmp_path / f"s/{split}/targets/{name}", NUMBERS)
            stem = Path(name).stem
            write(tmp_path / f"s/{split}/images/{stem}.png", np.zeros((12, 14), np.uint8))
    (tmp_path / "s/omnibench.yaml").write_text(DECLARED)
    return tmp_path / "s"


def test_maps_of_every_kind_of_file_are_read(root: Path, tmp_path: Path) -> None:
    card = card_of(root)
    assert (card.tasks, card.primary) == (("dense",), {"dense": "mae"})
    for split in ("train", "val"):
        maps = read(card, tmp_path).target(split, "maps", Maps)
        values, valid = maps.read_rows(np.arange(2))
        np.testing.assert_array_equal(values, [NUMBERS, NUMBERS])
        assert valid.all()


def test_a_mask_says_which_numbers_are_known(root: Path, tmp_path: Path) -> None:
    before = source_digest(root, tmp_path)
    mask = np.full((12, 14), 255, np.uint8)
    mask[:3] = 0
    unknown = np.where(mask > 0, NUMBERS, np.nan)
    for stem in "ab":
        write(root / f"train/valid/{stem}.png", mask)
    write(root / "train/targets/a.npy", unknown)
    dataset = read(card_of(root), tmp_path)
    checked_maps(dataset)
    _, valid = dataset.target("train", "maps", Maps).read_rows(np.array([0]))
    np.testing.assert_array_equal(valid[0], mask > 0)
    assert source_digest(root, tmp_path) != before
    write(root / "train/targets/b.tif", np.where(mask > 0, np.nan, NUMBERS))
    with pytest.raises(DataError, match=r"b\.png of train .* holds nan in a valid pixel; save"):
        checked_maps(read(card_of(root), tmp_path))


def test_channels_are_declared(root: Path, tmp_path: Path) -> None:
    for path in root.rglob("targets/*"):
        path.unlink()
        write(path.with_suffix(".npy"), np.stack([NUMBERS, 2 * NUMBERS], axis=-1))
    with pytest.raises(DataError, match=r"a\.npy holds 2 numbers a pixel .* no channels are"):
        read(card_of(root), tmp_path)
    (root / "omnibench.yaml").write_text(f"{DECLARED[:-1]}, channels: [once, twice]}}")
    dataset = read(card_of(root), tmp_path)
    assert checked_maps(dataset).channels == ("once", "twice")
    values, valid = dataset.target("val", "maps", Maps).read_rows(np.array([1]))
    assert (values.shape, valid.shape) == ((1, 12, 14, 2), (1, 12, 14))


def masked(root: Path, value: Any, shape: tuple[int, int] = (12, 14)) -> None:
    for stem in "ab":
        write(root / f"train/valid/{stem}.png", np.full(shape, value, np.uint8))


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "undeclared": (
        lambda root: (root / "omnibench.yaml").unlink(),
        r"train/targets, \.\.\.\), and nothing says what they are in; write their unit and range",
    ),
    "no unit": (
        lambda root: (root / "omnibench.yaml").write_text("maps: {range: [0, 2]}"),
        r"maps\.unit",
    ),
    "of masks": (
        lambda root: (root / "omnibench.yaml").write_text(f"{DECLARED}\nignore: [1]"),
        "declares mask_values or ignore, which says nothing of maps",
    ),
    "two kinds": (
        lambda root: write(root / "val/masks/a.png", NUMBERS.astype(np.uint8)),
        "has masks/ and targets/; keep",
    ),
    "absent": (
        lambda root: (root / "test/targets/a.npy").unlink(),
        r"a\.png has no map; put one called a\.npy in",
    ),
    "other size": (
        lambda root: write(root / "train/targets/a.npy", NUMBERS[:8]),
        r"a\.npy is 14 x 8 pixels where .*a\.png is 14 x 12; save the map at its image's size",
    ),
    "integers": (
        lambda root: write(root / "train/targets/a.npy", NUMBERS.astype(np.int16)),
        r"a\.npy is int16 \[12, 14\] where floats",
    ),
    "16-bit TIFF": (
        lambda root: write(root / "train/targets/b.tif", NUMBERS.astype(np.uint16)),
        r"b\.tif is uint16 \[12, 14\] where floats",
    ),
    "pickle": (
        lambda root: np.save(root / "train/targets/a.npy", np.array([{}]), allow_pickle=True),
        r"a\.npy cannot be read as a map .*pickle",
    ),
    "damaged": (
        lambda root: (root / "val/targets/b.npz").write_bytes(b"PK no archive"),
        r"b\.npz cannot be read as a map",
    ),
    "infinite": (
        lambda root: write(root / "train/targets/a.npy", NUMBERS + np.inf),
        r"a\.png of train .* holds inf in a valid pixel",
    ),
    "constant": (
        lambda root: write_each((root / "train/targets").iterdir(), 0 * NUMBERS + 1),
        "every valid pixel of the training maps of 'pairs-s' is 1, so that there is nothing",
    ),
    "beyond the range": (
        lambda root: write(root / "val/targets/a.npy", NUMBERS + 5),
        r"a\.png of val .* where the range of its maps is 0 to 2 mm",
    ),
    "nothing valid": (lambda root: masked(root, 0), "a.png of train of 'pairs-s' has no valid"),
    "mask of another size": (
        lambda root: masked(root, 1, (6, 7)),
        r"valid/a\.png is 7 x 6 pixels where .*images/a\.png is 14 x 12",
    ),
    "a mask missing": (
        lambda root: write(root / "train/valid/a.png", NUMBERS.astype(np.uint8)),
        r"b\.png has no .*valid/b\.png",
    ),
    "too large": (
        lambda root: write_each(root.rglob("images/*.png"), np.zeros((520, 4), np.uint8)),
        r"are 4 x 520 pixels, and those beyond 512",
    ),
    "images of two sizes": (
        lambda root: write(root / "val/images/a.png", np.zeros((12, 20), np.uint8)),
        "where others are up to 20 x 12; bring images with maps to one size",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(root: Path, tmp_path: Path, name: str) -> None:
    change, sentence = REFUSED[name]
    change(root)
    with pytest.raises(DataError, match=sentence):
        checked_maps(read(card_of(root), tmp_path))


def test_a_declaration_of_maps_beside_masks_is_refused(root: Path) -> None:
    for path in root.rglob("targets"):
        path.rename(path.with_name("masks"))
        write(path.with_name("masks") / "b.png", NUMBERS.astype(np.uint8))
    for path in [*root.rglob("*.npy"), *root.rglob("*.npz"), *root.rglob("b.tif")]:
        path.unlink()
    for path in root.rglob("images/a.png"):
        path.unlink()
    with pytest.raises(DataError, match=r"declares maps, and .* has masks; put maps of numbers"):
        card_of(root)


def test_a_nifti_file_in_the_place_of_a_map_is_named_with_the_way_out(root: Path) -> None:
    (root / "train/targets/a.npy").rename(root / "train/targets/a.nii")
    with pytest.raises(DataError, match=r"targets/a\.nii is a NIfTI file, .* save .* as a\.npy"):
        card_of(root)
