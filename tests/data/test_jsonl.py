import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnibench.cards import DatasetCard
from omnibench.data import phantom, sources
from omnibench.data.jsonl import card_of, lines_of, read, source_digest
from omnibench.data.subset import limited
from omnibench.errors import DataError
from tests.target_values import captions_of

LINES: list[dict[str, Any]] = [
    {"image": "a.png", "split": "train", "caption": " CT of\nthe\tchest. ", "uid": "p1", "age": 3},
    {"image": "b.jpg", "split": "train", "caption": "MR", "uid": "p1"},
    {"image": "b.jpg", "split": "train", "caption": "MR", "uid": "p1"},
    {"image": "deep/c.png", "split": "validation", "caption": "Größe 3 mm", "uid": "p2"},
    {"image": "d.png", "split": "valid", "caption": "x", "uid": "p3"},
    {"image": "e.png", "split": "test", "caption": "y", "uid": "p4"},
]
IMAGES = {"a.png": 10, "images/b.jpg": 20, "images/deep/c.png": 30, "d.png": 40, "e.png": 50}


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Images beside the file and in images/, of which a.png is the widest and e.png the highest."""
    root = tmp_path / "set"
    for name, value in IMAGES.items():
        size = {"a.png": (8, 4), "e.png": (4, 6)}.get(name, (5, 5))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, value).save(root / name)
    return write(root / "captions.jsonl", LINES)


def test_the_card_opens_no_image(path: Path) -> None:
    (path.parent / "a.png").write_bytes(b"no image")
    assert card_of(path) == DatasetCard(
        id="jsonl-captions",
        reader="jsonl",
        path=str(path),
        tasks=("captioning",),
        splits={"train": 3, "val": 2, "test": 1},
        primary={"captioning": "meteor"},
    )
    assert sources.resolve("jsonl:captions.jsonl", path.parent) == card_of(path)


def test_images_captions_and_cases_in_order(path: Path, tmp_path: Path) -> None:
    dataset = sources.load(card_of(path), tmp_path)
    assert (dataset.card.channels, dataset.card.resolution) == (1, None)
    train, val = dataset.splits["train"], dataset.splits["val"]
    assert train.images.shape == (3, 6, 8)
    assert train.images.read(0, 3)[:, 0, 0].tolist() == [10, 20, 20]
    assert val.images.read_rows(np.array([1, 0]))[:, 0, 0].tolist() == [40, 30]
    assert captions_of(train) == ("CT of the chest.", "MR", "MR")
    assert captions_of(val) == ("Größe 3 mm", "x")
    assert train.groups is not None
    assert train.groups.tolist() == ["p1", "p1", "p1"]
    assert "labels" not in train.targets
    assert dataset.digests == {"files": sources.source_digest(card_of(path), tmp_path)}


def test_one_colour_image_makes_all_rgb(path: Path, tmp_path: Path) -> None:
    Image.new("RGB", (5, 5), (1, 2, 3)).save(path.parent / "d.png")
    dataset = read(card_of(path), tmp_path)
    assert dataset.card.channels == 3
    assert dataset.splits["val"].images.read(0, 2)[:, 0, 0].tolist() == [[30, 30, 30], [1, 2, 3]]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"group": "g", "uid": "u", "patient": "p"}, "g"),
        ({"uid": 17, "patient": "p"}, "17"),
        ({"patient": "p"}, "p"),
        ({}, None),
    ],
)
def test_what_names_the_case(path: Path, keys: dict[str, Any], expected: str | None) -> None:
    without = [{key: line[key] for key in ("image", "split", "caption")} | keys for line in LINES]
    write(path, without)
    assert {line.group for lines in lines_of(path).values() for line in lines} == {expected}
    groups = read(card_of(path), path.parent).splits["test"].groups
    assert groups is None if expected is None else groups == [expected]


def test_blank_lines_and_a_byte_order_mark_are_left_alone(path: Path) -> None:
    expected = card_of(path).splits
    content = path.read_bytes().replace(b"\n", b"\r\n\r\n")
    path.write_bytes("\ufeff".encode() + content)
    assert card_of(path).splits == expected
    assert [line.number for line in lines_of(path)["train"]] == [1, 3, 5]


def test_the_digest_is_that_of_the_file_and_its_images(path: Path, tmp_path: Path) -> None:
    digests = [source_digest(path, tmp_path)]
    Image.new("L", (5, 5)).save(path.parent / "not-named.png")
    shutil.copytree(path.parent, tmp_path / "copy")
    assert source_digest(tmp_path / "copy" / "captions.jsonl", tmp_path) == digests[0]
    Image.new("L", (5, 6), 41).save(path.parent / "d.png")
    digests.append(source_digest(path, tmp_path))
    write(path, [*LINES, LINES[0]])
    digests.append(source_digest(path, tmp_path))
    assert len(set(digests)) == 3


def changed(place: int, **keys: Any) -> Callable[[Path], object]:
    """Change keys of a line, or remove those that are None."""
    line = {key: value for key, value in (LINES[place] | keys).items() if value is not None}
    return lambda path: write(path, [*LINES[:place], line, *LINES[place + 1 :]])


def second_line(content: bytes) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        first, _, *rest = path.read_bytes().splitlines()
        path.write_bytes(b"\n".join([first, content, *rest]))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Path.unlink, r"captions\.jsonl cannot be read \(No such file.*put the file there"),
        (second_line(b'{"image": '), r"line 2 is no JSON \(Expecting value\); write one object"),
        (second_line(b"[" * 100_000), "line 2 is no JSON"),
        (second_line(b"[1]"), "line 2 is no JSON object; write"),
        (second_line(b'{"image": "\xff"}'), "line 2 is not UTF-8 text; save the file as UTF-8"),
        (lambda p: p.write_text(p.read_text(), "utf-16"), "line 1 is not UTF-8"),
        (changed(1, image=None), "line 2 has no 'image'; add it"),
        (changed(1, split=None), "line 2 has no 'split'; add it"),
        (changed(3, caption=None), "line 4 has no 'caption'; add it"),
        (changed(1, caption=["MR"]), r'line 2 has \["MR"\] as \'caption\'; write text'),
        (changed(1, image=3), "line 2 has 3 as 'image'"),
        (changed(1, uid=True), "line 2 has true as 'uid'"),
        (changed(1, caption=" \n"), "line 2 has an empty 'caption'; fill it in or remove"),
        (changed(1, caption="\ud800"), "line 2: 'caption' holds half a character"),
        (changed(1, split="dev"), "line 2 has the split 'dev'; write train, val or test"),
        (changed(1, image="gone.png"), r"line 2: the image 'gone\.png' is neither in .*images"),
        (changed(1, image="a\0.png"), "line 2: the image .* is neither in"),
        (changed(1, image="x" * 5000), "line 2: the image .* is neither in"),
        (changed(1, image="images"), "line 2: the image 'images' is neither in"),
        (changed(1, image="images/../../set/a.png"), "line 2: the image .* leads out of"),
        (changed(1, image=str(Path(__file__))), "line 2: the image .* leads out of"),
        (changed(1, uid=None), r"names no case \(group, uid, patient\) on line 2, but on others"),
        (changed(5, split="train"), "no line with the split 'test'; every split needs some"),
        (lambda p: p.write_text(""), "no line with the split 'train'"),
    ],
)
def test_refusals(path: Path, change: Callable[[Path], object], message: str) -> None:
    change(path)
    with pytest.raises(DataError, match=message):
        lines_of(path)
    card = sources.resolve("jsonl:captions.jsonl", path.parent)
    assert card.tasks == ()
    assert len(sources.missing(card, path.parent)) == 1


def test_links_out_are_refused(path: Path, tmp_path: Path) -> None:
    shutil.copy(path.parent / "d.png", tmp_path / "outside.png")
    (path.parent / "d.png").unlink()
    (path.parent / "d.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(DataError, match=r"line 5: the image 'd\.png' is a link that leads out"):
        lines_of(path)


def test_a_damaged_image_is_named(path: Path, tmp_path: Path) -> None:
    (path.parent / "d.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"d\.png cannot be read as an image.*replace or remove"):
        read(card_of(path), tmp_path)


def test_a_cut_keeps_captions_and_cases_with_their_images(tmp_path: Path) -> None:
    lines = []
    for value in range(60):
        Image.new("L", (4, 4), value).save(tmp_path / f"{value}.png")
        for split in ("train", "val", "test"):
            line = {"image": f"{value}.png", "split": split, "caption": f"is {value}"}
            lines.append(line | {"group": value // 2})
    cut = limited(read(card_of(write(tmp_path / "own.jsonl", lines)), tmp_path), 7)
    for part in cut.splits.values():
        assert part.groups is not None
        values = part.images.read(0, 7)[:, 0, 0]
        assert len(part) == len(values) == 7
        assert captions_of(part) == tuple(f"is {value}" for value in values)
        assert part.groups.tolist() == [str(value // 2) for value in values]


def test_a_cut_of_the_phantom_keeps_its_captions(tmp_path: Path) -> None:
    card = phantom.CARD.model_copy(
        update={"splits": {"train": 9, "val": 4, "test": 5}, "resolution": 16}
    )
    whole = sources.load(card, tmp_path)
    for name, split in limited(whole, 4).splits.items():
        full = whole.splits[name]
        assert full.groups is not None
        assert split.groups is not None
        images = full.images.read(0, len(full))
        places = [
            int((images == image).all(axis=(1, 2)).argmax()) for image in split.images.read(0, 4)
        ]
        assert captions_of(split) == tuple(captions_of(full)[place] for place in places)
        assert split.groups.tolist() == full.groups[places].tolist()


@pytest.mark.real_data
def test_the_real_captions(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "medpix" / "captions.jsonl"
    dataset = read(card_of(path), tmp_path)
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 1472,
        "val": 181,
        "test": 197,
    }
    cases = [set(split.groups.tolist()) for split in dataset.splits.values()]  # type: ignore[union-attr]
    assert not cases[0] & cases[1] | cases[0] & cases[2] | cases[1] & cases[2]
    images = dataset.splits["test"].images
    assert max(images.shape[1:3]) == 256
    assert images.read(0, 20).std(axis=(1, 2)).min() > 1
    captions = captions_of(dataset.splits["test"])
    assert all(captions)
    assert not any("\n" in caption for caption in captions)
