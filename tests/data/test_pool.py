import hashlib
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import omnibench.data.medmnist  # noqa: F401  (registers)
from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Split, phantom, sources
from omnibench.data.pool import (
    CHUNK,
    ArrayMember,
    FileMember,
    Pool,
    grey,
    open_pool,
    pool_card,
    resized,
)
from omnibench.errors import DataError, RequestError

Save = Callable[..., Path]
Bytes = NDArray[np.uint8]


def noise(*shape: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pillow(image: Bytes, size: int) -> Bytes:
    """The reference: Pillow's luminance and resizing."""
    square = Image.fromarray(image).convert("L").resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square)


def levels(a: Bytes, b: Bytes) -> int:
    return int(np.abs(a.astype(int) - b).max())


def write(path: Path, image: Bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def folder(root: Path, *values: int) -> Path:
    """An `images:` folder of flat 4 x 4 images, in the order of their values' places."""
    for place, value in enumerate(values):
        write(root / f"{place:02}.png", np.full((4, 4), value, np.uint8))
    return root


def flat(pool: Pool, *rows: int) -> list[int]:
    return [int(value) for value in pool.read(np.array(rows), 4)[:, 0, 0]]


# ---- cards


def test_a_pool_of_one_is_that_dataset(tmp_path: Path) -> None:
    assert pool_card(["phantom"], tmp_path) is phantom.CARD


def test_the_card_of_several(tmp_path: Path) -> None:
    folder(tmp_path / "own", 1, 2)
    card = pool_card(["phantom", "images:own", "breastmnist-28"], tmp_path)
    own = sources.resolve("images:own", tmp_path)
    breast = sources.resolve("breastmnist-28", tmp_path)
    assert card == DatasetCard(
        id="phantom_images-own_breastmnist-28",
        reader="omnibench.data.pool:read",
        members=(phantom.CARD, own, breast),
        tasks=(),
        splits={"train": 600 + 2 + 546},
    )
    digests = [sources.source_digest(member, tmp_path) for member in card.members]
    expected = hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()
    assert sources.source_digest(card, tmp_path) == f"sha256:{expected}"
    turned = pool_card(["breastmnist-28", "images:own", "phantom"], tmp_path)
    assert sources.source_digest(turned, tmp_path) != f"sha256:{expected}"


def test_what_is_missing_of_all_members(tmp_path: Path) -> None:
    card = pool_card(["breastmnist-28", "phantom", "images:gone", "radimagenet"], tmp_path)
    assert card.splits == {"train": 546 + 600 + 1_080_000}
    breast, gone, rin = sources.missing(card, tmp_path)
    assert "data fetch breastmnist-28" in breast
    assert gone == f"data images-gone: put it at {tmp_path / 'gone'}, or correct that path"
    assert "radimagenet.com" in rin
    with pytest.raises(DataError, match=r"data fetch breastmnist-28.*gone.*radimagenet\.com"):
        open_pool(card, tmp_path)


@pytest.mark.parametrize(
    ("references", "message"),
    [
        (["phantom", "images:own", "phantom"], "'phantom' is the second dataset called 'phantom'"),
        (["images:own", "images:./own"], "'images:./own' is the second .*name each dataset once"),
        (["images:own", "images:sub/own"], "'images:sub/own' is the second .* rename the file or"),
        (["phantom", "phantm"], "did you mean phantom"),
        (["image:own"], "'image:own' is no dataset: .*images:PATH"),
        ([], "name at least one"),
    ],
)
def test_refused_references(tmp_path: Path, references: list[str], message: str) -> None:
    folder(tmp_path / "own", 1)
    folder(tmp_path / "sub" / "own", 1)
    with pytest.raises(RequestError, match=message):
        pool_card(references, tmp_path)


# ---- members


def test_only_training_images_of_every_kind(arrays: Any, save: Save, tmp_path: Path) -> None:
    save(arrays)
    folder(tmp_path / "free", 1, 2, 3)
    for split, value in (("train", 10), ("val", 11), ("test", 12)):
        image = np.full((4, 4), value, np.uint8)
        for name in ("a", "b"):
            write(tmp_path / "classes" / split / name / "x.png", image)
        write(tmp_path / "masked" / split / "images" / "x.png", image + 10)
        write(tmp_path / "masked" / split / "masks" / "x.png", np.zeros((4, 4), np.uint8))
    for value in (30, 31, 32):
        write(tmp_path / "texts" / "images" / f"{value}.png", np.full((4, 4), value, np.uint8))
    lines = [("30", "train"), ("31", "val"), ("32", "train"), ("30", "train"), ("32", "test")]
    (tmp_path / "texts" / "captions.jsonl").write_text(
        "".join(
            json.dumps({"image": f"{name}.png", "split": split, "caption": "x"}) + "\n"
            for name, split in lines
        )
    )
    references = ["folder:classes", "npz:own.npz", "jsonl:texts/captions.jsonl", "images:free"]
    pool = open_pool(pool_card([*references, "pairs:masked"], tmp_path), tmp_path / "data")
    assert pool.members == (
        "folder-classes",
        "npz-own",
        "jsonl-captions",
        "images-free",
        "pairs-masked",
    )
    assert pool.member_of.tolist() == [0] * 2 + [1] * 6 + [2] * 2 + [3] * 3 + [4]
    assert len(pool) == 14
    assert flat(pool, 13, 12, 9, 8, 0, 1, 12, 10) == [20, 3, 32, 30, 10, 10, 3, 1]
    rows = np.array([7, 11, 2])
    np.testing.assert_array_equal(
        pool.read(rows, 8)[[0, 2]], arrays["train_images"][[5, 0]]
    )  # of the size asked for: as they are


def test_generated_images(tmp_path: Path) -> None:
    card = phantom.CARD.model_copy(update={"splits": {"train": 5, "val": 1}, "resolution": 32})
    pool = open_pool(card, tmp_path)
    expected = sources.load(card, tmp_path).splits["train"].images.read(0, 5)
    np.testing.assert_array_equal(pool.read(np.arange(5), 32), expected)


def coloured(card: DatasetCard, data_dir: Path) -> Dataset:
    splits = {name: Split(ArrayImages(noise(4, 30, 20, 3))) for name in ("train", "test")}
    return Dataset(card, splits)


COLOURED = DatasetCard(id="coloured", reader=f"{__name__}:coloured", tasks=("classification",))


def test_a_coloured_array_and_the_same_images_as_files(tmp_path: Path) -> None:
    images = noise(4, 30, 20, 3)
    for place, image in enumerate(images):
        write(tmp_path / "own" / f"{place}.png", image)
    of_array = open_pool(COLOURED, tmp_path).read(np.arange(4), 16)
    of_files = open_pool(pool_card(["images:own"], tmp_path), tmp_path).read(np.arange(4), 16)
    expected = np.stack([pillow(image, 16) for image in images])
    np.testing.assert_array_equal(of_files, expected)
    assert levels(of_array, expected) <= 1


# ---- pixels


def test_luminance_is_pillow_s() -> None:
    steps = np.arange(0, 256, 3, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(1, 86, -1, 3)
    expected = np.asarray(Image.fromarray(cube[0]).convert("L"))
    np.testing.assert_array_equal(grey(cube)[0], expected)
    np.testing.assert_array_equal(grey(expected[None]), expected[None])


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(28, 28, 224), (28, 28, 168), (28, 28, 64), (64, 64, 28), (224, 224, 98), (40, 25, 31)],
)
def test_resizing_is_pillow_s_within_a_level(height: int, width: int, size: int) -> None:
    images = noise(3, height, width)
    actual = resized(images, size)
    assert actual.dtype == np.uint8
    assert actual.shape == (3, size, size)
    assert levels(actual, np.stack([pillow(image, size) for image in images])) <= 1


