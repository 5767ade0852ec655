"""A registered model of maps: its answers beside the decoder's, its views, and what is refused."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import omnibench
from omnibench import Adaptation, Batch, MapAnswers, MapInputs, MapModel, Maps, register_adaptation
from omnibench.catalogue import tasks
from omnibench.errors import ExtensionError
from omnibench.views import Corrupted


class Constant(MapModel):
    """One number for all pixels, learnt under the squared error; a view gives its negative."""

    def __init__(self, inputs: MapInputs) -> None:
        super().__init__()
        self.inputs = inputs
        self.number = nn.Parameter(torch.zeros(()))

    def loss(self, batch: Batch) -> Tensor:
        values, valid = self.inputs.dataset.target("train", "maps", Maps).read_rows(
            batch.rows.numpy()
        )
        truth = torch.from_numpy(values[valid])
        return (truth - self.number).square().mean() * len(batch.rows) / len(batch.whole)

    def predict(self, split: str, rows: Any) -> MapAnswers:
        assert self.inputs.maps.read(split, rows)[0].shape[0] == len(rows)
        maps = np.full((len(rows), 32, 32), self.number.item(), np.float32)
        return MapAnswers(maps, {"negative": -maps}, {"spread": maps[:, 0, 0]})


def attach(inputs: MapInputs, options: Mapping[str, Any]) -> MapModel:
    return Constant(inputs)


def register(
    attach: Callable[..., Any], views: tuple[str, ...] = ("negative",), **members: Any
) -> None:
    register_adaptation(
        Adaptation(
            "constant",
            trains="a number",
            varies="training seed",
            needs="maps",
            attach=attach,
            further_views=views,
            **members,
        )
    )


def outcome(make: Any, **changes: Any) -> Any:
    unit, context = make("constant", epochs=6, lr=0.1)
    (outcome,) = tasks.get("dense").run(dataclasses.replace(unit, **changes), context)
    return outcome


def test_its_answers_and_views_are_measured_as_those_of_other_models(make: Any) -> None:
    register(attach)
    actual = outcome(make, views=(Corrupted("gaussian-noise", 1),))
    number = actual.predictions["test_spread"][0]
    assert number != 0
    pixels, p = actual.predictions["test_moments"].T[:2]
    np.testing.assert_allclose(p / pixels, number, rtol=1e-6)
    np.testing.assert_allclose(actual.predictions["test_moments@negative"][:, 1], -p, rtol=1e-6)
    assert {"test_spread@gaussian-noise-1", "test_baseline_ssim"} <= set(actual.predictions)
    assert {"dense-error@negative/mae", "dense-gain/over-affine"} <= set(actual.metrics)
    assert actual.files["maps.png"]


def test_a_label_budget_leaves_it_fewer_images(make: Any) -> None:
    register(attach)
    assert outcome(make, labels="50%").notes["subset"]["images"] == 8


def test_fields_of_a_loss_that_it_does_not_have_are_no_fields_of_its_recipe() -> None:
    register(attach)
    own = tasks.get("dense").adaptations["constant"]
    assert not {"loss", "gradient", "residual"} & set(own.recipes["small"].model_dump())
    assert own.frozen_kind == "maps"
    assert not tasks.get("dense").keeps_weights(own)


@pytest.mark.parametrize(
    ("attach", "views", "message"),
    [
        (lambda inputs, options: nn.Identity(), (), "gave a Identity, no MapModel"),
        (lambda inputs, options: 1 / 0, (), "raised ZeroDivisionError"),
        (attach, (), r"gave the views \['negative'\]"),
    ],
)
def test_what_is_no_model_is_refused_by_name(
    make: Any, attach: Any, views: tuple[str, ...], message: str
) -> None:
    register(attach, views)
    with pytest.raises(ExtensionError, match=message):
        outcome(make)


def test_plan_says_what_an_adaptation_will_refuse(tmp_path: Path) -> None:
    register(attach, refusals=lambda unit: [f"not on {unit.backbone.id}"])
    block = {"task": "dense", "datasets": ["phantom-translate"], "adaptations": ["constant"]}
    suite = {"name": "refused", "backbones": ["random-vit-nano"], "matrix": [block]}
    cells = omnibench.plan(suite, results=tmp_path).cells
    assert set(cells["state"]) == {"blocked"}
    assert "phantom-translate: not on random-vit-nano" in str(cells["needs"].iloc[0])
