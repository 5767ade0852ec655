from dataclasses import replace

import pytest

from omnibench.cards import BackboneCard
from omnibench.cell import digest_of


def test_the_digest_follows_everything_that_decides_a_number(unit):
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


def test_the_digest_is_stable_between_versions(unit):
    # Pinned: a change here makes every record on disk count as missing.
    assert unit.cells[0].digest.startswith("0ce3ce49badc476d")


def test_a_digest_is_that_of_its_spec_and_sources_whatever_they_hold(unit):
    misleading = {"text": '"repetition":0', "repetition": 0, "more": {"repetition": [0]}}
    for options in ({}, misleading):
        made = replace(unit, options=options, recipe=misleading, repetitions=(0, 7, 120))
        assert [cell.repetition for cell in made.cells] == [0, 7, 120]
        for cell in made.cells:
            whole = {"spec": made.spec(cell.repetition), "sources": dict(made.sources)}
            assert cell.digest == digest_of(whole)


def test_seeds_pair_across_backbones_and_nothing_else(unit):
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


def test_canonical_json_ignores_the_order_of_keys_and_refuses_nan():
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_of(float("nan"))
