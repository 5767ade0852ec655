import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, npz, npz_archive
from omnibench.data.npz import card_of, read
from omnibench.data.npz_archive import Archive
from omnibench.data.packing import PackedImages
from omnibench.errors import DataError
from tests.target_values import labels_of, masks_of

Arrays: Any = dict[str, Any]
Save: Any = Callable[..., Path]
SPLITS = ("train", "val", "test")


def test_the_card_tells_what_the_file_holds(arrays: Arrays, save: Save) -> None:
    path = save(arrays, "my file.npz")
    assert card_of(path) == DatasetCard(
        id="npz-my-file",
        reader="npz",
        path=str(path),
        tasks=("classification",),
        labels="binary",
        classes=("0", "1"),
        channels=1,
        resolution=8,
        splits={"train": 6, "val": 4, "test": 5},
        primary={"classification": "macro-f1"},
    )


def test_the_card_needs_no_image(
    arrays: Arrays, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(arrays)
    original = Archive.array

    def only_labels(archive: Archive, name: str) -> Any:
        assert name.endswith("_labels")
        return original(archive, name)

    monkeypatch.setattr(Archive, "array", only_labels)
    monkeypatch.setattr(Archive, "chunks", lambda *_: pytest.fail("an image was unpacked"))
    assert card_of(path).classes == ("0", "1")


def test_masks_alone_serve_segmentation(arrays: Arrays, save: Save, tmp_path: Path) -> None:
    content = {f"{split}_images": arrays[f"{split}_images"] for split in SPLITS}
    content |= {f"{split}_label": content[f"{split}_images"][..., None] // 100 for split in SPLITS}
    card = card_of(save(content))
    assert (card.tasks, card.labels, card.classes) == (("segmentation",), None, ())
    split = read(card, tmp_path / "data").splits["val"]
    assert "labels" not in split.targets
    np.testing.assert_array_equal(masks_of(split).read(0, 9), content["val_label"][..., 0])


def test_small_datasets_are_held_in_memory(arrays: Arrays, save: Save, tmp_path: Path) -> None:
    arrays["test_groups"] = np.array(["p1", "p1", "p2", "p3", "p3"])
    arrays["val_groups"] = np.array([7, 7, 8, 9])
    dataset = read(card_of(save(arrays)), tmp_path / "data")
    for split in SPLITS:
        actual = dataset.splits[split]
        assert isinstance(actual.images, ArrayImages)
        np.testing.assert_array_equal(actual.images.array, arrays[f"{split}_images"])
        assert labels_of(actual).tolist() == arrays[f"{split}_labels"][:, 0].tolist()
        expected = hashlib.sha256(arrays[f"{split}_images"].tobytes()).hexdigest()
        assert dataset.digests[f"{split}_images"] == f"sha256:{expected}"
    groups = [dataset.splits[split].groups for split in SPLITS]
    assert groups[0] is None
    assert groups[1] is not None
    assert groups[1].tolist() == ["7", "7", "8", "9"]
    assert groups[2] is not None
    assert groups[2].tolist() == ["p1", "p1", "p2", "p3", "p3"]
    assert not (tmp_path / "data" / "packed").exists()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything counts as too large for memory, and chunks hold two or three images."""
    monkeypatch.setattr(npz, "IN_MEMORY", 0)
    monkeypatch.setattr(npz_archive, "CHUNK_BYTES", 150)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("kind", ["grey", "column", "colour", "float", "fortran"])
def test_large_datasets_are_packed_once(
    arrays: Arrays, save: Save, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change: dict[str, Callable[[Any], Any]] = {
        "grey": lambda images: images,
        "column": lambda images: images[..., None],
        "colour": lambda images: np.stack([images, images // 2, 255 - images], axis=-1),
        "float": lambda images: (images / 255).astype(np.float32),
        "fortran": np.asfortranarray,
    }
    stored = {split: change[kind](arrays[f"{split}_images"]) for split in SPLITS}
    path = save(arrays | {f"{split}_images": stored[split] for split in SPLITS})
    card = card_of(path)
    dataset = read(card, tmp_path / "data")
    for split in SPLITS:
        images = dataset.splits[split].images
        assert isinstance(images, PackedImages)
        expected = stored[split] if kind == "colour" else arrays[f"{split}_images"]
        np.testing.assert_array_equal(images.read(0, images.shape[0]), expected)
    [folder] = [entry for entry in (tmp_path / "data" / "packed").iterdir() if entry.is_dir()]
    assert folder.name == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    monkeypatch.setattr(Archive, "chunks", lambda *_: pytest.fail("packed again"))
    assert read(card, tmp_path / "data").digests == dataset.digests


@pytest.mark.usefixtures("large")
def test_packed_and_held_give_the_same_digests(
    arrays: Arrays, save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = card_of(save(arrays))
    packed = read(card, tmp_path / "data").digests
    monkeypatch.setattr(npz, "IN_MEMORY", 10**9)
    assert read(card, tmp_path / "data").digests == packed


@pytest.mark.usefixtures("large")
def test_damage_in_the_middle_of_the_images_is_found(
    arrays: Arrays, save: Save, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 4), ("test", 5)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 64, 64), dtype=np.uint8)
    path = save(arrays)
    content = bytearray(path.read_bytes())
    content[content.find(b"train_images") + 12_000] ^= 0xFF
    path.write_bytes(content)
    card = card_of(path)
    with pytest.raises(DataError, match=r"own\.npz: train_images is damaged or cut short"):
        read(card, tmp_path / "data")
    assert [entry for entry in (tmp_path / "data" / "packed").iterdir() if entry.is_dir()] == []


@pytest.mark.usefixtures("large")
def test_bad_floats_are_found_while_packing(arrays: Arrays, save: Save, tmp_path: Path) -> None:
    for split in SPLITS:
        arrays[f"{split}_images"] = (arrays[f"{split}_images"] / 255).astype(np.float32)
    arrays["val_images"][3, 2, 1] = np.nan
    card = card_of(save(arrays))
    with pytest.raises(DataError, match=r"own\.npz: val_images holds nan in image 3;"):
        read(card, tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train_labels", np.array([object()] * 6), "train_labels holds pickled"),
        ("val_labels", np.array([0, 1, -1, 0]), "val_labels holds the label -1"),
        ("val_labels", np.array([0, 1, 0]), "val_labels holds 3 labels for 4 images"),
        ("val_labels", np.zeros((4, 2), int), "labels of val have 2 columns"),
        ("val_images", np.zeros((4, 8, 8), object), "val_images holds pickled"),
    ],
)
def test_card_refusals(arrays: Arrays, save: Save, name: str, array: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"own\.npz: .*{message}"):
        card_of(save(arrays | {name: array}))


def test_bad_groups_are_refused(arrays: Arrays, save: Save, tmp_path: Path) -> None:
    for groups in (np.array([1, 2]), np.ones(4)):
        card = card_of(save(arrays | {"val_groups": groups}))
        with pytest.raises(DataError, match=r"val_groups is .* one number or string"):
            read(card, tmp_path / "data")


@pytest.fixture
def official(arrays: Arrays, save: Save) -> Callable[..., DatasetCard]:
    """Puts the dataset into the data directory `tmp_path` and returns a card that pins it."""

    def make(**changes: Any) -> DatasetCard:
        path = save(arrays, "set/official.npz")
        facts = {
            "id": "official",
            "reader": "omnibench.data.npz:read",
            "files": {"set/official.npz": f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"},
            "tasks": ("classification",),
            "labels": "binary",
            "classes": ("ill", "well"),
            "channels": 1,
            "resolution": 8,
            "splits": {"train": 6, "val": 4, "test": 5},
        }
        return DatasetCard(**facts | changes)

    return make


def test_an_official_file_is_read(official: Callable[..., DatasetCard], tmp_path: Path) -> None:
    card = official()
    dataset = read(card, tmp_path)
    assert dataset.card == card
    assert len(dataset.splits["test"]) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 3}, "three dimensions where colour"),
        ({"resolution": 28}, "8 x 8 pixels where 'official' has 28 x 28"),
        ({"splits": {"train": 9, "val": 4, "test": 5}}, "'train': 6.* where .*'train': 9"),
        ({"labels": "multi-label"}, "train_labels has one column where 'official' has 2 columns"),
        ({"classes": ("ill",)}, r"train_labels holds the label 1, .* 0\.\.0"),
    ],
)
def test_a_file_that_is_not_the_card_s_is_refused(
    official: Callable[..., DatasetCard], tmp_path: Path, changes: Any, message: str
) -> None:
    with pytest.raises(DataError, match=rf"official\.npz.*{message}"):
        read(official(**changes), tmp_path)


def test_an_absent_official_file_is_named(
    official: Callable[..., DatasetCard], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"official\.npz does not exist.*data fetch official"):
        read(official(), tmp_path / "elsewhere")


def test_a_wrong_checksum_is_refused_with_the_way_out(
    official: Callable[..., DatasetCard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from omnibench import catalogue
    from omnibench.registry import Registry

    right = official()
    wrong = official(id="wrong", files={"set/official.npz": "md5:" + "0" * 32})
    known: Registry[DatasetCard] = Registry("dataset")
    monkeypatch.setattr(catalogue, "datasets", known)
    actual = right.files["set/official.npz"]
    with pytest.raises(
        DataError, match=rf"not the file of 'wrong'.*{actual} where md5:000.*npz:.*official\.npz"
    ):
        read(wrong, tmp_path)
    known.add("official", right)
    with pytest.raises(DataError, match="it is the file of 'official': use that name"):
        read(wrong, tmp_path)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("breastmnist", {"train": 546, "val": 78, "test": 156}),
        ("pneumoniamnist", {"train": 4708, "val": 524, "test": 624}),
    ],
)
def test_real_medmnist(real_data: Path, tmp_path: Path, name: str, splits: Any) -> None:
    path = real_data / "medmnist" / f"{name}.npz"
    card = card_of(path)
    assert (card.labels, card.channels, card.resolution) == ("binary", 1, 28)
    assert card.splits == splits
    dataset = read(card, tmp_path)
    with np.load(path) as content:
        for split, actual in dataset.splits.items():
            np.testing.assert_array_equal(
                actual.images.read(0, len(actual)), content[f"{split}_images"]
            )
            np.testing.assert_array_equal(labels_of(actual), content[f"{split}_labels"][:, 0])


@pytest.mark.real_data
def test_real_masks_and_classes(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "busi" / "busi_256.npz"
    card = card_of(path)
    assert card.tasks == ("classification", "segmentation")
    assert card.splits == {"train": 452, "val": 65, "test": 130}
    dataset = read(card, tmp_path)
    test = dataset.splits["test"]
    assert isinstance(test.images, PackedImages)
    with np.load(path) as content:
        np.testing.assert_array_equal(test.images.read(100, 130), content["test_images"][100:])
        np.testing.assert_array_equal(masks_of(test).read(0, 130), content["test_label"])
        np.testing.assert_array_equal(labels_of(test), content["test_class"])


@pytest.mark.real_data
def test_a_real_file_under_the_official_name_is_refused(real_data: Path, tmp_path: Path) -> None:
    import omnibench.data.medmnist  # noqa: F401  (registers)
    from omnibench.catalogue import datasets

    (tmp_path / "medmnist").mkdir()
    source = real_data / "medmnist" / "breastmnist.npz"  # re-packed: another MD5
    (tmp_path / "medmnist" / "breastmnist.npz").symlink_to(source)
    with pytest.raises(DataError, match=r"not the file of 'breastmnist-28'.*npz:"):
        read(datasets.get("breastmnist-28"), tmp_path)
