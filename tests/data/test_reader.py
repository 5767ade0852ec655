"""Readers from outside: a plug-in's file reads datasets of its own kind, or is refused by name."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from omnibench.catalogue import load_plugin, readers, register_reader
from omnibench.data import Reader, local_card, sources
from omnibench.data.checksums import sha256_of, sha256_of_folder
from omnibench.errors import DataError, RequestError
from omnibench.registry import all_or_none

pytestmark = pytest.mark.usefixtures("in_process")

Bench = Callable[..., tuple[int, str, str]]

PLUGIN = """
import csv
from pathlib import Path
import numpy as np
from omnibench import register_reader
from omnibench.data import ArrayImages, Dataset, Labels, Reader, Split, local_card

def lines(path):
    with path.open() as file:
        return [(split, int(label)) for split, label in csv.reader(file)]

def card_of(path):
    splits = {split: sum(s == split for s, _ in lines(path)) for split in ("train", "val", "test")}
    return local_card(NAME, path, tasks=("classification",), labels="binary", classes=("a", "b"),
                      channels=1, resolution=16, splits=splits, primary={"classification": "auc"})

def read(card, data_dir):
    splits = {}
    for split in card.splits:
        labels = np.array([label for s, label in lines(Path(card.path)) if s == split])
        noise = np.random.default_rng(0).integers(0, 99, (len(labels), 16, 16))
        images = noise + 99 * labels[:, None, None]
        splits[split] = Split(ArrayImages(images.astype(np.uint8)), {"labels": Labels(labels)})
    return Dataset(card, splits)
