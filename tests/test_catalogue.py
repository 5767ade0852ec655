import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnibench import catalogue
from omnibench.catalogue import (
    allowed_builder,
    backbones,
    datasets,
    load_plugin,
    metrics,
    register_metric,
    tasks,
)
from omnibench.errors import RequestError
from omnibench.task import Metric
from tests.conftest import WhenLogged
from tests.waiting import HUNG_SECONDS

FAMILIES = ("vit", "dino", "dinov2", "dinov3", "radio-dino", "omnirad")
SINGLE = {
    "clip-base",
    "clip-base-openai",
    "mae-base",
    "resnet18",
    "resnet50",
    "densenet121",
    "efficientnet-b0",
    "mobilenet-v2",
    "efficientnet-lite0",
    "random-vit-tiny",
    "random-vit-small",
    "random-efficientnet-lite0",
}
PROTOCOL_IDS = SINGLE | {f"{family}-{size}" for family in FAMILIES for size in ("small", "base")}


def test_everything_shipped_is_found_through_entry_points() -> None:
    assert set(backbones) >= PROTOCOL_IDS
    assert {"phantom", "breastmnist", "chestmnist-28"} <= set(datasets)
    assert "classification" in tasks


CARD = (
    "from omnibench import BackboneCard, register_backbone\n"
    "register_backbone(BackboneCard(id='{id}', source='random:vit_tiny_patch16_224'))\n"
)


