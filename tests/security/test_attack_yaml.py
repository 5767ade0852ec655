"""Suites that want more of a YAML reader than numbers, texts, lists and mappings."""

import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from omnibench import suite
from tests.conftest import Bench

TAGS = (
    "!!python/object/apply:os.makedirs ['MARKER']",
    "!!python/object/new:os.makedirs ['MARKER']",
    "!!python/object/apply:subprocess.check_call [['mkdir', 'MARKER']]",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/tuple [1]",
    "!evil {a: 1}",
)


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("field", ["name", "backbones", "report"])
def test_an_object_s_tag_is_refused_unrun(
    bench: Bench, tmp_path: Path, marker: Path, tag: str, field: str
) -> None:
    path = tmp_path / "attack.yaml"
    fields = {"name": "attack", "backbones": "[random-vit-tiny]", "matrix": "[]"}
    fields |= {field: tag.replace("MARKER", str(marker))}
    path.write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    status, out, err = bench("plan", path)
    assert (status, out) == (2, "")
    assert re.match(
        rf"error: {re.escape(str(path))}: not a YAML file: could not determine a constructor "
        r"for the tag '\S+' in .* line \d+, column \d+",
        err,
    ), err
    assert err.count("\n") == 1


SUITE = """
name: attack
repetitions: {repetitions}
backbones: [{backbones}]
matrix:
  - {{task: classification, datasets: [{datasets}], adaptations: [linear], recipe: {recipe}}}
"""


def written(
    path: Path,
    repetitions: int = 1,
    backbones: str = "random-vit-tiny",
    datasets: str = "phantom",
    recipe: str = "small",
) -> Path:
    text = SUITE.format(
        repetitions=repetitions, backbones=backbones, datasets=datasets, recipe=recipe
    )
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("repetitions", "backbones", "count"),
    [(1_000_000, 1, "1,000,000"), (10**15, 1, "1,000,000,000,000,000"), (1000, 1000, "1,000,000")],
)
def test_a_suite_of_a_million_cells_is_refused_with_the_count(
    bench: Bench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    repetitions: int,
    backbones: int,
    count: str,
) -> None:
    monkeypatch.setattr(suite, "Unit", None)  # none is made of so many
    cards = ", ".join(f"{{id: b{k}, source: 'random:test_vit'}}" for k in range(backbones))
    path = written(tmp_path / "attack.yaml", repetitions, cards)
    for command in ("plan", "run", "status"):
        status, out, err = bench(command, path)
        assert (status, out) == (2, "")
        assert re.fullmatch(
            rf"error: attack\.yaml: the matrix has {count} cells, more than the [\d,]+ that one "
            r"suite may have; make several suites of it\n",
            err,
        ), err
    assert not (tmp_path / "results").exists()


LAUGHS = "&a [x, x, x, x, x, x, x, x, x, x]"
FIELDS = ("repetitions", "backbones", "datasets", "recipe")


@pytest.mark.parametrize("field", FIELDS)
def test_aliases_that_multiply_to_a_billion_take_neither_time_nor_memory(
    bench: Bench, tmp_path: Path, field: str
) -> None:
    laughs = LAUGHS
    for name, last in zip("bcdefghi", "abcdefgh", strict=True):
        laughs = f"&{name} [{laughs}{f', *{last}' * 9}]"
    given: dict[str, Any] = {field: f"{{epochs: {laughs}}}" if field == "recipe" else laughs}
    tracemalloc.start()
    try:
        status, out, err = bench("plan", written(tmp_path / "attack.yaml", **given))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (status, out) == (2, "")
    assert re.match(r"error: attack\.yaml: (matrix\[0\]\.)?\w+", err), err
    assert len(err) < 1000
    assert peak < 50_000_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 5_000,
        "name: !!timestamp x",
        "name: !!bool x",
        "name: !!int ''",
        "name: 2001-13-45",
        "name: !!float x",
        f"seed: {'9' * 5000}",
        "name: \x00",
        "name: &a [*a]",
        "? [a]\n: b",
        "<<: 3",
    ],
)
def test_what_yaml_cannot_construct_is_one_sentence(
    bench: Bench, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "attack.yaml"
    path.write_text(text)
    status, out, err = bench("plan", path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert re.match(r"error: .*attack\.yaml: ", err), err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<<: {name: a}", r"'<<', which merges mappings, is not read here; write its keys out"),
        ("report: &x {baseline: a}\nmore: {<<: *x}", r"'<<', which merges mappings, is not read"),
        ("? [a]\n: b", r"a key is a list or a mapping; write a plain word before the colon"),
    ],
)
def test_merged_keys_and_keys_that_are_no_words_are_refused_by_name(
    bench: Bench, tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "attack.yaml"
    path.write_text(text)
    status, out, err = bench("plan", path)
    assert (status, out) == (2, "")
    assert re.match(rf"error: .*attack\.yaml: not a YAML file: {sentence}.* line \d, column", err)
