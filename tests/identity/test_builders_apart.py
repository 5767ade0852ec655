"""A number belongs to its backbone: what a plug-in builds is never taken for something else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from omnibench.catalogue import backbones, load_plugin
from omnibench.errors import RequestError
from omnibench.execute import execute_unit
from omnibench.session import Places, Session
from tests.conftest import Bench
from tests.identity.bright_images import write_bright_images

HEAD = """
import torch
from torch import nn
from omnibench import BackboneCard, register_backbone
"""
CLASSES = {
    "Small": """
class Small(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 16, 8, 8), nn.GELU())
""",
    "Big": """
class Big(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 64, 8, 8), nn.GELU())
""",
}
REGISTER = 'register_backbone(BackboneCard(id="{id}", source=f"{{__name__}}:{name}"))\n'
SUITE = """
name: apart
repetitions: 2
{plugins}
backbones: [{backbones}]
matrix:
  - {{task: classification, datasets: ['npz:two.npz'], adaptations: [{adaptations}],
     recipe: {{input_size: 16, epochs: 8{recipe}}}}}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a suite's cells in this process; return {backbone/adaptation/repetition: record}."""
    torch.set_num_threads(1)
    write_bright_images(tmp_path / "two.npz", 40, 25)

    def study(
        *names: Any,
        adaptations: str = "linear",
        plugins: Any = (),
        recipe: str = "",
        run: bool = True,
    ) -> dict[str, Any]:
        path = tmp_path / "apart.yaml"
        files = f"plugins: [{', '.join(plugins)}]" if plugins else ""
        text = {"plugins": files, "backbones": ", ".join(names), "adaptations": adaptations}
        path.write_text(SUITE.format(**text, recipe=recipe))
        session = Session.open(Places(results=tmp_path / "results", data=tmp_path / "data"))
        records = {}
        for unit in session.suite(str(path))[1]:
            if run:
                finished = execute_unit(unit, session.context("cpu"))
                for message in filter(None, finished.repetitions.values()):
                    raise RuntimeError(message)
            for cell in unit.cells:
                key = f"{unit.backbone.id}/{unit.short}/{cell.repetition}"
                records[key] = session.store.read(cell)
        return records

    return study


def write(path: Path, *names: Any, ids: tuple[Any, ...] | None = None) -> Path:
    text = HEAD + "".join(CLASSES[name] for name in names)
    for name, identifier in zip(names, ids or [name.lower() for name in names], strict=True):
        text += REGISTER.format(id=identifier, name=name)
    path.write_text(text)
    return path


def metrics(record: Any) -> dict[Any, Any]:
    return {name: value for name, value in record["metrics"].items() if "auc" in name}


def test_two_backbones_of_one_file_have_each_its_own_features(study: Any, tmp_path: Path) -> None:
    load_plugin(write(tmp_path / "pair_of_nets.py", "Small", "Big", ids=("apart-s", "apart-b")))
    load_plugin(write(tmp_path / "big_alone.py", "Big", ids=("alone-b",)))
    records = study("apart-s", "apart-b", "alone-b", adaptations="linear, knn")
    small, big, alone = (records[f"{name}/linear/0"] for name in ("apart-s", "apart-b", "alone-b"))
    assert metrics(small) != metrics(big)
    assert big["metrics"] == alone["metrics"]
    assert small["digests"]["backbone"] != big["digests"]["backbone"]
    assert big["digests"]["backbone"] == alone["digests"]["backbone"]
    assert small["digests"]["source.backbone"] != big["digests"]["source.backbone"]


def test_two_cards_of_one_builder_share_nothing(study: Any, tmp_path: Path) -> None:
    path = tmp_path / "two_cards.py"
    text = HEAD + CLASSES["Big"] + REGISTER.format(id="card-a", name="Big")
    path.write_text(text + REGISTER.format(id="card-b", name="Big"))
    load_plugin(path)
    records = study("card-a", "card-b")
    sources = {record["digests"]["source.backbone"] for record in records.values()}
    assert len(sources) == 2
    assert len(list((tmp_path / "data" / "features").glob("*/manifest.json"))) == 2 * 3


def test_a_changed_helper_module_is_another_backbone(study: Any, tmp_path: Path) -> None:
    (tmp_path / "apart_impl.py").write_text("WIDTH = 16\n")
    plugin = tmp_path / "with_helper.py"
    net = CLASSES["Small"].replace("3, 16", "3, WIDTH")
    text = HEAD + "from apart_impl import WIDTH\n" + net
    plugin.write_text(text + REGISTER.format(id="apart-helped", name="Small"))
    load_plugin(plugin)
    assert all(study("apart-helped").values())
    (tmp_path / "apart_impl.py").write_text("WIDTH = 24\n")
    assert not any(study("apart-helped", run=False).values())


