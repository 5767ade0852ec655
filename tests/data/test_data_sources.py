import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import omnibench.data.medmnist  # noqa: F401  (registers)
from omnibench.cards import DatasetCard
from omnibench.catalogue import datasets
from omnibench.data import Dataset, folder
from omnibench.data.sources import load, missing, resolve, source_digest
from omnibench.errors import DataError, RequestError

Save = Callable[..., Path]
BREAST = datasets.get("breastmnist")


def made_up(card: DatasetCard, data_dir: Path) -> Dataset:
    return Dataset(card, {}, {"read from": str(data_dir)})


GENERATED = DatasetCard(id="g", reader=f"{__name__}:made_up", tasks=("classification",), version=3)


def test_registered_ids(tmp_path: Path) -> None:
    assert resolve("breastmnist", tmp_path) == BREAST
    with pytest.raises(RequestError, match=r"unknown dataset 'breastmist'; did you mean breastmn"):
        resolve("breastmist", tmp_path)


@pytest.mark.parametrize("reference", ["json:x", "nzp:x", "npz:", ":x"])
def test_other_kinds_are_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(
        RequestError, match=rf"'{reference}' is no dataset: .*folder:PATH or images:PA"
    ):
        resolve(reference, tmp_path)


def test_paths_are_relative_to_the_suite(arrays: Any, save: Save, tmp_path: Path) -> None:
    path = save(arrays, "sub/own.npz")
    card = resolve("npz:sub/own.npz", tmp_path)
    assert (card.id, card.path, card.tasks) == ("npz-own", str(path), ("classification",))
    assert resolve(f"npz:{path}", Path("/elsewhere")) == card
    assert missing(card, tmp_path) == []


def test_folders(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image").new("L", (4, 4))
    for split in ("train", "val", "test"):
        for name in ("a", "b"):
            (tmp_path / "set" / split / name).mkdir(parents=True)
            image.save(tmp_path / "set" / split / name / "x.png")
    card = resolve("folder:set", tmp_path)
    assert card.classes == ("a", "b")
    assert source_digest(card, tmp_path) == folder.source_digest(tmp_path / "set", tmp_path)
    dataset = load(card, tmp_path)
    assert dataset.splits["test"].images.shape == (2, 4, 4)


def test_an_unreadable_local_dataset_is_named_not_raised(
    arrays: Any, save: Save, tmp_path: Path
) -> None:
    absent = resolve("npz:gone.npz", tmp_path)
    assert (absent.id, absent.tasks) == ("npz-gone", ())
    [need] = missing(absent, tmp_path)
    assert need == f"data npz-gone: put it at {tmp_path / 'gone.npz'}, or correct that path"
    with pytest.raises(DataError, match=r"gone\.npz"):
        source_digest(absent, tmp_path)

    save({name: array for name, array in arrays.items() if name != "val_images"}, "bad.npz")
    bad = resolve("npz:bad.npz", tmp_path)
    [need] = missing(bad, tmp_path)
    assert "data npz-bad: " in need
    assert "has no val_images" in need
    with pytest.raises(DataError, match="has no val_images"):
        load(bad, tmp_path)


def test_what_is_missing_says_where_to_get_it_and_where_to_put_it(tmp_path: Path) -> None:
    assert missing(BREAST, tmp_path) == [
        "data breastmnist: run `bench.py data fetch breastmnist`, or put breastmnist_224.npz in "
        f"{tmp_path / 'medmnist'}"
    ]
    by_hand = BREAST.model_copy(update={"urls": {}})
    assert missing(by_hand, tmp_path) == [
        f"data breastmnist: put breastmnist_224.npz in {tmp_path / 'medmnist'}"
    ]
    with pytest.raises(DataError, match="data fetch breastmnist"):
        load(BREAST, tmp_path)
    (tmp_path / "medmnist").mkdir()
    (tmp_path / "medmnist" / "breastmnist_224.npz").touch()
    assert missing(BREAST, tmp_path) == []
    assert missing(GENERATED, tmp_path) == []


def test_source_digests(arrays: Any, save: Save, tmp_path: Path) -> None:
    assert source_digest(BREAST, tmp_path) == "md5:b56378a6eefa9fed602bb16d192d4c8b"
    assert source_digest(GENERATED, tmp_path) == "g@3"
    path = save(arrays)
    card = resolve("npz:own.npz", tmp_path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert source_digest(card, tmp_path / "data") == f"sha256:{expected}"
    two = BREAST.model_copy(update={"files": {"a": "md5:1", "b": "md5:2"}})
    turned = BREAST.model_copy(update={"files": {"b": "md5:2", "a": "md5:1"}})
    other = BREAST.model_copy(update={"files": {"a": "md5:2", "b": "md5:1"}})
    assert source_digest(two, tmp_path) == source_digest(turned, tmp_path)
    assert source_digest(two, tmp_path) != source_digest(other, tmp_path)


def test_load_calls_the_card_s_reader(arrays: Any, save: Save, tmp_path: Path) -> None:
    assert load(GENERATED, tmp_path).digests == {"read from": str(tmp_path)}
    save(arrays)
    images = load(resolve("npz:own.npz", tmp_path), tmp_path / "data").splits["val"].images
    np.testing.assert_array_equal(images.read(0, 4), arrays["val_images"])
