"""A small feature store filled by hand: two backbones, two datasets, and what may be missing."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit
from omnibench.cli import main
from omnibench.context import Context
from omnibench.features import FeatureStore, feature_key
from omnibench.record import blank
from omnibench.report import latent, latent_picture
from omnibench.report.latent import Space, gather
from omnibench.report.latent_report import K, Latent, write_latent
from omnibench.report.latex import to_latex
from omnibench.report.markdown import to_markdown
from omnibench.report.table import Table
from omnibench.session import Session
from omnibench.states import states
from omnibench.stats.dimension import effective_rank
from omnibench.stats.latent import (
    chance_purity,
    chance_purity_within,
    cosine_distances,
    linear_cka,
    nearest,
    purity,
)
from omnibench.store import RecordStore
from omnibench.suite import ReportSection
from omnibench.weights import file_source

RECIPE = {"input_size": 64, "normalization": "backbone", "precision": "fp32", "limit": None}
DASH = "\N{EN DASH}"


class Study:
    """Finished units, their records and their features below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.units = folder, list[Any]()
        self.context = Context(folder, folder / "data")
        self.store = RecordStore(folder)
        self.drawn = list[Any]()

    def add(
        self,
        backbone: str,
        dataset: str,
        labels: NDArray[Any],
        features: NDArray[Any] | None,
        classes: tuple[Any, ...] = ("no", "yes"),
        card: BackboneCard | None = None,
        **other: int,
    ) -> "Study":
        """A unit with its record; without features, the store has lost them."""
        item = Unit(
            task="classification",
            dataset=DatasetCard(
                id=dataset, reader="a:b", tasks=("classification",), classes=classes
            ),
            backbone=card or BackboneCard(id=backbone, source="random:x"),
            adaptation="knn",
            short="knn",
            options={},
            suite_seed=0,
            recipe=RECIPE | other,
            sources={"dataset": dataset, "backbone": backbone},
            repetitions=(0,),
        )
        self.units.append(item)
        (cell,) = item.cells
        record = {
            **blank(cell),
            **{"status": "done", "metrics": {"omnirad-classification/auc": 0.5}},
            **{"digests": {}, "pairing": "p"},
        }
        arrays = {"test_labels": labels, "test_logits": np.zeros((len(labels), 2), np.float32)}
        self.store.write(cell, record, arrays)
        if features is not None:
            self.keep(item, features)
        return self

    def keep(self, unit: Unit, features: NDArray[Any]) -> None:
        file = file_source(unit.backbone, self.context.data)
        FeatureStore(self.context.features).get(
            feature_key(unit, "test", "embed", **file),
            len(features),
            lambda: {"digest": "x"},
            lambda start, stop: features[start:stop],
            block=16,
        )

    def gather(self) -> Space | None:
        return gather("s", states(self.units, self.store), self.store, self.context)

    def write(self) -> Latent:
        actual = states(self.units, self.store)
        return write_latent("s", actual, self.store, self.context, self.folder / "reports")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """An empty one; UMAP is replaced by two columns of the features, and counted."""
    made = Study(tmp_path)

    def columns(features: NDArray[Any]) -> NDArray[Any]:
        made.drawn.append(features)
        return features[:, :2].copy()

    monkeypatch.setattr(latent_picture, "_umap", columns)
    return made


def some(seed: int, n: int = 40, d: int = 6) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return labels, (rng.normal(size=(n, d)) + 2 * labels[:, None]).astype(np.float32)


@pytest.fixture
def two(study: Study) -> Study:
    """Backbones a and b, of width 6 and 5, on datasets d (40 images) and e (30)."""
    for backbone, width in (("a", 6), ("b", 5)):
        for seed, (dataset, n) in enumerate((("d", 40), ("e", 30))):
            labels, features = some(seed, n)
            study.add(backbone, dataset, labels, features[:, :width])
    return study


def test_features_labels_and_sources_are_of_the_same_images(two: Study) -> None:
    space = two.gather()
    (d_labels, d), (e_labels, e) = some(0, 40), some(1, 30)
    assert space is not None
    np.testing.assert_array_equal(space.features["a"], np.concatenate([d, e]))
    assert space is not None
    np.testing.assert_array_equal(space.features["b"], np.concatenate([d, e])[:, :5])
    assert space is not None
    assert space.classes == ("d: no", "d: yes", "e: no", "e: yes")
    assert space is not None
    np.testing.assert_array_equal(space.labels, [*d_labels, *(e_labels + 2)])
    assert space is not None
    np.testing.assert_array_equal(space.sources, [0] * 40 + [1] * 30)
    assert space is not None
    assert space.images == {"d": (40, 40), "e": (30, 30)}
    assert space is not None
    assert space.setting == (64, "backbone", "fp32", None)
    assert space is not None
    assert space.remarks == ()


