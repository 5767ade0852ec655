from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cards import SPLITS
from omnibench.catalogue import readers
from omnibench.data import sources
from omnibench.data.declaration import VOID, Declaration, coding_of, read_declaration
from omnibench.errors import DataError


def declared(folder: Path, text: str) -> Declaration:
    (folder / "omnibench.yaml").write_text(text)
    return read_declaration(folder)


def test_it_lies_in_the_folder_or_beside_the_file(tmp_path: Path) -> None:
    assert read_declaration(tmp_path) == read_declaration(tmp_path / "a.npz") == Declaration()
    (tmp_path / "a.yaml").write_text("labels: ordinal")
    assert read_declaration(tmp_path / "a.npz").labels == "ordinal"
    assert declared(tmp_path, "strict: true").strict
    assert declared(tmp_path, "") == Declaration()
    (tmp_path / "a.yaml").write_text("{name: a, backbones: [x]}")  # a suite of the same name
    assert read_declaration(tmp_path / "a.npz") == Declaration()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lables: binary", r"lables: unknown field.*labels"),
        ("labels: two", "labels: "),
        ("mask_values: {256: a, 0: b}", "'256' is no mask value"),
        ("mask_values: {-1: a, 0: b}", "'-1' is no mask value"),
        ("mask_values: {red: a, 0: b}", "'red' is no mask value.*in quotes"),
        ('mask_values: {"9..3": a, 0: b}', r"the range 9\.\.3 is empty"),
        ("mask_values: {0: a, 0: b}", "the key '0' stands twice"),
        ('mask_values: {0: a, "0..9": b}', "0 stands twice"),
        ("{mask_values: {0: a, 1: b}, ignore: [1]}", "1 stands twice"),
        ("mask_values: {0: a, 1: a}", "names 1 classes where 2 to 64"),
        ('mask_values: {0: a, "#ff0000": b}', "all values by colour, or all by number"),
        ('ignore: ["#ff0000"]', "all values by colour, or all by number"),
        ("mask_values: [0, 1]", "mask_values: "),
        ("window: [40, 0]", r"window: it is \[centre, width\]"),
        ("window: {percentiles: [99, 1]}", "window: it is "),
        ("spacing: [1, 1]", "spacing"),
        ("axis: z", "axis: "),
        ('series: {"a view": x}', "series"),
        ("- a", "it: "),
        ("a: [", "not a YAML file"),
        ("[" * 3000, "not a YAML file"),
        ("&a [*a]", "not a YAML file"),
        ("? [x]\n: 1", "not a YAML file"),
        ("\x00", "not a YAML file"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"omnibench\.yaml.*{message}"):
        declared(tmp_path, text)


def test_a_list_that_refers_to_itself_again_and_again_is_refused_at_once(tmp_path: Path) -> None:
    levels = ["&a [x, x, x, x, x, x, x, x, x]"]
    levels += [f"&{'bcdefghi'[k]} [{', '.join(['*' + 'abcdefgh'[k]] * 9)}]" for k in range(8)]
    (tmp_path / "omnibench.yaml").write_text(f"ignore: [{', '.join(levels)}]")
    with pytest.raises(DataError, match="a mask value is one word, not a list"):
        read_declaration(tmp_path)


def test_a_file_of_the_other_ending_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "omnibench.yml").write_text("strict: true")
    with pytest.raises(DataError, match=r"omnibench\.yml is not looked at; rename it to omnibench"):
        read_declaration(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "omnibench.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"omnibench\.yaml: not a YAML file"):
        read_declaration(tmp_path)


def test_the_table_follows_the_order_of_the_classes(tmp_path: Path) -> None:
    text = '{mask_values: {"5..6": no, 0: yes, 9: no}, ignore: [255, "1..2"]}'
    coding = coding_of(declared(tmp_path, text))
    assert coding.classes == ("no", "yes")
    expected = {5: 0, 6: 0, 9: 0, 0: 1, 255: VOID, 1: VOID, 2: VOID}
    assert {int(v): int(coding.table[v]) for v in np.flatnonzero(coding.table != 254)} == expected


def test_colours_are_values_in_their_order(tmp_path: Path) -> None:
    text = 'mask_values: {"#000000": a, "#FF0010": b, "#ffffff": a}'
    coding = coding_of(declared(tmp_path, text))
    assert coding.colours == ((0, 0, 0), (255, 0, 16), (255, 255, 255))
    assert coding.table[:4].tolist() == [0, 1, 0, 254]


def test_the_digest_changes_with_what_decides_numbers_alone(tmp_path: Path) -> None:
    source = "sha256:" + "0" * 64
    texts = (
        *("labels: ordinal", "ignore: [3]", "mask_values: {0: a, 1: b}"),
        *("mask_values: {1: b, 0: a}", "mask_values: {0: a, 1: c}"),
        *("window: [40, 400]", "window: [40, 401]", "window: {percentiles: [1, 99]}"),
        *("spacing: [1, 1, 3]", "axis: axial", "split_seed: 1", "series: {axial: thin*}"),
    )
    digests = {declared(tmp_path, text).digest(source) for text in texts}
    assert len(digests) == len(texts)
    for text in ("strict: true", "shared_patients: allowed", "split_seed: 0"):
        assert declared(tmp_path, text).digest(source) == source
    spaced = declared(tmp_path, "# a remark\nignore:  [ 3 ]\nstrict: true")
    assert spaced.digest(source) == declared(tmp_path, "ignore: [3]").digest(source) in digests


@pytest.mark.parametrize(
    ("kind", "text", "key", "used"),
    [
        (
            "pairs",
            "labels: binary",
            "labels",
            "mask_values, ignore, maps, pixel_spacing and columns would",
        ),
        ("folder", "mask_values: {0: a, 1: b}", "mask_values", "labels and columns would"),
        ("folder", "ignore: [255]", "ignore", "labels and columns would"),
        ("images", "labels: binary", "labels", "only strict would"),
        ("jsonl", "{labels: binary, ignore: [9]}", "labels and ignore", "columns would"),
    ],
)
def test_a_key_that_a_kind_of_data_does_not_use_is_refused_by_name(
    tmp_path: Path, kind: str, text: str, key: str, used: str
) -> None:
    declared(tmp_path, text)
    with pytest.raises(
        DataError, match=rf"omnibench\.yaml declares {key}, which says .*\({used}\)"
    ):
        readers.get(kind).card(tmp_path)
    [need] = sources.missing(sources.resolve(f"{kind}:{tmp_path}"), tmp_path)
    assert f"declares {key}, which says nothing" in need


def test_masks_alone_are_declared_where_an_npz_has_only_masks(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {f"{split}_images": np.zeros((2, 4, 4), np.uint8) for split in SPLITS}
    arrays |= {f"{split}_label": np.eye(4, dtype=np.uint8)[None].repeat(2, 0) for split in SPLITS}
    np.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "a.yaml").write_text("{mask_values: {0: no, 1: yes}, strict: true}")
    assert readers.get("npz").card(tmp_path / "a.npz").tasks == ("segmentation",)
    (tmp_path / "a.yaml").write_text("labels: binary")
    with pytest.raises(DataError, match=r"a\.yaml declares labels, .* a\.npz \(mask_values, "):
        readers.get("npz").card(tmp_path / "a.npz")
