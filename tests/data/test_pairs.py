import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.declaration import VOID
from omnibench.data.masks import class_indexed
from omnibench.data.pairs import card_of, pairs_of, read, source_digest
from omnibench.data.sources import missing, resolve
from omnibench.data.sources import source_digest as digest_of
from omnibench.errors import DataError
from tests.target_values import masks_of

PIL = pytest.importorskip("PIL.Image")


def save(path: Path, value: int = 0, mode: str = "L", size: tuple[int, int] = (6, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.new(mode, size, value).save(path)
    return path


def save_array(path: Path, array: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.fromarray(array).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two pairs to train on, one to validate and one to test with; the masks hold 0 and 255."""
    root = tmp_path / "my set"
    for name, mask in (
        ("train/{}/b.JPG", "b.png"),
        ("train/{}/a.png", "a.PNG"),
        ("val/{}/x.bmp", "x.bmp"),
        ("test/{}/x.tiff", "x.tif"),
    ):
        image = save(root / name.format("images"), 100)
        save(image.parents[1] / "masks" / mask, 255 if mask == "b.png" else 0)
    (root / "train/masks/.DS_Store").write_bytes(b"x")
    (root / "train/images/notes.txt").write_text("x")
    return root


def test_the_card(root: Path) -> None:
    assert card_of(root) == DatasetCard(
        id="pairs-my-set",
        reader="pairs",
        path=str(root),
        tasks=("segmentation",),
        splits={"train": 2, "val": 1, "test": 1},
        primary={"segmentation": "dice"},
    )


def test_a_suite_names_it(root: Path, tmp_path: Path) -> None:
    card = resolve("pairs:my set", tmp_path)
    assert card == card_of(root)
    assert missing(card, tmp_path) == []
    assert digest_of(card, tmp_path) == source_digest(root, tmp_path)
    shutil.rmtree(root / "val")
    [need] = missing(resolve("pairs:my set", tmp_path), tmp_path)
    assert "data pairs-my-set: " in need
    assert "has no folder val" in need


def test_images_and_masks_go_together(root: Path, tmp_path: Path) -> None:
    dataset = read(card_of(root), tmp_path)
    assert (dataset.card.channels, dataset.card.resolution) == (1, None)
    train = dataset.splits["train"]
    assert train.images.shape == masks_of(train).shape == (2, 4, 6)
    assert masks_of(train).read(0, 9)[:, 0, 0].tolist() == [0, 255]  # a, b
    assert masks_of(train).read_rows(np.array([1, 1])).max(axis=(1, 2)).tolist() == [255, 255]
    assert dataset.digests == {"files": source_digest(root, tmp_path)}
    assert class_indexed(dataset).card.mask_classes == ("0", "255")


def test_the_digest_is_that_of_images_and_masks(root: Path, tmp_path: Path) -> None:
    digest = source_digest(root, tmp_path)
    (root / "train/images/.thumbs").write_bytes(b"x")
    shutil.copytree(root, tmp_path / "copy")
    assert source_digest(tmp_path / "copy", tmp_path) == digest
    save(root / "test/masks/x.tif", 7)
    assert source_digest(root, tmp_path) != digest


def test_palettes_give_indices_and_black_and_white_0_and_1(root: Path, tmp_path: Path) -> None:
    indices = np.arange(24, dtype=np.uint8).reshape(4, 6) % 3
    palette = PIL.fromarray(indices)
    palette.putpalette([0, 0, 0, 0, 200, 0, 0, 0, 200])  # makes mode P
    palette.info["transparency"] = 0
    palette.save(root / "train/masks/a.PNG")
    save_array(root / "train/masks/b.png", indices > 0)
    masks = masks_of(read(card_of(root), tmp_path).splits["train"])
    np.testing.assert_array_equal(masks.read(0, 2), [indices, indices > 0])


def test_palettes_that_leave_doubt_are_refused(root: Path, tmp_path: Path) -> None:
    palette = PIL.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) % 2)
    for name, colours in (("a.PNG", [0, 0, 0, 250, 0, 0]), ("b.png", [0, 0, 0, 0, 250, 0])):
        palette.putpalette(colours)
        palette.save(root / "train/masks" / name)
    with pytest.raises(DataError, match=r"b\.png has #00fa00 as index 1 .*a\.PNG has #fa0000"):
        read(card_of(root), tmp_path)
    palette.putpalette([250, 0, 0, 0, 0, 0])
    palette.save(root / "train/masks/a.PNG")
    with pytest.raises(DataError, match=r"a\.PNG has the colour #fa0000 .*index 0.*mask_values"):
        read(card_of(root), tmp_path)


def test_declared_colours_are_read_from_palettes_and_colour_masks(
    root: Path, tmp_path: Path
) -> None:
    (root / "omnibench.yaml").write_text(
        'mask_values: {"#000000": background, "#fa0000": lesion, "#00fa00": lesion}\n'
        'ignore: ["#ffffff"]\n'
    )
    lesion = np.arange(24).reshape(4, 6) % 2
    palette = PIL.fromarray(1 - lesion.astype(np.uint8))
    palette.putpalette([250, 0, 0, 0, 0, 0])  # index 0 is the lesion
    palette.save(root / "train/masks/a.PNG")
    colour = np.zeros((4, 6, 3), np.uint8)
    colour[..., 1] = 250 * lesion
    colour[0, 0] = 255
    save_array(root / "train/masks/b.png", colour)
    dataset = class_indexed(read(card_of(root), tmp_path))
    assert dataset.card.mask_classes == ("background", "lesion")
    void = lesion.copy()
    void[0, 0] = VOID
    np.testing.assert_array_equal(masks_of(dataset.splits["train"]).read(0, 2), [lesion, void])
    colour[3, 5] = (1, 2, 3)
    save_array(root / "train/masks/b.png", colour)
    with pytest.raises(DataError, match=r"b\.png holds the colour #010203, which is not declared"):
        class_indexed(read(card_of(root), tmp_path))


def test_image_and_mask_are_turned_alike(root: Path, tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    exif = PIL.Exif()
    exif[0x0112] = 6
    for folder, name in (("images", "a.png"), ("masks", "a.PNG")):
        PIL.fromarray(pixels).save(root / "train" / folder / name, exif=exif)
    (root / "train/images/b.JPG").unlink()
    (root / "train/masks/b.png").unlink()
    for split in ("val", "test"):
        for path in (root / split).rglob("x.*"):
            save(path, size=(4, 6))
    train = read(card_of(root), tmp_path).splits["train"]
    np.testing.assert_array_equal(train.images.read(0, 1)[0], np.rot90(pixels, -1))
    np.testing.assert_array_equal(masks_of(train).read(0, 1)[0], np.rot90(pixels, -1))


def test_masks_are_resized_with_their_images_and_keep_their_values(
    root: Path, tmp_path: Path
) -> None:
    square = np.zeros((40, 60), np.uint8)
    square[10:30, 15:45] = 200
    save_array(root / "train/images/a.png", square)
    save_array(root / "train/masks/a.PNG", square // 50)
    small = np.zeros((4, 6), np.uint8)
    small[1:3, 2:4] = 3
    save_array(root / "val/masks/x.bmp", small)
    splits = read(card_of(root), tmp_path).splits
    masks, enlarged = masks_of(splits["train"]), masks_of(splits["val"])
    np.testing.assert_array_equal(masks.read(0, 1)[0], square // 50)
    np.testing.assert_array_equal(enlarged.read(0, 1)[0], small.repeat(10, 0).repeat(10, 1))
    assert splits["val"].images.shape == (1, 40, 60)


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: shutil.rmtree(root), "my set is not a folder"),
        (lambda root: shutil.rmtree(root / "val"), "no folder val;"),
        (lambda root: shutil.rmtree(root / "val/masks"), "no folder val/masks"),
        (lambda root: (root / "test/masks/x.tif").unlink(), r"x\.tiff has no mask; put one"),
        (
            lambda root: (root / "test/masks/x.tif").rename(root / "test/masks/x.nii.gz"),
            r"masks/x\.nii\.gz is a NIfTI file, .* rows and columns of .*x\.tiff; .* as x\.png",
        ),
        (lambda root: (root / "test/images/x.tiff").unlink(), r"x\.tif has no image; put one"),
        (lambda root: save(root / "val/masks/x.jpg"), r"x\.jpg is a JPG file.*save masks as PNG"),
        (
            lambda root: save(root / "val/masks/x.webp"),
            r"x\.webp is a WEBP file.*save masks as PNG",
        ),
        (lambda root: save(root / "val/images/x.png"), r"x\.png has the name of .*x\.bmp"),
        (lambda root: save(root / "val/masks/deep/y.png"), "deep is a folder among images"),
        (lambda root: link(root / "val/images/l.png", root.parent), r"l\.png is a link .* out"),
        (lambda root: link(root / "val/masks/l.png", root.parent), r"l\.png is a link .* out"),
        (lambda root: link(root / "extra", root.parent), "extra is a link that leads out"),
    ],
)
def test_refusals_by_name(root: Path, change: Callable[[Path], object], message: str) -> None:
    change(root)
    with pytest.raises(DataError, match=message):
        pairs_of(root)


def test_an_empty_split_is_refused(root: Path) -> None:
    (root / "val/images/x.bmp").unlink()
    (root / "val/masks/x.bmp").unlink()
    with pytest.raises(DataError, match=r"val holds no image.*every split needs some"):
        pairs_of(root)


@pytest.mark.parametrize("place", ["train", "train/masks"])
def test_folders_that_are_links_out_are_refused(root: Path, place: str) -> None:
    (root / place).rename(root.parent / "outside")
    link(root / place, root.parent / "outside")
    with pytest.raises(DataError, match=r"is a link that leads out of .*my set"):
        pairs_of(root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: save(path, mode="RGB"), r"colour .*\(mode RGB\).*one channel"),
        (lambda path: save(path, mode="RGBA"), r"colour .*\(mode RGBA\)"),
        (lambda path: save(path, mode="LA"), r"transparency \(mode LA\)"),
        (lambda path: save(path, mode="I;16"), "more than 8 bits.*save class values 0..255"),
        (lambda path: save(path, size=(6, 5)), r"is 6 x 5 pixels where .*b\.JPG is 6 x 4"),
        (lambda path: path.write_bytes(b"no image"), "cannot be read as an image.*replace"),
    ],
)
def test_masks_that_are_refused(
    root: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    change(root / "train/masks/b.png")
    with pytest.raises(DataError, match=rf"b\.png.*{message}"):
        read(card_of(root), tmp_path)


def test_a_mask_cut_short_is_named(root: Path, tmp_path: Path) -> None:
    path = root / "train/masks/b.png"
    pixels = np.random.default_rng(0).integers(0, 3, (64, 64), dtype=np.uint8)
    save_array(root / "train/images/b.JPG", pixels)
    save_array(path, pixels)
    path.write_bytes(path.read_bytes()[:400])
    masks = masks_of(read(card_of(root), tmp_path).splits["train"])
    with pytest.raises(DataError, match=r"b\.png cannot be read as an image"):
        masks.read(0, 2)


def test_image_and_mask_match_in_two_forms_of_an_accent(root: Path) -> None:
    save(root / "train/images/l\u00e9.png")
    save(root / "train/masks/le\u0301.png")
    assert len(pairs_of(root).images["train"]) == 3


def test_masks_of_several_sizes_have_another_digest_than_before(root: Path, tmp_path: Path) -> None:
    names = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.*")
        if path.name not in ("notes.txt", ".DS_Store")
    ]
    plain = f"sha256:{sha256_of_folder(root, names, tmp_path)}"
    assert source_digest(root, tmp_path) == plain
    for folder, name in (("images", "a.png"), ("masks", "a.PNG")):
        save(root / "train" / folder / name, size=(7, 7))
    assert source_digest(root, tmp_path) != f"sha256:{sha256_of_folder(root, names, tmp_path)}"