def test_many_images_are_chosen_alike_for_every_backbone(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latent, "IMAGES_OF_A_DATASET", 35)
    monkeypatch.setattr(latent, "IMAGES", 66)  # 33 a dataset, e has fewer
    space = two.gather()
    assert space is not None
    assert space.images == {"d": (33, 40), "e": (30, 30)}
    assert space is not None
    np.testing.assert_array_equal(space.features["a"][:, :5], space.features["b"])
    labels, d = some(0, 40)
    assert space is not None
    rows = [int(np.flatnonzero((d == row).all(axis=1))[0]) for row in space.features["a"][:33]]
    assert rows == sorted(set(rows)) and rows != list(range(33))
    assert space is not None
    np.testing.assert_array_equal(space.labels[:33], labels[rows])
    np.testing.assert_array_equal(two.gather().features["a"], space.features["a"])


def test_stored_halves_are_read_as_numbers(study: Study) -> None:
    labels, features = some(0)
    bits = (features.view(np.uint32) >> 16).astype(np.uint16)  # bfloat16, cut off
    study.add("bf16", "d", labels, bits).add("fp16", "d", labels, features.astype(np.float16))
    space = study.gather()
    assert space is not None
    np.testing.assert_allclose(space.features["bf16"], features, rtol=2**-7)
    assert space is not None
    np.testing.assert_allclose(space.features["fp16"], features, rtol=2**-10, atol=1e-6)


def test_the_loaded_file_of_a_hub_card_belongs_to_the_key(study: Any) -> None:
    weights = study.context.data / "weights" / "timm--x" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"one")
    labels, features = some(0)
    study.add("a", "d", labels, features, card=BackboneCard(id="a", source="timm:x"))
    assert list(study.gather().features) == ["a"]
    weights.write_bytes(b"other")
    assert study.gather().features == {}


def test_only_finished_units_that_keep_embeddings_count(study: Study) -> None:
    labels, features = some(0)
    study.add("a", "d", labels, features)
    for path in study.folder.rglob("rep-*.json"):
        path.unlink()
    assert study.gather() is None
    assert study.write().tables == ()
    assert not (study.folder / "reports").exists()


def test_backbones_are_compared_on_what_all_have_under_one_recipe(two: Study) -> None:
    labels, features = some(2)
    two.add("c", "e", *some(1, 30)).add("c", "f", labels, features)
    two.add("a", "d", labels, features, input_size=96)
    space = two.gather()
    assert space is not None
    assert list(space.features) == ["a", "b", "c"]
    assert space is not None
    assert list(space.images) == ["e"]
    assert space is not None
    (remark,) = space.remarks
    assert remark == (
        "Not shown, as not every backbone shown has the same: a on d (64 pixels), d (96 pixels); "
        "b on d (64 pixels); c on f (64 pixels)."
    )


def test_datasets_with_several_labels_an_image_are_named(two: Study) -> None:
    two.add("a", "chest", np.zeros((40, 3), int), some(0)[1])
    space = two.gather()
    assert space is not None
    assert list(space.images) == ["d", "e"]
    assert space is not None
    assert space.remarks == ("An image may show several classes, so not shown: chest.",)


def test_absent_features_are_named_with_the_way_back(two: Study) -> None:
    two.add("c", "d", some(0)[0], None).add("c", "e", some(1, 30)[0], None)
    space = two.gather()
    assert space is not None
    assert list(space.features) == ["a", "b"]
    assert space is not None
    assert space.remarks == (
        "Features are no longer in the store: c on d (64 pixels), e (64 pixels).",
        "They are made again by: bench.py run s --tasks classification --adaptations knn "
        "--datasets d,e --backbones c --force.",
    )
    assert space is not None
    assert " ".join(space.remarks) in two.write().tables[0].caption


def test_nothing_fails_where_no_feature_is_left(study: Study) -> None:
    study.add("a", "d", some(0)[0], None)
    (table,) = study.write().tables
    assert table.texts == () and "a on d" in table.caption
    assert "a on d" in to_markdown("s", [table])
    assert to_latex("s", [table]).endswith(f"\n\n% Latent space: {table.caption}\n")


def test_too_few_images_are_not_measured(study: Study) -> None:
    labels, features = some(0, 2 * K)
    (table,) = study.add("a", "d", labels, features).write().tables
    assert table.caption == "30 images are too few for k = 15 neighbours."


