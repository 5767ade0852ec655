from pathlib import Path

import numpy as np
import pytest

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
        ("- a", "it: "),
        ("a: [", "is not a YAML file"),
        ("[" * 3000, "is not a YAML file"),
        ("&a [*a]", "is not a YAML file"),
        ("? [x]\n: 1", "is not a YAML file"),
        ("\x00", "is not a YAML file"),
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
    with pytest.raises(DataError, match=r"omnibench\.yaml is not a YAML file"):
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
    )
    digests = {declared(tmp_path, text).digest(source) for text in texts}
    assert len(digests) == len(texts)
    assert declared(tmp_path, "strict: true").digest(source) == source
    spaced = declared(tmp_path, "# a remark\nignore:  [ 3 ]\nstrict: true")
    assert spaced.digest(source) == declared(tmp_path, "ignore: [3]").digest(source) in digests