def test_a_builder_that_builds_another_network_each_time_is_refused(
    study: Any, tmp_path: Path
) -> None:
    path = tmp_path / "fickle.py"
    text = HEAD + "import itertools\nwidths = itertools.count(16)\n"
    text += "def net():\n    return nn.Sequential(nn.Conv2d(3, next(widths), 8, 8), nn.GELU())\n"
    path.write_text(text + REGISTER.format(id="fickle", name="net"))
    load_plugin(path)
    with pytest.raises(RuntimeError, match="a builder must build the same network each time"):
        study("fickle", adaptations="linear, knn")


def test_a_suite_names_its_plug_ins_and_runs_no_other_code(study: Any, tmp_path: Path) -> None:
    write(tmp_path / "named_by_suite.py", "Small", ids=("by-suite",))
    assert all(study("by-suite", plugins=("named_by_suite.py",)).values())
    with pytest.raises(RequestError, match="is code that no plug-in holds"):
        study("{id: cwd, source: 'os:getcwd'}")
    with pytest.raises(RequestError, match=r"plugins\[0\]: the plug-in .*absent.py"):
        study("by-suite", plugins=("absent.py",))


def test_records_of_an_unregistered_backbone_are_named(
    study: Any, tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_plugin(write(tmp_path / "gone_net.py", "Small", ids=("gone-net",)))
    study("gone-net", "random-vit-tiny", adaptations="knn")
    monkeypatch.delitem(backbones._entries, "gone-net")
    suite = tmp_path / "apart.yaml"
    suite.write_text(suite.read_text().replace("gone-net, ", ""))
    places = ("--results", tmp_path / "results", "--data", tmp_path / "data")
    out = bench("status", suite, *places)[1]
    assert "1 records of 'gone-net' on classification/npz-two are not shown" in out
    (lost,) = json.loads(bench("status", suite, *places, "--json")[1])["unregistered"]
    assert (lost["backbone"], lost["records"]) == ("gone-net", 1)
    out = bench("report", suite, *places)[1]
    assert "not registered: 1 records of 'gone-net'" in out
    page = (tmp_path / "results" / "reports" / "apart" / "report.html").read_text()
    assert "gone-net" in page


def test_random_weights_are_one_draw_or_one_a_repetition(study: Any) -> None:
    name = "{id: control, source: 'random:test_vit'}"
    fixed = study(name, adaptations="linear, knn")
    assert list(fixed) == ["control/linear/0", "control/linear/1", "control/knn/0"]
    assert len({record["digests"]["backbone"] for record in fixed.values()}) == 1
    drawn = study(name, adaptations="linear, knn", recipe=", init: per-repetition")
    loaded = [record["digests"]["backbone"] for record in drawn.values()]
    assert list(drawn) == [f"control/{name}/{k}" for name in ("linear", "knn") for k in (0, 1)]
    assert loaded[:2] == loaded[2:]
    assert loaded[0] != loaded[1]
    # The first draw is the fixed one, so its numbers are too.
    assert drawn["control/knn/0"]["metrics"] == fixed["control/knn/0"]["metrics"]
    assert drawn["control/knn/1"]["metrics"] != fixed["control/knn/0"]["metrics"]


def test_a_builder_that_draws_its_weights_is_drawn_anew_like_any_control(
    study: Any, tmp_path: Path
) -> None:
    plugin = HEAD + CLASSES["Small"] + REGISTER.format(id="drawn-net", name="Small")
    path = tmp_path / "drawn_net.py"
    path.write_text(plugin.replace('Small"))', 'Small", draw=0))'))
    fixed = study("drawn-net", adaptations="linear, knn", plugins=[path.name])
    assert len({record["digests"]["backbone"] for record in fixed.values()}) == 1
    anew = study(
        "drawn-net", adaptations="linear, knn", plugins=[path.name], recipe=", init: per-repetition"
    )
    loaded = [record["digests"]["backbone"] for record in anew.values()]
    assert list(anew) == [f"drawn-net/{name}/{k}" for name in ("linear", "knn") for k in (0, 1)]
    assert loaded[:2] == loaded[2:]
    assert loaded[0] != loaded[1]
    assert anew["drawn-net/knn/0"]["metrics"] == fixed["drawn-net/knn/0"]["metrics"]
    assert anew["drawn-net/knn/1"]["metrics"] != fixed["drawn-net/knn/0"]["metrics"]


def test_a_pretrained_backbone_has_no_use_for_init(study: Any, tmp_path: Path) -> None:
    """So its cells are the same in a block that draws its controls anew."""
    names = ("efficientnet-lite0", "random-efficientnet-lite0")
    digests = {}
    for recipe in ("", ", init: per-repetition"):
        study(*names, recipe=recipe, run=False)
        session = Session.open(Places(results=tmp_path / "results", data=tmp_path / "data"))
        for unit in session.suite(str(tmp_path / "apart.yaml"))[1]:
            digests[unit.backbone.id, recipe] = [cell.digest for cell in unit.cells]
    pretrained, control = ({digests[name, r][0] for r in ("", recipe)} for name in names)
    assert len(pretrained) == 1
    assert len(control) == 2