def test_numbers_stand_in_table_and_csv(two: Study) -> None:
    written = two.write()
    assert [path.name for path in written.paths] == ["latent.pdf", "latent.png", "latent.csv"]
    assert all(path.stat().st_size for path in written.paths)
    space = two.gather()
    rows = list(csv.DictReader(written.paths[2].open()))
    value = {(r["measure"], r["backbone"], r["against"]): r for r in rows}
    assert len(value) == len(rows) == 2 * 4 + 2 * 4 + 1 + 1
    assert space is not None
    distances = cosine_distances(space.features["a"])
    by_class, by_source = value["class_purity", "a", ""], value["source_purity", "a", ""]
    assert distances is not None
    assert space is not None
    assert float(by_class["value"]) == purity(distances, space.labels, K)
    assert space is not None
    assert float(by_class["chance"]) == chance_purity(space.labels)
    assert distances is not None
    assert space is not None
    assert float(by_source["value"]) == purity(distances, space.sources, K)
    assert (by_source["images"], by_source["k"], by_source["datasets"]) == ("70", "15", "d e")
    assert space is not None
    expected = trustworthiness(
        space.features["a"], space.features["a"][:, :2], n_neighbors=K, metric="cosine"
    )
    assert float(value["trustworthiness", "a", ""]["value"]) == pytest.approx(expected)
    assert space is not None
    alike, chance = linear_cka([space.features["a"], space.features["b"]])
    cka = value["linear_cka", "a", "b"]
    assert (float(cka["value"]), float(cka["chance"])) == (alike[0, 1], chance[0, 1])

    numbers, filled, likeness, shared = written.tables
    assert [row[0] for row in numbers.texts] == ["a", "b", "chance", "chance within a source"]
    assert space is not None
    within = chance_purity_within(space.labels, space.sources)
    assert float(by_class["chance_within_source"]) == within
    assert numbers.texts[3] == ("chance within a source", DASH, f"{within:.3f}", DASH, DASH)
    assert numbers.texts[0][1] == f"{expected:.3f}"
    assert likeness.texts[0] == ("(1) a", "1.000", f"{alike[0, 1]:.3f}")
    assert likeness.texts[1] == ("(2) b", f"{chance[0, 1]:.3f}", "1.000")
    rank = effective_rank(space.features["a"])
    assert rank is not None
    assert float(value["effective_rank", "a", ""]["value"]) == rank
    assert filled.texts[0][3:5] == (f"{rank:.1f}", str(min(70, space.features["a"].shape[1])))
    assert filled.texts[0][-1] == "no"
    other = cosine_distances(space.features["b"])
    assert other is not None
    pairs = zip(nearest(distances, K), nearest(other, K), strict=True)
    common = np.mean([len(set(a) & set(b)) / K for a, b in pairs])
    neighbours = value["shared_neighbours", "a", "b"]
    assert float(neighbours["value"]) == pytest.approx(common)
    assert float(neighbours["chance"]) == pytest.approx(K / 69)
    assert shared.texts[0] == ("(1) a", "1.000", f"{common:.3f}")
    for said in ("n = 70", "d (40), e (30)", "64 pixels", "k = 15", "feature space", "seed 0"):
        assert said in numbers.caption


