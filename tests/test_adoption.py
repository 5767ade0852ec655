"""Records of schema 1 are taken over by what they hold, without computing anything."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cards import BackboneCard
from omnibench.index import Index
from omnibench.record import read_record
from omnibench.record_files import packed, read_predictions
from omnibench.store import RecordStore

METRICS = {"d/auc": 0.75}


@pytest.fixture
def unit(unit: Any) -> Any:
    """The unit of the other tests, whose recipe has a precision and a field of today."""
    deciding = {"version": 1, "options": {}, "recipe": {"name": "small"}}
    recipe = {"epochs": 3, "precision": "auto", "init": "fixed"}
    sources = {"dataset": "x", "backbone": 'y {"pool": "cls"}'}
    card = BackboneCard(id="a", source="random:x", pool="cls", width=8)
    return replace(unit, recipe=recipe, deciding=deciding, sources=sources, backbone=card)


def earlier(
    store: RecordStore, unit: Any, repetition: int = 0, digest: str = "0" * 64, **changes: Any
) -> Any:
    """Write the record that version 1 left of a repetition, with predictions and a log."""
    spec = unit.spec(repetition)
    del spec["short"]
    recipe = {"epochs": 3, "precision": changes.pop("precision", "bf16")}
    record = {
        "schema": 1,
        "digest": digest,
        "spec": {**spec, "recipe": recipe, **changes.pop("spec", {})},
        "status": "done",
        "metrics": METRICS,
        "cost": {"wall_s": 1.0},
        "environment": {
            **{"python": "3.11", "threads": 2, "chosen": {"epoch": 2}},
            **changes.pop("notes", {}),
        },
        "digests": {
            "source.dataset": "x",
            "source.backbone": 'y {"pool": "cls"}',
            "backbone": "sha256:loaded",
        },
        "pairing": unit.pairing(repetition),
        "error": None,
        "started": "2026-01-01",
        "finished": "2026-01-02",
        **changes,
    }
    path = store.root / unit.name / f"rep-{repetition}-{digest[:8]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    for ending, content in packed({"test_logits": np.ones((2, 3))}).items():
        path.with_suffix(f".{ending}").write_bytes(content)
    path.with_suffix(".epochs.jsonl").write_text("{}\n")
    return path


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path)


def statuses(store: RecordStore, unit: Any) -> list[Any]:
    return [summary and summary["status"] for summary in Index(store).summaries(unit)]


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_record_is_taken_over_whichever_precision_its_machine_took(
    store: RecordStore, unit: Any, precision: str
) -> None:
    path = earlier(store, unit, precision=precision)
    assert statuses(store, unit) == ["done", None, None]
    record = store.read(unit.cells[0])
    assert record is not None
    assert record["metrics"] == METRICS
    assert record is not None
    assert record["adopted"] == "0" * 64
    assert record is not None
    assert record["environment"] == {"python": "3.11", "threads": 2, "precision": precision}
    assert record is not None
    assert record["notes"] == {"chosen": {"epoch": 2}}
    assert record is not None
    assert record["spec"] == unit.spec(0)
    place = store.path(unit.cells[0])
    assert read_predictions(place)["test_logits"].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert record is not None
    assert sorted(record["files"]) == ["epochs.jsonl", "predictions.npz"]
    assert place.with_suffix(".epochs.jsonl").read_text() == "{}\n"
    assert not path.exists()
    assert statuses(store, unit) == ["done", None, None]


def test_a_take_over_that_broke_off_is_completed(store: Any, unit: Any) -> None:
    path = earlier(store, unit)
    place = store.path(unit.cells[0])
    path.with_suffix(".predictions.npz").rename(place.with_suffix(".predictions.npz"))
    assert statuses(store, unit) == ["done", None, None]
    assert "predictions.npz" in store.read(unit.cells[0])["files"]


def test_an_editors_copy_of_a_record_costs_nothing(store: Any, unit: Any) -> None:
    path = earlier(store, unit)
    copies = [path.with_suffix(ending) for ending in (".json~", ".json.bak", ".old copy")]
    for copy in copies:
        copy.write_text("text")
    assert statuses(store, unit) == ["done", None, None]
    assert sorted(store.read(unit.cells[0])["files"]) == ["epochs.jsonl", "predictions.npz"]
    assert all(copy.exists() for copy in copies)


def test_a_record_that_cannot_be_written_again_stays_with_all_its_files(
    store: RecordStore, unit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = earlier(store, unit, cost={"wall_s": float("nan")})
    assert statuses(store, unit) == [None, None, None]
    assert path.exists()
    assert path.with_suffix(".predictions.npz").exists()
    assert f"{path} is of an earlier version and stays so" in caplog.text


@pytest.mark.parametrize("text", ["y {broken", "y {" + "[" * 100_000])
def test_a_source_digest_that_is_none_is_another_cells(
    store: RecordStore, unit: Any, text: str
) -> None:
    earlier(store, unit, digests={"source.dataset": "x", "source.backbone": text})
    assert statuses(store, unit) == [None, None, None]


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": {"recipe": {"epochs": 4, "precision": "bf16"}}},
        {"spec": {"recipe": {"epochs": 3, "precision": "bf16", "gone": 1}}},
        {"spec": {"options": {"r": 8}}},
        {"spec": {"seed": 1}},
        {"spec": {"decodings": ["b1-t64"]}},
        {"pairing": "other seeds"},
        {"digests": {"source.dataset": "z", "source.backbone": 'y {"pool": "cls"}'}},
        {"digests": {"source.dataset": "x", "source.backbone": 'z {"pool": "cls"}'}},
        {"digests": {"source.dataset": "x", "source.backbone": 'y {"pool": "mean"}'}},
        {"digests": {"source.dataset": "x", "source.backbone": "y {}"}},
        {"digests": {"source.dataset": "x"}},
    ],
)
def test_a_record_of_other_numbers_is_left_alone(
    store: RecordStore, unit: Any, changes: dict[str, Any]
) -> None:
    path = earlier(store, unit, **changes)
    before = path.read_bytes()
    assert statuses(store, unit) == [None, None, None]
    assert path.read_bytes() == before


def test_a_field_of_today_that_is_not_at_its_default_is_another_cell(
    store: RecordStore, unit: Any
) -> None:
    earlier(store, unit)
    recipe = {**unit.recipe, "init": "per-repetition"}
    deciding = {**unit.deciding, "recipe": {"name": "small", "init": "per-repetition"}}
    other = replace(unit, recipe=recipe, deciding=deciding)
    assert statuses(store, other) == [None, None, None]


def test_an_explicit_precision_takes_over_that_one_alone(store: RecordStore, unit: Any) -> None:
    earlier(store, unit, precision="bf16")
    recipe, named = {**unit.recipe, "precision": "fp32"}, {"name": "small", "precision": "fp32"}
    other = replace(unit, recipe=recipe, deciding={**unit.deciding, "recipe": named})
    assert statuses(store, other) == [None, None, None]


def test_of_two_precisions_the_finished_record_is_taken(store: Any, unit: Any) -> None:
    error = {"kind": "bug", "message": "m", "traceback": ""}
    failed: Any = {"status": "failed", "metrics": {}, "error": error, "finished": "2026-02-02"}
    earlier(store, unit, digest="1" * 64, precision="fp32", **failed)
    earlier(store, unit)
    assert statuses(store, unit) == ["done", None, None]
    assert store.read(unit.cells[0])["adopted"] == "0" * 64


def test_a_builders_records_are_refused_by_name(
    store: RecordStore, unit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    card = BackboneCard(id="a", source="my_net:Net", width=8)
    made = replace(unit, backbone=card, sources={"dataset": "x", "backbone": "builder:y"})
    digests = {"source.dataset": "x", "source.backbone": "sha256:y {}"}
    path = earlier(store, made, digests=digests)
    assert statuses(store, made) == [None, None, None]
    assert f"{made.name}: its records of the version before are not taken over" in caplog.text
    assert path.exists()


@pytest.mark.parametrize(
    ("source", "taken"),
    [
        ("random:vit_tiny_patch16_224", True),
        ("random:vit_small_patch16_dinov3", False),
        ("hf_hub:me/mine", False),
    ],
)
def test_lora_that_missed_layers_is_computed_again(
    store: RecordStore, unit: Any, caplog: pytest.LogCaptureFixture, source: str, taken: bool
) -> None:
    card = BackboneCard(id="a", source=source, pool="cls")
    lora = replace(unit, adaptation="lora", short="lora-r8-a16", backbone=card)
    earlier(store, lora)
    assert statuses(store, lora)[0] == ("done" if taken else None)
    assert ("what lora computes on such a backbone has changed" in caplog.text) != taken


def test_records_of_a_pretrained_backbone_follow_its_pretrainings_new_digest(
    store: Any, unit: Any
) -> None:
    """Both where the suite names the backbone and where its digest does."""
    start = replace(unit, task="pretraining", repetitions=(0,))
    notes = {"architecture": "x", "model_args": {}, "mean": [0.5] * 3, "std": [0.5] * 3}
    made = earlier(store, start, digest="2" * 64, notes={**notes, "images": {"d": 3}})
    made.with_suffix(".safetensors").write_bytes(b"weights")
    statuses(store, start)
    digest = start.cells[0].digest
    sources = {"dataset": "x", "backbone": f'{digest} {{"pool": "cls"}}'}
    digests = {"source.dataset": "x", "source.backbone": f'{"2" * 64} {{"pool": "cls"}}'}
    for name, before in (("mine", "mine"), (f"pretrain-{digest[:8]}", f"pretrain-{'2' * 8}")):
        card = BackboneCard(id=name, source=f"record:{digest}", pool="cls")
        now = replace(unit, backbone=card, sources=sources)
        old = replace(now, backbone=card.model_copy(update={"id": before}))
        earlier(store, old, digests=digests)
        assert statuses(store, now) == ["done", None, None]
        assert store.read(now.cells[0])["spec"]["backbone"] == name


def test_a_record_of_schema_1_is_read_in_todays_shape(store: RecordStore, unit: Any) -> None:
    record = read_record(earlier(store, unit))
    assert record is not None
    assert record["spec"]["short"] == "linear"
    assert record is not None
    assert record["schema"] == 1


def test_a_damaged_record_of_schema_1_is_named(
    store: RecordStore, unit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = earlier(store, unit, metrics=[])
    assert read_record(path) is None
    assert "damaged" in caplog.text