@pytest.fixture
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Write a plug-in and its helpers; returns its path. All they leave in the process goes."""
    for registry in (backbones, datasets, tasks):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.setattr(catalogue, "_plugged", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def plug(name: Any, text: Any, **helpers: Any) -> Any:
        for stem, content in {name: text, **helpers}.items():
            path = tmp_path / f"{stem}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path / f"{name}.py"

    yield plug
    for module in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


def test_a_plugin_registers_and_loading_it_again_changes_nothing(plug: Any) -> None:
    plugin = plug("plugin_that_registers", CARD.format(id="plugged-in"))
    assert load_plugin(plugin) == load_plugin(plugin) == ("plugged-in",)
    assert backbones.get("plugged-in").source_kind == "random"


def test_a_plugin_imports_what_lies_beside_it(plug: Any) -> None:
    plugin = plug(
        "user_of_plug_helper",
        "from plug_helper import ID\n" + CARD.replace("'{id}'", "ID"),
        plug_helper="ID = 'helped'\n",
    )
    assert load_plugin(plugin) == ("helped",)


def test_a_plugin_that_is_importable_already_is_no_clash(plug: Any, tmp_path: Path) -> None:
    sys.path.insert(0, str(tmp_path))
    card = CARD.format(id="imported")
    first = plug("importer_of_plugin", "import imported_plugin\n", imported_plugin=card)
    assert load_plugin(first) == ("imported",)
    assert load_plugin(tmp_path / "imported_plugin.py") == ()  # the first one registered it


def test_helpers_of_one_name_in_two_folders_are_refused(plug: Any, tmp_path: Path) -> None:
    load_plugin(plug("here/user_a", "from twice import x\n", **{"here/twice": "x = 1\n"}))
    for text in ("from twice import x\n", "from twice import y\n", "def f():\n    import twice\n"):
        plugin = plug("there/user_b", text, **{"there/twice": "x = y = 2\n"})
        with pytest.raises(RequestError) as refused:
            load_plugin(plugin)
        here, there = (f"'{tmp_path}/{folder}/twice.py'" for folder in ("here", "there"))
        assert f"imports 'twice', which Python takes from {here}, not from {there}" in str(
            refused.value
        )
    load_plugin(plug("there/user_c", "x = 1\n"))  # that it lies there harms nobody


def test_a_helper_with_the_name_of_a_python_module_is_refused(plug: Any) -> None:
    with pytest.raises(RequestError, match=r"imports 'json', which Python takes from .*; rename"):
        load_plugin(plug("user_of_json", "import json\n", json="x = 1\n"))
    with pytest.raises(RequestError, match="imports 'sys', which Python takes from what is built"):
        load_plugin(plug("user_of_sys", "import sys\n", sys="x = 1\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = x / 0\n", r"failed at line 2: ZeroDivisionError: division by zero$"),
        ("x = 1\ndef f(:\n", r"failed at line 2: SyntaxError: invalid syntax"),
        ("import sys\n\nsys.exit(3)\n", r"failed at line 3: SystemExit: 3$"),
        ("def f():\n    raise OSError\n\nf()\n", r"failed at line 2: OSError$"),
        ("\nimport helper_that_fails\n", r"failed at line 2: ValueError: in a helper$"),
        ("import absent_module_of_tests\n", r"failed at line 1: ModuleNotFoundError: No module"),
        (
            CARD.format(id="mine") + CARD.format(id="random-vit-tiny"),
            r"failed at line 4: the backbone 'random-vit-tiny' is registered already; give yours",
        ),
        (
            CARD.format(id="mine") + CARD.format(id="a b"),
            r"failed at line 4: BackboneCard.id: String should match pattern",
        ),
        ("x = '\0'\n", r"is not Python: \w+: source code string cannot contain null bytes"),
    ],
)
def test_a_plugin_that_fails_is_one_sentence_and_leaves_nothing(
    plug: Any, tmp_path: Path, text: str, message: str
) -> None:
    path, known = list(sys.path), set(backbones)
    plugin = plug("plugin_that_fails", text, helper_that_fails="raise ValueError('in a helper')\n")
    with pytest.raises(RequestError, match=rf"^the plug-in '{plugin}' {message}") as refused:
        load_plugin(plugin)
    assert "\n" not in str(refused.value)
    assert not {"plugin_that_fails", "helper_that_fails"} & set(sys.modules)
    assert (sys.path, set(backbones)) == (path, known)
    plugin.write_text(CARD.format(id="mended"))  # of another size: not the compiled one
    assert load_plugin(plugin) == ("mended",)


def test_ctrl_c_in_a_plugin_goes_through_and_leaves_nothing(plug: Any) -> None:
    text = CARD.format(id="interrupted") + "raise KeyboardInterrupt\n"
    with pytest.raises(KeyboardInterrupt):
        load_plugin(plug("plugin_interrupted", text))
    assert "interrupted" not in backbones
    assert "plugin_interrupted" not in sys.modules


def test_a_plugin_that_takes_long_is_named(
    plug: Any,
    monkeypatch: pytest.MonkeyPatch,
    when_logged: WhenLogged,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(catalogue, "SLOW_SECONDS", HUNG_SECONDS)
    load_plugin(plug("quick_plugin", "x = 1\n"))
    monkeypatch.setattr(catalogue, "SLOW_SECONDS", 0.1)
    plugin = plug("slow_plugin", "import logging\nlogging.getLogger('omnibench').wait()\n")
    named = threading.Event()
    monkeypatch.setattr(catalogue.log, "wait", named.wait, raising=False)
    when_logged("the plug-in", named.set)
    load_plugin(plugin)
    assert [r.getMessage() for r in caplog.records] == [
        f"the plug-in {plugin} is still being imported"
    ]


def test_what_is_no_plugin_is_refused(plug: Any, tmp_path: Path) -> None:
    for name in ("json", "sys"):
        with pytest.raises(RequestError, match=r"has the name of a Python module.*; rename the f"):
            load_plugin(plug(name, ""))
    load_plugin(plug("here/same_name", ""))
    with pytest.raises(RequestError, match=r"name of a Python module \(.*here/same_name\.py\)"):
        load_plugin(plug("there/same_name", ""))
    with pytest.raises(RequestError, match="does not exist"):
        load_plugin(tmp_path / "absent.py")
    with pytest.raises(RequestError, match="must be named like a module; rename the file"):
        load_plugin(plug("my-vit", ""))
    with pytest.raises(RequestError, match="is a folder; give a Python file"):
        load_plugin(tmp_path)
    for name in ("native.so", "weights.bin", "old.pyc"):
        (tmp_path / name).write_bytes(b"\x7fELF")
        with pytest.raises(RequestError, match=r"is not a Python file, whose name ends in \.py"):
            load_plugin(tmp_path / name)
    (tmp_path / "binary.py").write_bytes(b"\x7fELF\xff\xfe")
    with pytest.raises(RequestError, match=r"binary\.py' failed at line 1: SyntaxError"):
        load_plugin(tmp_path / "binary.py")


def test_a_suite_may_name_builders_of_plugins_and_extending_packages_alone(
    plug: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_plugin(plug("a_plugin", "from a_helper import f\n", a_helper="f = 1\n", unused=""))
    info = tmp_path / "extending-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extending\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[omnibench.datasets]\ntheirs = extending.data\n")
    catalogue._extending_packages.cache_clear()
    allowed = (
        "a_plugin:build",
        "a_helper:f",
        "extending.nets:build",
        "omnibench.backbones.cnn:efficientnet_lite0",
    )
    refused = (
        "os:getcwd",
        "unused:f",
        "omnibench.cli:main",
        "omnibench.backbones_of_mine:f",
        "extending2:build",
        "torch.hub:load",
        "a_plugin.os:getcwd",
        "",
    )
    assert [name for name in allowed + refused if allowed_builder(name)] == list(allowed)
    catalogue._extending_packages.cache_clear()


def test_an_installed_package_registers_through_its_entry_point(tmp_path: Path) -> None:
    (tmp_path / "their_backbones.py").write_text(
        "from omnibench import BackboneCard, register_backbone\n"
        "register_backbone(BackboneCard(id='theirs', source='random:vit_tiny_patch16_224'))\n"
    )
    (tmp_path / "broken_backbones.py").write_text("raise OSError('no such library')\n")
    info = tmp_path / "their_backbones-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-backbones\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[omnibench.backbones]\ntheirs = their_backbones\nbroken = broken_backbones\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "omnibench", "list", "backbones", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    known = {card["id"] for card in json.loads(done.stdout)}
    assert {"theirs", "dinov2-small"} <= known
    assert (
        "the entry point broken of omnibench.backbones in their-backbones could not" in done.stderr
    )


def test_an_id_of_two_tasks_is_in_one_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of several tasks tell what a number is in by its id."""
    monkeypatch.setattr(metrics, "_entries", dict(metrics._entries))
    there = tasks.get("segmentation").metrics[0]  # given out, so taken in
    same = Metric(there.id, lambda predictions: None)
    assert register_metric("classification", same) is same
    with pytest.raises(RequestError, match=r"in points and improves upwards where .* has it"):
        register_metric("pretraining", Metric(there.id, lambda predictions: None, "mm"))
    with pytest.raises(RequestError, match="give yours another id"):
        register_metric("pretraining", Metric(there.id, lambda p: None, direction="down"))
