"""Records as a table: in which precision, and with which weights, they were made."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.errors import StoreError
from omnibench.frames import mixed_precisions, values_of
from omnibench.record import blank


def record_of(
    unit: Any, repetition: int = 0, precision: str = "fp32", loaded: str = "sha256:a", **recipe: Any
) -> Any:
    cell = replace(unit, recipe={**unit.recipe, **recipe}).cells[repetition]
    record = {**blank(cell), "status": "done", "metrics": {"d/auc": 0.5}}
    return record | {"environment": {"precision": precision}, "digests": {"backbone": loaded}}


def named(unit: Unit, name: str) -> Unit:
    return replace(unit, backbone=BackboneCard(id=name, source="random:x"))


def test_models_of_several_precisions_are_named_with_them(unit: Unit) -> None:
    cnn, vit = named(unit, "cnn"), named(unit, "vit")
    same = [record_of(cnn, precision="bf16"), record_of(vit, precision="bf16")]
    assert mixed_precisions(same) == {}
    mixed = [record_of(cnn), *same[1:], {**record_of(named(unit, "x")), "status": "failed"}]
    assert mixed_precisions(mixed) == {
        ("classification", "d"): "precision is mixed, which is part of a difference "
        "(linear: vit in bf16, cnn in fp32)"
    }


def test_repetitions_may_load_different_weights_only_where_each_draws_its_own(
    unit: Unit, tmp_path: Path
) -> None:
    records = [
        (tmp_path / str(k), record_of(unit, k, loaded=f"sha256:{k}", init=init))
        for init in ("fixed", "per-repetition")
        for k in (0, 1)
    ]
    with pytest.raises(StoreError, match="loaded with two different weights"):
        values_of(records[:2], {})
    redrawn = values_of(records[2:], {"a": unit.backbone})
    assert set(redrawn["varies"]) == {"initial weights and head seed"}
    assert not redrawn["control"].any()
    fixed = values_of(records[:1], {"a": unit.backbone})
    assert (fixed["varies"].item(), fixed["control"].item()) == ("head seed", True)