@pytest.mark.parametrize("size", [168, 224])
def test_an_image_does_not_depend_on_its_company(size: int) -> None:
    pool = Pool({"x": ArrayMember(ArrayImages(noise(CHUNK + 6, 28, 28)))}, 0)
    rows = np.random.default_rng(1).permutation(CHUNK + 6)
    together = pool.read(rows, size)
    alone = np.concatenate([pool.read(rows[i : i + 1], size) for i in range(len(rows))])
    np.testing.assert_array_equal(together, alone)


def test_rows_of_the_pool(tmp_path: Path) -> None:
    pool = open_pool(pool_card([f"images:{folder(tmp_path / 'x', 1, 2)}"], tmp_path), tmp_path)
    assert pool.read(np.array([], np.int64), 4).shape == (0, 4, 4)
    for row in (-1, 2):
        with pytest.raises(IndexError, match=r"must lie in 0\.\.1"):
            pool.read(np.array([row]), 4)


# ---- unreadable images


def damaged(root: Path, *places: int) -> None:
    """Cut in the middle: the header is whole, the pixels are not."""
    for place in places:
        path = root / f"{place:02}.png"
        content = path.read_bytes()
        path.write_bytes(content[: len(content) - 20])


def test_the_next_readable_image_takes_the_place_of_a_damaged_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = folder(tmp_path / "x", 10, 11, 12, 13, 14)
    damaged(root, 1, 4)
    (root / "02.png").write_bytes(b"no image")
    card = pool_card(["images:x"], tmp_path)
    pool = open_pool(card, tmp_path, limit=3)
    with caplog.at_level(logging.WARNING, "omnibench"):
        assert flat(pool, 4, 1, 3, 2, 1, 0) == [10, 13, 13, 13, 13, 10]
        assert flat(pool, 1, 2, 4) == [13, 13, 10]
    assert pool.unreadable == {4: "04.png", 1: "01.png", 2: "02.png"}
    assert len(caplog.messages) == 3
    assert all("cannot be read as an image" in message for message in caplog.messages)
    again = open_pool(card, tmp_path, limit=3)
    assert [flat(again, row) for row in range(5)] == [[10], [13], [13], [13], [10]]


