"""Columns for subgroups: read, cut, stored, and refused where they tell patients apart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnibench.catalogue import readers
from omnibench.data import Dataset, sources
from omnibench.data.columns import as_columns, columns_in, stored
from omnibench.data.subset import limited
from omnibench.errors import DataError
from omnibench.record_files import packed, read_predictions

SEX = {"train": "FMFMF", "val": "MF", "test": "FFM"}
Save = Callable[..., Path]


def rows_of(folder: Path, images: list[str]) -> None:
    """Write a table of sex and age, the first image's age unknown."""
    sexes = "".join(SEX.values())
    lines = [f"{image},{sexes[k]},{'' if k == 0 else 20 + k}" for k, image in enumerate(images)]
    (folder / "omnibench.csv").write_text("\n".join(["image,sex,age", *lines]), encoding="utf-8")


def image(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (6, 6), value).save(path)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A folder of two classes with a table of every image, whose columns are not declared."""
    root = tmp_path / "scans"
    images = []
    for split, sexes in SEX.items():
        for k in range(len(sexes)):
            name = f"{split}/{'well' if k % 2 else 'sick'}/{k}.png"
            image(root / name, 10 * k + len(split))
            images.append(name)
    rows_of(root, images)
    return root


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    root = tmp_path / "pairs"
    images = []
    for split, sexes in SEX.items():
        for k in range(len(sexes)):
            image(root / split / "images" / f"{k}.png", k)
            image(root / split / "masks" / f"{k}.png", 255 * (k % 2))
            images.append(f"{split}/images/{k}.png")
    rows_of(root, images)
    return root


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "set" / "captions.jsonl"
    lines: list[dict[str, Any]] = []
    for split, sexes in SEX.items():
        for k, sex in enumerate(sexes):
            image(path.parent / f"{split}{k}.png", k)
            facts = {"sex": sex, "age": None if not lines else 20 + len(lines), "uid": f"p{k // 2}"}
            line = {"image": f"{split}{k}.png", "split": split, "caption": "CT"}
            lines.append(line | facts)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def declare(path: Path, text: str = "columns: [sex, age]") -> None:
    file = path / "omnibench.yaml" if path.is_dir() else path.with_suffix(".yaml")
    file.write_text(text, encoding="utf-8")


def dataset_of(kind: str, path: Path, data: Path) -> Dataset:
    return sources.load(readers.get(kind).card(path), data)


@pytest.mark.parametrize(
    ("kind", "fixture"), [("folder", "classes"), ("pairs", "pairs"), ("jsonl", "captions")]
)
def test_declared_columns_go_with_their_images_and_change_no_digest(
    kind: str, fixture: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path, data = request.getfixturevalue(fixture), tmp_path / "data"
    without = dataset_of(kind, path, data)
    card = readers.get(kind).card(path)
    digest = sources.source_digest(card, data)
    assert without.splits["test"].columns == {}
    declare(path)
    dataset = dataset_of(kind, path, data)
    assert sources.source_digest(readers.get(kind).card(path), data) == digest
    assert (dataset.digests, dataset.card) == (without.digests, without.card)
    order = [name_of(dataset, k) for k in range(3)]
    test = dataset.splits["test"].columns
    assert test["sex"].tolist() == [SEX["test"][k] for k in order]
    assert test["age"].tolist() == [27 + k for k in order]
    assert test["age"].dtype == np.float64
    unknown = np.isnan(dataset.splits["train"].columns["age"])
    assert unknown.sum() == 1
    cut = limited(dataset, 2).splits["train"]
    taken = dataset.splits["train"].take(np.array([3, 0])).columns["sex"]
    assert len(cut.columns["sex"]) == 2
    assert taken.tolist() == [dataset.splits["train"].columns["sex"][k] for k in (3, 0)]


def name_of(dataset: Dataset, row: int) -> int:
    """Return the number that a test image is named by."""
    images: Any = dataset.splits["test"].images
    return int(Path(images.files[row]).stem.removeprefix("test"))


def test_a_split_without_rows_has_no_columns_and_the_test_split_must_have_them(
    classes: Path, tmp_path: Path
) -> None:
    declare(classes, "columns: [sex]")
    table = classes / "omnibench.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line for line in lines if "test/" in line)]))
    splits = dataset_of("folder", classes, tmp_path / "data").splits
    assert (splits["train"].columns, list(splits["test"].columns)) == ({}, ["sex"])
    table.write_text("\n".join(line for line in lines if "val/sick/0" not in line))
    with pytest.raises(DataError, match=r"no row for val/sick/0\.png; add one for each .* val"):
        readers.get("folder").card(classes)
    table.write_text("\n".join(lines[:-3]))
    with pytest.raises(DataError, match=r"no row for test/sick/0\.png"):
        readers.get("folder").card(classes)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, r"omnibench\.csv does not exist, but columns are declared"),
        ("image,gender\n", "has no column 'sex' \\(there are: image, gender\\)"),
        ("file,sex\n", "has no column 'image'"),
        ("", "has no column 'image'"),
        ("image,sex\na.png,F\na.png,M\n", r"has two rows for a\.png"),
        ('image,sex\n"a.png,F\n', "is no CSV"),
    ],
)
def test_tables_that_cannot_be_used_are_one_sentence(
    classes: Path, table: str | None, message: str
) -> None:
    declare(classes, "columns: [sex]")
    (classes / "omnibench.csv").unlink()
    if table is not None:
        (classes / "omnibench.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        readers.get("folder").card(classes)


def test_the_column_of_the_cases_is_refused_by_name_and_by_content(captions: Path) -> None:
    declare(captions, "columns: [uid]")
    with pytest.raises(
        DataError, match="declares the column 'uid', which tells images or patients"
    ):
        readers.get("jsonl").card(captions)
    declare(captions, "columns: [colour]")
    with pytest.raises(DataError, match="has no 'colour' on any line"):
        readers.get("jsonl").card(captions)
    text = captions.read_text().replace('"uid": "p0"', '"uid": "p0", "who": "p0"')
    captions.write_text(text.replace('"uid": "p1"', '"uid": "p1", "who": "p1"'), encoding="utf-8")
    declare(captions.with_suffix(".jsonl"), "columns: [who]")
    lines = [json.loads(line) for line in captions.read_text().splitlines()]
    full = [{**line, "who": line["uid"]} for line in lines]
    captions.write_text("".join(f"{json.dumps(line)}\n" for line in full), encoding="utf-8")
    with pytest.raises(DataError, match="the column 'who' is that of the groups"):
        readers.get("jsonl").card(captions)


def test_texts_that_tell_patients_apart_are_refused() -> None:
    names = {"test": {"who": ["Ann", "Bob", ""]}}
    with pytest.raises(DataError, match="'who' holds a text of its own for each image"):
        as_columns(names, {}, "here")
    many = {"test": {"who": [str(k // 2) + "x" for k in range(42)]}}
    with pytest.raises(
        DataError, match="21 different texts, where a subgroup is one of at most 20"
    ):
        as_columns(many, {}, "here")
    with pytest.raises(DataError, match="more than 64 characters"):
        as_columns({"test": {"who": ["x" * 65] * 2}}, {}, "here")
    with pytest.raises(DataError, match=r"a column is called '\.\./who'"):
        as_columns({"test": {"../who": ["F", "F"]}}, {}, "here")
    numbers = as_columns({"test": {"age": ["60", "61.5", ""]}}, {}, "here")["test"]["age"]
    assert numbers[:2].tolist() == [60, 61.5]
    assert np.isnan(numbers[2])
    with pytest.raises(DataError, match="'age' is that of the groups"):
        as_columns({"test": {"age": ["7", "8"]}}, {"test": ["7", "8"]}, "here")


def test_npz_arrays_are_columns(arrays: dict[str, Any], save: Save, tmp_path: Path) -> None:
    plain = dataset_of("npz", save(arrays, "plain.npz"), tmp_path / "data")
    arrays["test_column_sex"] = np.array(list("FMFFM"))
    arrays["test_column_age"] = np.arange(5, dtype=np.int32)
    arrays["test_column_smokes"] = np.arange(5) > 2
    dataset = dataset_of("npz", save(arrays), tmp_path / "data")
    test = dataset.splits["test"].columns
    assert test["sex"].tolist() == list("FMFFM")
    assert test["age"].dtype == np.float64
    assert test["smokes"].tolist() == ["False"] * 3 + ["True"] * 2
    assert dataset.splits["train"].columns == {}
    assert dataset.digests == plain.digests
    for name, wrong in (
        ("test_column_sex", np.array(list("FM"))),
        ("test_column_sex", np.zeros((5, 2))),
        ("test_column_sex", np.array(list("ABCDE"))),
    ):
        with pytest.raises(DataError, match="sex"):
            readers.get("npz").card(save({**arrays, name: wrong}, "wrong.npz"))
    arrays["test_groups"] = np.arange(5)
    with pytest.raises(DataError, match="'age' is that of the groups"):
        readers.get("npz").card(save(arrays, "wrong.npz"))


def test_stored_columns_come_back_as_they_were_from_arrays_and_from_lines(
    captions: Path, tmp_path: Path
) -> None:
    declare(captions)
    split = dataset_of("jsonl", captions, tmp_path / "data").splits["train"]
    columns = stored(split)
    assert list(columns) == ["test_column:sex", "test_column:age"]
    for texts in ({}, {"test_text@b1-t2": np.array(["a"] * 5, object)}):
        record = tmp_path / f"rep-{len(texts)}.json"
        for ending, content in packed({**columns, **texts}).items():
            record.with_suffix(f".{ending}").write_bytes(content)
        actual = columns_in(read_predictions(record))
        assert actual["sex"].tolist() == list("FMFMF")
        assert actual["sex"].dtype.kind == "U"
        np.testing.assert_array_equal(actual["age"], split.columns["age"])


def test_arrays_of_other_forms_are_no_columns() -> None:
    stored = {
        "test_column:a": np.array([True, False]),
        "test_column:b": np.array([1, 2], np.int8),
        "test_column:c": np.zeros((2, 2)),
        "test_column:d": np.array([b"x", b"y"]),
        "test_case": np.arange(2),
    }
    columns = columns_in(stored)
    assert list(columns) == ["a", "b"]
    assert columns["a"].tolist() == ["True", "False"]
    assert columns["b"].dtype == np.float64


def test_what_is_written_for_unknown_is_unknown() -> None:
    texts = {"test": {"age": ["60", "N/A", "NA", "?"], "sex": ["F", "unknown", "F", " M "]}}
    columns = as_columns(texts, {}, "here")["test"]
    assert np.isnan(columns["age"]).tolist() == [False, True, True, True]
    assert columns["sex"].tolist() == ["F", "", "F", "M"]


@pytest.mark.real_data
def test_real_columns_of_sex_age_and_region(real_data: Path, tmp_path: Path) -> None:
    """MedPix as it was published: ages as texts, "N/A" where unknown, patients as `uid`."""
    source = real_data / "medpix" / "captions.jsonl"
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    some = [line for split in SEX for line in [x for x in lines if x["split"] == split][:60]]
    root = tmp_path / "medpix"
    for line in some:
        (root / "images").mkdir(parents=True, exist_ok=True)
        place = source.parent / line["image"]
        place = place if place.is_file() else source.parent / "images" / line["image"]
        (root / "images" / line["image"]).write_bytes(place.read_bytes())
    path = root / "captions.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in some), encoding="utf-8")
    declare(path, "columns: [sex, age, location_category]")
    columns = dataset_of("jsonl", path, tmp_path / "data").splits["test"].columns
    test = [line for line in some if line["split"] == "test"]
    assert set(columns["sex"].tolist()) <= {"female", "male", ""}
    known = [k for k, line in enumerate(test) if line["age"] != "N/A"]
    assert columns["age"][known].tolist() == [float(test[k]["age"]) for k in known]
    assert columns["location_category"].tolist() == [line["location_category"] for line in test]
