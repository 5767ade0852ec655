from dataclasses import replace

import pytest

from omnibench.cards import BackboneCard
from omnibench.cell import Unit, digest_of


def test_the_digest_follows_everything_that_decides_a_number(unit: Unit) -> None:
    same = replace(unit, needs=("weights",))
    others = [
        replace(unit, recipe={"epochs": 4}),
        replace(unit, suite_seed=1),
        replace(unit, sources={"dataset": "x", "backbone": "z"}),
        replace(unit, backbone=BackboneCard(id="b", source="random:x")),
        replace(unit, options={"r": 8}),
        replace(unit, decodings=("b5-t64",)),
    ]
    digests = {other.cells[0].digest for other in others} | {c.digest for c in unit.cells}
    assert same.cells[0].digest == unit.cells[0].digest
    assert len(digests) == len(others) + 3


def test_the_digest_is_stable_between_versions(unit: Unit) -> None:
    # Pinned: a change here makes every record on disk count as missing.
    assert unit.cells[0].digest.startswith("328975688b9ede39")


def test_a_digest_is_that_of_its_identity_whatever_it_holds(unit: Unit) -> None:
    misleading = {"text": '"repetition":0,"seed":0', "repetition": 0, "seed": 0}
    misleading |= {"more": {"repetition": 0, "seed": 1}}
    for options in ({}, misleading):
        made = replace(unit, options=options, recipe=misleading, repetitions=(0, 7, 120))
        made = replace(made, sources={"repetition": '0,"seed":0', "seed": "1", "dataset": "x"})
        assert [cell.repetition for cell in made.cells] == [0, 7, 120]
        for cell in made.cells:
            assert cell.digest == digest_of(made.identity(cell.repetition))


def test_the_precision_that_a_machine_takes_is_no_part_of_the_digest(unit: Unit) -> None:
    auto = replace(unit, recipe={"epochs": 3, "precision": "auto"})
    for precision in ("fp32", "bf16"):
        used = auto.at_precision(precision)
        assert used.recipe["precision"] == precision
        assert [c.digest for c in used.cells] == [c.digest for c in auto.cells]
    explicit = replace(unit, recipe={"epochs": 3, "precision": "fp32"})
    assert explicit.at_precision("bf16") == explicit
    assert explicit.cells[0].digest != auto.cells[0].digest


def test_what_decides_alone_is_in_the_digest(unit: Unit) -> None:
    deciding = {"version": 1, "options": {}, "recipe": {"name": "small"}}
    decided = replace(unit, deciding=deciding)
    neutral = replace(decided, recipe={**unit.recipe, "new": 0})
    assert neutral.cells[0].digest == decided.cells[0].digest
    raised = replace(decided, deciding={**deciding, "version": 2})
    assert raised.cells[0].digest != decided.cells[0].digest


def test_seeds_pair_across_backbones_and_nothing_else(unit: Unit) -> None:
    rival = replace(unit, backbone=BackboneCard(id="b", source="random:y"))
    assert rival.seed("head", 1) == unit.seed("head", 1)
    assert rival.pairing(1) == unit.pairing(1)
    seeds = {
        unit.seed("head", 0),
        unit.seed("order", 0),
        unit.seed("head", 1),
        replace(unit, short="knn").seed("head", 0),
        replace(unit, suite_seed=1).seed("head", 0),
        replace(unit, dataset=unit.dataset.model_copy(update={"id": "e"})).seed("head", 0),
    }
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_canonical_json_ignores_the_order_of_keys_and_refuses_nan() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_of(float("nan"))