def test_an_unchanged_report_draws_nothing_again(
    two: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = two.write()
    before = [path.read_bytes() for path in first.paths]
    assert len(two.drawn) == 2
    with monkeypatch.context() as patch:
        patch.setattr(latent_picture, "_render", None)
        assert two.write() == first
    assert len(two.drawn) == 2
    assert [path.read_bytes() for path in first.paths] == before
    for path in (two.folder / "reports").iterdir():
        path.unlink()
    assert two.write() == first
    assert [path.read_bytes() for path in first.paths] == before


def test_only_what_changed_is_drawn(two: Study) -> None:
    png = two.write().paths[1]
    before = png.read_bytes()
    two.add("c", "d", *some(0, 40)).add("c", "e", some(1, 30)[0], some(9, 30)[1])
    two.write()
    assert len(two.drawn) == 3
    changed = png.read_bytes()
    assert changed != before
    png.write_bytes(b"damaged")
    (png.parent / "latent.npz").write_bytes(b"damaged")
    two.write()
    assert png.read_bytes() == changed


def test_one_backbone_has_a_panel_and_no_matrix(study: Study) -> None:
    written = study.add("a", "d", *some(0)).write()
    table, filled = written.tables
    assert filled.texts[0][0] == "a"
    assert table.texts[0][3] == DASH  # one source
    assert [row[0] for row in table.texts] == ["a", "chance"]
    assert "latent.png" in to_markdown("s", written.tables)


def test_a_backbone_without_directions_has_dashes_and_no_panel(two: Study) -> None:
    two.add("dead", "d", some(0)[0], np.zeros((40, 3), np.float32))
    two.add("dead", "e", some(1, 30)[0], np.zeros((30, 3), np.float32))
    numbers, filled, likeness, shared = two.write().tables
    assert numbers.texts[2] == ("dead", DASH, DASH, DASH, DASH)
    assert filled.texts[2] == ("dead", "3", DASH, DASH, "3", DASH, "0", "constant")
    assert len(shared.texts) == 2
    assert likeness.texts[0][3] == DASH and likeness.texts[2][1:] == (DASH, DASH, DASH)
    assert len(two.drawn) == 2


def test_no_picture_where_no_backbone_has_directions(study: Study) -> None:
    written = study.add("dead", "d", some(0)[0], np.zeros((40, 3), np.float32)).write()
    assert [path.name for path in written.paths] == ["latent.csv"]
    assert written.tables[0].picture == ""


def test_more_classes_than_colours_are_coloured_by_source(study: Any) -> None:
    rng = np.random.default_rng(0)
    for dataset in ("d", "e"):
        features = rng.normal(size=(40, 4)).astype(np.float32)
        study.add("a", dataset, np.arange(40) % 10, features, classes=())
    assert "e: 9" in study.gather().classes
    assert "colours are datasets" in study.write().tables[0].caption


def test_odd_names_are_printed_as_they_are(study: Study) -> None:
    odd = "50%_of <b>&$x$\\"
    labels, features = some(0)
    written = study.add("a", "d", labels, features, classes=(odd, "_other")).write()
    assert (study.folder / "reports" / "latent.png").stat().st_size
    table = Table.from_texts(odd, ("backbone", odd), ((odd, "1"),), odd, "latent")
    escaped = r"50\%\_of \textless{}b\textgreater{}\&\$x\$\textbackslash{}"
    assert to_latex("s", [table]).count(escaped) == 4  # figure, head, row, caption
    assert r"50%\_of \<b\>\&\$x\$" in to_markdown("s", [table])
    assert written.tables[0].caption.startswith("Frozen features")


def test_the_command_prints_and_writes_it(
    two: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = {unit.backbone.id: unit.backbone for unit in two.units}
    suite = SimpleNamespace(
        looks={},
        monitored={},
        **{"name": "s", "datasets": {}, "backbones": list(cards.values())},
        report=ReportSection(),
    )
    monkeypatch.setattr(Session, "suite", lambda self, name: (suite, two.units))
    folders = ("--results", str(two.folder), "--data", str(two.context.data))
    monkeypatch.setattr(sys, "argv", ["omnibench", "report", "s", *folders])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    out = capsys.readouterr().out
    folder = two.folder / "reports" / "s"
    assert f"written: {folder / 'report.html'}" in out
    for name in ("s.tex", "s.csv", "s.md", "latent.pdf", "latent.png", "latent.csv"):
        assert f" {name}," in out
    assert "## Latent space: likeness of backbones" in (folder / "s.md").read_text()
    latex = (folder / "s.tex").read_text()
    assert latex.count(r"\begin{table}") == 7  # two datasets, across them, four of the latent space
    assert r"\includegraphics[width=\linewidth]{latent}" in latex


UMAP = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("error")
import numpy as np
import omnibench.commands.reporting
from omnibench.report.latent_picture import Embeddings
heavy = {"torch", "umap", "numba", "matplotlib", "sklearn"}
before = sorted(heavy & set(sys.modules))
rng = np.random.default_rng(0)
labels = np.repeat([0, 1], 30)
features = (rng.normal(size=(60, 8)) + 6 * rng.normal(size=(2, 8))[labels]).astype(np.float32)
one, two = (Embeddings(Path(sys.argv[1]) / name).points(features) for name in ("1.npz", "2.npz"))
print(json.dumps({
    "before": before, "torch": "torch" in sys.modules, "same": bool((one == two).all()),
    "shape": one.shape, "apart": float(np.linalg.norm(one[labels == 0].mean(0)
    - one[labels == 1].mean(0)) / one[labels == 0].std()),
}))
"""


def test_umap_repeats_itself_without_warnings_and_without_torch(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UMAP, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    actual = json.loads(done.stdout)
    assert actual["before"] == []
    assert not actual["torch"]
    assert actual["same"]
    assert actual["shape"] == [60, 2]
    assert actual["apart"] > 2
