"""A cell's digest is the same on every machine and in every version that computes the same."""

import json
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydantic
import pytest

import omnibench.device
import omnibench.recipe
import omnibench.task
from omnibench.catalogue import tasks
from omnibench.sources import Sources
from omnibench.suite import load
from tests.conftest import Bench
from tests.identity.pins import DEFAULTS, DIGESTS, defaults, digest_lines


def pinned() -> list[str]:
    return DIGESTS.read_text().splitlines()


def test_the_digests_of_every_shipped_suite_are_as_pinned() -> None:
    assert digest_lines() == pinned()


@pytest.mark.parametrize(("bf16", "gpu"), [(True, False), (False, False), (True, True)])
def test_digests_do_not_depend_on_the_machine(
    monkeypatch: pytest.MonkeyPatch, bench: Bench, bf16: bool, gpu: bool
) -> None:
    """As `plan` gives them, with and without bf16, with and without a GPU."""
    own = "bf16" if bf16 else "fp32"
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(Path, "read_text", faked(Path.read_text, f"flags: avx512_{own}"))
    monkeypatch.setattr(Path, "exists", faked_exists(Path.exists, gpu))
    omnibench.recipe.native_precision.cache_clear()
    try:
        assert omnibench.device.best_device() == ("cuda" if gpu else "cpu")
        assert omnibench.recipe.native_precision("cpu") == own
        for name in ("demo", "omnirad"):
            status, out, err = bench("plan", name, "--json")
            assert status == 0, err
            cells = {cell["digest"][:32] for cell in json.loads(out)["cells"]}
            assert cells == {line.split()[-1] for line in pinned() if line.split()[0] == name}
    finally:
        omnibench.recipe.native_precision.cache_clear()


def test_digests_do_not_depend_on_what_is_on_disk(tmp_path: Path) -> None:
    """A hub's files complete a card, and decide nothing: its source does."""
    config = {"architecture": "vit_small_patch14_dinov2", "mean": [0.1] * 3, "std": [0.2] * 3}
    for name in ("OmniRad-small", "OmniRad-base"):
        folder = tmp_path / "weights" / f"Snarcy--{name}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "config.json").write_text(json.dumps(config))
    sources = Sources(tmp_path, tmp_path)
    units = load("omnirad-classification", sources).units
    card = next(unit.backbone for unit in units if unit.backbone.id == "omnirad-small")
    assert card.mean == (0.1, 0.1, 0.1)
    digests = {cell.digest[:32] for unit in units for cell in unit.cells}
    named = "omnirad-classification"
    assert digests == {line.split()[-1] for line in pinned() if line.split()[0] == named}


def faked(read: Any, flags: str) -> Callable[..., Any]:
    return lambda path, **options: flags if str(path) == "/proc/cpuinfo" else read(path, **options)


def faked_exists(exists: Any, gpu: bool) -> Callable[..., Any]:
    return lambda path, **options: gpu if str(path) == "/dev/nvidiactl" else exists(path, **options)


def test_a_new_field_with_a_neutral_default_changes_no_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in tasks:
        task = tasks.get(name)
        extended = {k: with_a_new_field(adaptation) for k, adaptation in task.adaptations.items()}
        monkeypatch.setattr(type(task), "adaptations", extended)
    assert digest_lines() == pinned()
    adaptation = next(iter(tasks.get("classification").adaptations.values()))
    extended_recipe: Any = adaptation.recipes["small"]
    assert extended_recipe.neutral == 0


def with_a_new_field(adaptation: Any) -> Any:
    """The adaptation, with `neutral: int = 0` in its options and in each of its recipes."""
    recipes = {
        name: pydantic.create_model(type(recipe).__name__, __base__=type(recipe), neutral=(int, 0))(
            **recipe.model_dump()
        )
        for name, recipe in adaptation.recipes.items()
    }
    options = pydantic.create_model(
        adaptation.options.__name__, __base__=adaptation.options, neutral=(int, 0)
    )
    return replace(adaptation, recipes=recipes, options=options)


def test_a_raised_version_changes_every_digest_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.get("segmentation"), "version", 99)
    made_by_it = ("segmentation/", "/lesion-segmenter/", "/fused/")  # and what its cells train
    for before, after in zip(pinned(), digest_lines(), strict=True):
        assert (before == after) == (not any(part in before for part in made_by_it))


def test_another_draw_changes_the_digests_of_limited_cells_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    suite = {
        "name": "limited",
        "backbones": ["random-vit-tiny"],
        "matrix": [
            {"task": "classification", "datasets": ["phantom"], "adaptations": ["knn"]},
            {
                "task": "segmentation",
                "datasets": ["phantom"],
                "adaptations": ["linear"],
                "recipe": {"limit": 9},
            },
        ],
    }

    def digests() -> list[str]:
        units = load(suite, Sources(tmp_path, tmp_path)).units
        return [unit.cells[0].digest for unit in units]

    before = digests()
    monkeypatch.setattr(omnibench.task, "DRAW", omnibench.recipe.DRAW + 1)
    assert [now == then for now, then in zip(digests(), before, strict=True)] == [True, False]


def test_no_default_changes_without_its_tasks_version() -> None:
    """New fields may come; one that was there may not change its default in silence."""
    before, now = json.loads(DEFAULTS.read_text()), json.loads(json.dumps(defaults()))
    for name, task in before.items():
        if now[name]["version"] != task["version"]:
            continue
        for adaptation, parts in task["adaptations"].items():
            own = now[name]["adaptations"][adaptation]
            assert own["decodings"] == parts["decodings"]
            assert parts["options"].items() <= own["options"].items()
            for recipe, fields in parts["recipes"].items():
                changed = {k for k, v in fields.items() if own["recipes"][recipe].get(k) != v}
                assert not changed, f"{name} {adaptation} {recipe}: raise the task's version"
