from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import omnibench.suite
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.suite import load, shipped

GOOD = """
name: mine
seed: 7
repetitions: 2
backbones: [random-vit-tiny, random-efficientnet-lite0]
matrix:
  - task: classification
    datasets: [phantom]
    adaptations: [linear, knn]
    recipe: {epochs: 3}
report: {baseline: random-vit-tiny}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:

    def read(text: str, **options: Any) -> Any:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return load(str(path), Sources(tmp_path / "data", tmp_path / "results"), **options)

    return read


def test_the_matrix_is_every_combination_and_knn_has_one_cell(read: Any) -> None:
    suite = read(GOOD)
    assert [unit.name.split("/", 2)[2] for unit in suite.units] == [
        "random-vit-tiny/linear",
        "random-vit-tiny/knn",
        "random-efficientnet-lite0/linear",
        "random-efficientnet-lite0/knn",
    ]
    assert [len(unit.cells) for unit in suite.units] == [2, 1, 2, 1]
    assert suite.units[0].recipe["epochs"] == 3
    assert suite.units[0].suite_seed == 7
    assert "epochs" not in suite.units[1].recipe
    assert suite.units[0].sources["backbone"] == "random:vit_tiny_patch16_224@0"
    assert suite.units[0].sources["dataset"] == "phantom@1"


def test_thresholds_of_decision_curves_are_two_rising_probabilities(read: Any) -> None:
    assert read(GOOD).report.decision_curves is None
    text = GOOD.replace("{baseline:", "{decision_curves: [0.05, 0.5], baseline:")
    assert read(text).report.decision_curves == (0.05, 0.5)
    for wrong in ("[0.5, 0.05]", "[0, 0.5]", "[0.1, 1]", "[0.1]", "0.1"):
        with pytest.raises(RequestError, match=r"report\.decision_curves"):
            read(text.replace("[0.05, 0.5]", wrong))


def test_subgroups_are_columns_with_or_without_rising_edges(read: Any) -> None:
    assert read(GOOD).report.subgroups == []
    text = GOOD.replace("{baseline:", "{subgroups: [sex, {age: [0, 40.5, 60]}], baseline:")
    sex, age = read(text).report.subgroups
    assert (sex.column, sex.edges) == ("sex", None)
    assert (age.column, age.edges) == ("age", (0, 40.5, 60))
    assert [name for name, _, _ in age.bands] == ["< 0", "0-40.5", "40.5-60", ">= 60"]
    for wrong, message in (
        ("[40, 0]", r"report\.subgroups\[1\]: the edges of 'age' do not rise"),
        ("[0, 0]", "do not rise"),
        ("[]", "are numbers in a list"),
        ("[a]", "are numbers in a list"),
        ("[.nan]", "are numbers in a list"),
        ("60", "are numbers in a list"),
    ):
        with pytest.raises(RequestError, match=message):
            read(text.replace("[0, 40.5, 60]", wrong))
    with pytest.raises(RequestError, match="write a column's name"):
        read(text.replace("sex", "[sex]"))
    with pytest.raises(RequestError, match="the column 'age' stands twice"):
        read(text.replace("sex", "age"))


def test_the_correction_is_holm_or_benjamini_and_hochberg(read: Any) -> None:
    assert read(GOOD).report.correction == "holm"
    text = GOOD.replace("{baseline:", "{correction: benjamini-hochberg, baseline:")
    assert read(text).report.correction == "benjamini-hochberg"
    with pytest.raises(RequestError, match=r"report\.correction"):
        read(text.replace("benjamini-hochberg", "bonferroni"))


def test_a_layout_is_one_of_three_and_near_ones_are_named(read: Any) -> None:
    assert read(GOOD).report.layout is None
    text = GOOD.replace("{baseline:", "{layout: per-task, baseline:")
    assert read(text).report.layout == "per-task"
    with pytest.raises(RequestError, match=r"report\.layout: 'per-tsak' .*did you mean.*per-task"):
        read(text.replace("per-task", "per-tsak"))


def test_globs_inline_cards_and_added_backbones(read: Any) -> None:
    text = GOOD.replace(
        "[random-vit-tiny, random-efficientnet-lite0]",
        "['random-vit-*', {id: mine, source: 'random:resnet10t', pool: mean}]",
    )
    suite = read(text, extra_backbones=("resnet18",))
    assert [card.id for card in suite.backbones] == [
        "random-vit-tiny",
        "random-vit-small",
        "random-vit-nano",
        "mine",
        "resnet18",
    ]


def test_a_backbone_of_the_suite_that_is_named_again_joins_no_further_block(read: Any) -> None:
    text = GOOD.replace("    recipe", "    backbones: [random-vit-tiny]\n    recipe")
    own, named = (read(text, extra_backbones=e) for e in ((), ("random-efficientnet-lite0",)))
    assert [unit.name for unit in own.units] == [unit.name for unit in named.units]
    assert len(read(text, extra_backbones=("resnet18",)).units) == len(own.units) + 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("repetitions: 2", "repetitions: two", r"repetitions: should be a valid integer"),
        ("repetitions: 2", "repetition: 2", r"repetition: unknown field; did you mean repetitions"),
        ("[phantom]", "[fantom]", r"matrix\[0\]\.datasets\[0\]: unknown dataset 'fantom'.*phantom"),
        ("[linear, knn]", "[liner]", r"matrix\[0\]\.adaptations\[0\]: .*'liner'.*did you mean lin"),
        ("[linear, knn]", "[]", r"matrix\[0\]\.adaptations: .*at least 1"),
        (
            "[linear, knn]",
            "[{linear: {r: 8}}]",
            r"matrix\[0\]\.adaptations\[0\]\.linear\.r: unknown field",
        ),
        (
            "task: classification",
            "task: clasification",
            r"matrix\[0\]\.task: unknown task.*classification",
        ),
        ("{epochs: 3}", "{epochs: few}", r"matrix\[0\]\.recipe\.epochs: should be a valid integer"),
        ("{epochs: 3}", "{epoch: 3}", r"matrix\[0\]\.recipe\.epoch: unknown field.*epochs"),
        (
            "baseline: random-vit-tiny",
            "baseline: random-vit",
            r"report\.baseline: .*random-vit-tiny",
        ),
        ("name: mine", "name: Report", r"name: 'Report' is what the report calls a file"),
        (
            "{baseline:",
            "{published: [omnirat], baseline:",
            r"report\.published: no tables of 'omnirat' come with .*; known: medmnist, omnirad",
        ),
        ("random-vit-tiny,", "random-vit-tyny,", r"backbones\[0\]: unknown .*random-vit-tiny"),
        ("random-vit-tiny,", "{id: x, source: nope},", r"backbones\[0\]: source 'nope' is none of"),
        (
            "random-vit-tiny,",
            "{id: resnet18, source: 'random:x'},",
            r"backbones\[0\]\.id: 'resnet18' is a registered",
        ),
        ("seed: 7", "seed: 7\nseed: 8", r"not a YAML file: the key 'seed' stands twice"),
        ("name: mine", "name: [", r"not a YAML file"),
        ("name: mine", "name: 2020-99-99", r"not a YAML file: month must be in 1..12"),
        ("name: mine", "name: !!python/object/apply:os.getcwd []", r"not a YAML file: could not"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(read: Any, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(RequestError, match=r"mine\.yaml: " + message) as caught:
        read(GOOD.replace(old, new))
    assert "\n" not in str(caught.value)


def test_no_matrix_and_no_mapping_are_refused(read: Any) -> None:
    with pytest.raises(RequestError, match="matrix: it is empty"):
        read(GOOD[: GOOD.index("matrix:")] + "matrix: []\n")
    with pytest.raises(RequestError, match="should be a valid dict"):
        read("- 1\n")


def test_a_million_cells_are_refused_with_their_count_before_any_is_made(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(omnibench.suite, "entry_units", None)
    with pytest.raises(RequestError, match=r"matrix has 1,000,002 cells, more than the 250,000"):
        read(GOOD.replace("repetitions: 2", "repetitions: 500000"))


def test_a_block_may_have_repetitions_of_its_own(read: Any) -> None:
    suite = read(GOOD.replace("recipe: {epochs: 3}", "recipe: {epochs: 3}\n    repetitions: 4"))
    assert [len(unit.cells) for unit in suite.units] == [4, 1, 4, 1]


def test_the_count_is_of_cells_and_knn_has_one_of_each(read: Any) -> None:
    text = GOOD.replace("[linear, knn]", "[knn]").replace("repetitions: 2", "repetitions: 1000000")
    assert [len(unit.cells) for unit in read(text).units] == [1, 1]
    half = GOOD.replace("repetitions: 2", "repetitions: 200000")
    with pytest.raises(RequestError, match=r"matrix has 400,002 cells"):
        read(half)
    narrowed = half.replace("[phantom]", "[phantom]\n    backbones: [random-vit-*]")
    assert sum(len(unit.repetitions) for unit in read(narrowed).units) == 200_001


def test_drawn_anew_the_controls_alone_have_repetitions_of_what_is_deterministic(read: Any) -> None:
    text = GOOD.replace("random-efficientnet-lite0]", "efficientnet-lite0]")
    text = text.replace("[linear, knn]", "[knn]").replace("epochs: 3", "init: per-repetition")
    assert [len(unit.cells) for unit in read(text).units] == [2, 1]
    with pytest.raises(RequestError, match=r"matrix has 300,001 cells"):
        read(text.replace("repetitions: 2", "repetitions: 300000"))


@pytest.mark.parametrize(
    "old, new",
    [("phantom", "'npz:~nobody-x/a.npz'"), ("name: mine", "name: mine\nplugins: [~nobody-x/a.py]")],
)
def test_a_user_that_is_not_known_is_one_sentence(read: Any, old: str, new: str) -> None:
    with pytest.raises(RequestError, match=r"the path '~nobody-x/a\..*' is of nobody known here"):
        read(GOOD.replace(old, new))
    with pytest.raises(RequestError, match="nobody known here"):
        load("~nobody-x/a.yaml", Sources(Path(), Path()))


def test_a_suite_that_is_not_there_lists_near_matches(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="unknown suite 'demmo'; did you mean demo"):
        load("demmo", Sources(tmp_path, tmp_path))


def test_a_damaged_dataset_blocks_its_cells_alone(read: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"not a zip file")
    suite = read(GOOD.replace("[phantom]", "[phantom, 'npz:bad.npz', 'npz:absent.npz']"))
    needs = {unit.dataset.id: unit.needs for unit in suite.units}
    assert needs["phantom"] == ()
    assert "bad.npz" in needs["npz-bad"][0]
    assert "absent.npz" in needs["npz-absent"][0]


def test_two_files_of_one_name_are_refused(read: Any, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        arrays: dict[str, Any] = {}
        for split in ("train", "val", "test"):
            arrays[f"{split}_images"] = np.zeros((4, 8, 8), np.uint8)
            arrays[f"{split}_labels"] = np.arange(4)[:, None] % 2
        np.savez(tmp_path / folder / "same.npz", **arrays)
    with pytest.raises(RequestError, match="would both be called 'npz-same'; rename one file"):
        read(GOOD.replace("[phantom]", "['npz:a/same.npz', 'npz:b/same.npz']"))


def test_every_shipped_suite_loads(tmp_path: Path) -> None:
    for name, path in shipped().items():
        suite = load(name, Sources(tmp_path, tmp_path))
        assert suite.name == name == Path(path).stem
        assert suite.units