def test_the_place_may_be_taken_by_another_dataset(arrays: Any, save: Save, tmp_path: Path) -> None:
    save(arrays)
    damaged(folder(tmp_path / "x", 10, 11), 1)
    pool = open_pool(pool_card(["images:x", "npz:own.npz"], tmp_path), tmp_path)
    actual = pool.read(np.array([1, 2]), 8)
    np.testing.assert_array_equal(actual, arrays["train_images"][[0, 0]])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: Image.new("I;16", (4, 4), 300).save(path), "more than 8 bits"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(b""), "cannot identify"),
        (
            lambda path: Image.new("L", (4, 4)).save(
                path, "TIFF", save_all=True, append_images=[Image.new("L", (4, 4))]
            ),
            "stack of 2",
        ),
    ],
)
def test_what_counts_as_unreadable(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    root = folder(tmp_path / "x", 10, 11)
    pool = open_pool(pool_card(["images:x"], tmp_path), tmp_path)
    spoil(root / "00.png")
    with caplog.at_level(logging.WARNING, "omnibench"):
        assert flat(pool, 0) == [11]
    [message] = caplog.messages
    assert reason in message
    assert "00.png" in message


def test_too_many_unreadable_images_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "x", *range(10, 18))
    damaged(root, 1, 2, 3, 5, 6)
    pool = open_pool(pool_card(["images:x"], tmp_path), tmp_path, limit=4)
    assert flat(pool, 0, 1, 4, 5 + 2) == [10, 14, 14, 17]
    with pytest.raises(
        DataError,
        match=r"^5 images of the pool images-x cannot be read where 4 are put up with "
        r"\(01\.png, 02\.png, 03\.png, \.\.\.\); repair or remove them, .*06\.png cannot be read",
    ):
        flat(pool, 5)


def test_threads_count_an_unreadable_image_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged(folder(tmp_path / "x", *range(10, 18)), 2, 3, 5)
    pool = open_pool(pool_card(["images:x"], tmp_path), tmp_path, limit=3)
    with caplog.at_level(logging.WARNING, "omnibench"), ThreadPoolExecutor(8) as threads:
        actual = list(threads.map(lambda _: flat(pool, *range(8)), range(40)))
    assert actual == [[10, 11, 14, 14, 14, 16, 16, 17]] * 40
    assert len(caplog.messages) == len(pool.unreadable) == 3


def test_a_pool_without_a_readable_image(tmp_path: Path) -> None:
    damaged(folder(tmp_path / "x", 10, 11), 0, 1)
    pool = open_pool(pool_card(["images:x"], tmp_path), tmp_path)
    for _ in range(2):
        with pytest.raises(DataError, match=r"no image of the pool images-x can be read \(01\.png"):
            flat(pool, 1)


def test_a_damaged_header_stops_no_folder_of_classes(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for value, name in enumerate(("a", "b")):
            write(tmp_path / "set" / split / name / "x.png", np.full((4, 4), value, np.uint8))
    (tmp_path / "set/train/a/x.png").write_bytes(b"no image")
    card = pool_card(["folder:set"], tmp_path)
    with pytest.raises(DataError, match="cannot be read as an image"):
        sources.load(card, tmp_path)
    pool = open_pool(card, tmp_path)
    assert flat(pool, 0, 1) == [1, 1]
    assert pool.unreadable == {0: "train/a/x.png"}


# ---- sizes


def test_how_many_are_smaller(tmp_path: Path) -> None:
    for place, shape in enumerate([(4, 9), (9, 9), (20, 8)]):
        write(tmp_path / f"{place}.png", noise(*shape))
    files = FileMember(tmp_path, ("0.png", "1.png", "2.png"))
    pool = Pool({"array": ArrayMember(ArrayImages(noise(5, 8, 30))), "files": files}, 0)
    assert [pool.smaller_than(size) for size in (8, 9, 31)] == [0, 5, 5]
    pool.read(np.array([5, 7]), 6)
    assert [pool.smaller_than(size) for size in (4, 5, 8, 9, 31)] == [0, 1, 1, 7, 7]