"""
SUITE = """
name: own
repetitions: 1
backbones: [{{id: b, source: "random:test_vit"}}]
matrix:
  - task: classification
    datasets: ["{name}:data.{name}"]
    adaptations: [linear]
    recipe: {{input_size: 32, epochs: 1, precision: fp32}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write a plug-in with a reader of this name, a dataset that it reads, and a suite."""

    def own(
        name: str, more: str = "", call: str = "Reader(NAME, card_of, read)"
    ) -> tuple[Path, Path]:
        plugin, suite = tmp_path / f"{name}_reader.py", tmp_path / f"{name}.yaml"
        plugin.write_text(f'NAME = "{name}"\n{PLUGIN}\n{more}\nregister_reader({call})\n')
        rows = [f"{split},{index % 2}" for split in ("train", "val", "test") for index in range(8)]
        (tmp_path / f"data.{name}").write_text("\n".join(rows))
        suite.write_text(SUITE.format(name=name))
        return plugin, suite

    return own


def test_a_plugins_reader_serves_a_suite(
    bench: Bench, own: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    plugin, suite = own("rows")
    status, out, _ = bench("run", suite, "--plugin", plugin)
    assert (status, "1 of 1 cells done" in out) == (0, True)
    assert bench("report", suite, "--plugin", plugin, "--out", tmp_path / "out")[0] == 0
    assert "| b | linear |" in (tmp_path / "out" / "own.md").read_text(encoding="utf-8")
    status, out, _ = bench("plan", suite, "--json", "--plugin", plugin)
    [cell] = json.loads(out)["cells"]
    assert (cell["dataset"], cell["state"]) == ("rows-data", "done")
    plugin.write_text(plugin.read_text() + "\n# another reader\n")
    [cell] = json.loads(bench("plan", suite, "--json", "--plugin", plugin)[1])["cells"]
    assert cell["state"] == "missing"


def test_a_reader_from_outside_is_a_part_of_its_datasets_identity(
    tmp_path: Path, own: Callable[..., tuple[Path, Path]]
) -> None:
    plugin, _ = own("lists")
    load_plugin(plugin)
    card = sources.resolve("lists:data.lists", tmp_path)
    digest = sources.source_digest(card, tmp_path)
    assert digest == sources.source_digest(card, tmp_path)
    assert digest != f"sha256:{sha256_of(tmp_path / 'data.lists', tmp_path)}"
    (tmp_path / "data.lists").write_text((tmp_path / "data.lists").read_text() + "\ntest,0")
    changed = sources.source_digest(card, tmp_path)
    plugin.write_text(plugin.read_text().replace("integers(0, 99", "integers(0, 98"))
    assert len({digest, changed, sources.source_digest(card, tmp_path)}) == 3


@pytest.mark.parametrize(
    ("name", "more", "call", "complaint"),
    [
        ("half", "", "Reader(NAME, card_of)", r"line \d+: TypeError: .*missing .* 'read'"),
        ("none", "", "Reader(NAME, card_of, None)", "'none' has NoneType as read; give a function"),
        ("word", "", "Reader(NAME, card_of, read, left_out=3)", "'word' has int as left_out"),
        ("Name", "", "Reader(NAME, card_of, read)", "a reader is called 'Name'; use small letters"),
        ("number", "", "3", "a reader is an omnibench.data.Reader, not int"),
        ("npz", "", "Reader(NAME, card_of, read)", "the reader 'npz' is registered already"),
    ],
)
def test_what_is_no_reader_is_refused_at_its_registration(
    own: Callable[..., tuple[Path, Path]], name: str, more: str, call: str, complaint: str
) -> None:
    plugin, _ = own(name, more, call)
    with pytest.raises(RequestError, match=complaint):
        load_plugin(plugin)
    assert name == "npz" or name not in readers


@pytest.mark.parametrize(
    ("name", "more", "complaint"),
    [
        ("raises", "def card_of(path): raise KeyError('x')", "card_of failed with KeyError: 'x'"),
        ("mapping", "def card_of(path): return {}", "card_of returned dict, no DatasetCard"),
        (
            "bare",
            "def card_of(path): return local_card(NAME, path)",
            "card_of returned a card without tasks",
        ),
        (
            "cut",
            "def card_of(path): return local_card(NAME, path, tasks=('x',), splits={'val': 1})",
            r"card_of returned a card of the splits \(val\); give the numbers",
        ),
    ],
)
def test_a_card_that_is_none_blocks_the_cells_by_name(
    bench: Bench, own: Callable[..., tuple[Path, Path]], name: str, more: str, complaint: str
) -> None:
    plugin, suite = own(name, more)
    [cell] = json.loads(bench("plan", suite, "--json", "--plugin", plugin)[1])["cells"]
    assert cell["state"] == "blocked"
    assert re.search(
        rf"the reader '{name}' \(.*{name}_reader\.py\): {complaint}", " ".join(cell["needs"])
    )


@pytest.mark.parametrize(
    ("name", "more", "complaint"),
    [
        ("fails", "def read(card, data): return 1 / 0", "read failed with ZeroDivisionError: "),
        ("nothing", "def read(card, data): pass", "read returned NoneType, no Dataset"),
        (
            "untested",
            "whole = read\ndef read(card, data):\n    dataset = whole(card, data)\n"
            "    return Dataset(card, {n: s for n, s in dataset.splits.items() if n != 'test'})",
            "read returned 'untested-data' without test; give every split",
        ),
        (
            "tuples",
            "whole = read\ndef read(card, data):\n"
            "    return Dataset(card, {n: (s, 1) for n, s in whole(card, data).splits.items()})",
            "read returned 'tuples-data' whose train is a tuple; give a Split",
        ),
        (
            "soft",
            "whole = read\ndef read(card, data):\n    dataset = whole(card, data)\n"
            "    for split in dataset.splits.values():\n"
            "        split.targets['labels'] = Labels(split.targets['labels'].values / 2)\n"
            "    return dataset",
            "read returned 'soft-data' whose labels of train are float64; give whole numbers",
        ),
    ],
)
def test_what_is_no_dataset_is_refused_by_name(
    bench: Bench, own: Callable[..., tuple[Path, Path]], name: str, more: str, complaint: str
) -> None:
    plugin, suite = own(name, more)
    [cell] = json.loads(bench("plan", suite, "--json", "--plugin", plugin)[1])["cells"]
    assert cell["state"] == "blocked"  # as the survey of a small dataset reads it
    assert f"the reader '{name}' ({plugin}): {complaint}" in " ".join(cell["needs"])
    card = sources.resolve(f"{name}:data.{name}", plugin.parent)
    with pytest.raises(DataError, match=f"the reader '{name}' .*{complaint}"):
        sources.load_once(card, plugin.parent, "digest", 32)


def test_a_folder_without_a_digest_of_its_own_is_known_by_its_files(
    tmp_path: Path, own: Callable[..., tuple[Path, Path]]
) -> None:
    folder = tmp_path / "set"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "x.txt").write_text("1")
    card = local_card("npz", folder, tasks=("t",))
    expected = f"sha256:{sha256_of_folder(folder, ['a/x.txt'], tmp_path)}"
    assert sources.source_digest(card, tmp_path) == expected
    (folder / "a" / "x.txt").write_text("2")
    assert sources.source_digest(card, tmp_path) != expected


def test_a_reader_is_taken_back_with_its_plugin() -> None:
    reader = Reader("gone", lambda path: local_card("gone", path), lambda card, data: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(RequestError, match="stop"), all_or_none():
        register_reader(reader)
        raise RequestError("stop")
    assert "gone" not in readers
