"""Units of captioning on small bright and dark images, each kind with its own caption."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.jsonl import card_of
from omnibench.recipe import resolve_recipe
from omnibench.tasks.captioning import metrics
from tests.captioning.captioning_models import BRIGHT, DARK, SPLITS, narrow

FAST = {
    "input_size": 32,
    "precision": "fp32",
    "epochs": 2,
    "batch": 8,
    "lr": 3e-3,
    "visual_tokens": 4,
}


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    """The JSON lines of 42 images of 40 px: even ones dark, odd ones bright; two a case."""
    rng = np.random.default_rng(0)
    lines = []
    for split, count in SPLITS.items():
        for index in range(count):
            name, bright = f"{split}-{index}.png", index % 2
            image = rng.integers(0, 60, (40, 40)) + 180 * bright
            Image.fromarray(image.astype(np.uint8)).save(tmp_path / name)
            caption = BRIGHT if bright else DARK
            uid = f"{split}-{index // 2}"
            lines.append({"image": name, "split": split, "caption": caption, "uid": uid})
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def stand_in_for_meteor(monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR needs WordNet and has its own tests: here it is whether the two are the same."""

    def same(references: Any, texts: Any) -> NDArray[Any]:
        return np.array([r == t for r, t in zip(references, texts, strict=True)], np.float64)

    monkeypatch.setattr(metrics, "meteor", same)


@pytest.fixture
def make(
    captioned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Unit, Context]]:
    """A unit of captioning and its context, of any adaptation and recipe; its BART is narrow."""
    monkeypatch.setattr("omnibench.tasks.captioning.language.BartConfig", narrow)
    torch.set_num_threads(1)
    (tmp_path / "cache").mkdir()
    # The disk's speed is not measured: every feature goes to the store.
    (tmp_path / "cache" / "disk.json").write_text('{"bytes_per_s": 1e15}')

    def make(
        adaptation: str = "bart-small",
        place: str = "results",
        repetitions: Any = (0,),
        options: Any = None,
        decodings: Any = ("b1-t12", "b4-t12"),
        dataset: Any = None,
        **recipe: Any,
    ) -> tuple[Unit, Context]:
        card = tasks.get("captioning").adaptations[adaptation]
        options = card.resolve_options(options or {}, "adaptations")
        unit = Unit(
            task="captioning",
            dataset=dataset or card_of(captioned),
            backbone=BackboneCard(id="b", source="random:test_vit"),
            adaptation=adaptation,
            short=card.short(options),
            options=options,
            recipe=resolve_recipe({**FAST, **recipe}, card.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "data", "backbone": "random:test_vit"},
            repetitions=repetitions,
            decodings=decodings,
        )
        return unit, Context(tmp_path / place, tmp_path / "cache")

    return make
