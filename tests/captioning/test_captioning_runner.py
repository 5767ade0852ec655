"""Units of captioning from images to records: learning, resuming, sharing, refusing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nltk
import numpy as np
import pytest
import torch
from nltk.corpus import LazyCorpusLoader, WordNetCorpusReader
from torch import Tensor

from omnibench.catalogue import tasks
from omnibench.data.jsonl import read
from omnibench.data.npz import card_of as npz_card
from omnibench.encoders.coverage import tensors_digest
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.errors import RequestError
from omnibench.execute import execute_unit
from omnibench.label_budget import LabelBudget
from omnibench.record_files import predictions_path, read_predictions
from omnibench.scoring import reported_of, score
from omnibench.store import RecordStore
from omnibench.tasks.captioning import metrics, trial
from omnibench.tasks.captioning.meteor import meteor
from omnibench.tasks.captioning.metrics import METRICS
from omnibench.tasks.captioning.sheet import caption_sheet
from omnibench.training.checkpoint import Checkpoints
from tests.captioning.captioning_models import BRIGHT, DARK, SPLITS, save_folder

pytestmark = pytest.mark.usefixtures("stand_in_for_meteor")
# Twenty epochs after which a narrow BART knows which caption is which.
LEARNING = {"epochs": 20, "batch": 4, "lr": 1e-2}
TRUTH = [BRIGHT if index % 2 else DARK for index in range(SPLITS["test"])]


def outcomes(unit: Any, context: Any) -> list[Any]:
    return list(tasks.get("captioning").run(unit, context))


def same(a: Any, b: Any) -> bool:
    arrays = a.predictions.keys() == b.predictions.keys()
    return arrays and all(np.array_equal(a.predictions[k], b.predictions[k]) for k in a.predictions)


@pytest.fixture
def token_passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each forward pass of the backbone saw."""
    passed: list[int] = []
    tokens = TimmEncoder.tokens

    def counted(self: TimmEncoder, images: Tensor) -> tuple[Tensor, Tensor]:
        passed.append(len(images))
        return tokens(self, images)

    monkeypatch.setattr(TimmEncoder, "tokens", counted)
    return passed


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The models of the repetitions and their parameters as they were before training."""
    seen = []
    build = trial._model

    def spy(*arguments: Any) -> Any:
        model = build(*arguments)
        seen.append((model, {n: p.detach().clone() for n, p in model.named_parameters()}))
        return model

    monkeypatch.setattr(trial, "_model", spy)
    return seen


def test_a_unit_leaves_a_whole_record(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A dark caption has 9 tokens, with begin and end 11: `max_tokens` 8 leaves 6 of them."""
    unit, context = make(max_tokens=8)
    assert execute_unit(unit, context).repetitions == {0: None}
    store = RecordStore(context.results)
    record = store.read(unit.cells[0])
    assert record is not None
    assert record["status"] == "done"
    own = {"phantom-slots"}  # of the phantom's captions alone
    definitions = {metric.definition for metric in METRICS} - own
    assert record is not None
    heads = {key.rpartition("/")[0] for key in record["metrics"]}
    assert heads == {f"{id_}@{decoding}" for id_ in definitions for decoding in unit.decodings}
    for key in reported_of("captioning"):
        definition, _, name = key.partition("/")
        for decoding in unit.decodings if definition not in own else ():
            assert record is not None
            assert record["metrics"][f"{definition}@{decoding}/{name}"] is not None
    assert record is not None
    notes = record["notes"]
    assert notes["captions_cut"] == {"train": 12, "val": 4, "test": 5}
    assert "captions cut to 8 tokens: 12 of train, 4 of val, 5 of test" in caplog.text
    assert notes["vocabulary"] > 260
    path = store.path(unit.cells[0])
    epochs = [json.loads(line) for line in path.with_suffix(".epochs.jsonl").open()]
    assert [entry["epoch"] for entry in epochs] == [0, 1]
    losses = [entry["validation"]["loss"] for entry in epochs]
    assert notes["chosen"] == {"epoch": int(np.argmin(losses)), "val_loss": min(losses)}
    assert path.with_suffix(".captions.png").read_bytes().startswith(b"\x89PNG")
    assert record is not None
    assert set(record["cost"]["phases"]) == {"features", "training", "generation"}
    assert record is not None
    trainable, total = (record["cost"][f"{kind}_parameters"] for kind in ("trainable", "total"))
    assert record is not None
    assert trainable + record["notes"]["backbone"]["parameters"] == total
    assert record is not None
    assert record["digests"]["language"] == ""
    assert not list((context.results / "checkpoints").glob("*/*"))


def test_stored_texts_tell_everything_and_are_scored_again(make: Any) -> None:
    unit, context = make(max_tokens=8)
    execute_unit(unit, context)
    store: Any = RecordStore(context.results)
    path = store.path(unit.cells[0])
    assert predictions_path(path).name.endswith(".predictions.jsonl")
    lines = [json.loads(line) for line in predictions_path(path).open()]
    assert [line["test_case"] for line in lines] == list(range(10))
    assert [line["test_group"] for line in lines] == [str(index // 2) for index in range(10)]
    assert [line["test_reference"] for line in lines] == TRUTH
    assert {line["test_reference_cut"] for line in lines} == {BRIGHT, "A dark scan shows no mass"}
    stored = read_predictions(path)
    sheet = caption_sheet(read(unit.dataset, context.data), stored, "b4-t12")
    assert path.with_suffix(".captions.png").read_bytes() == sheet
    recorded = store.read(unit.cells[0])["metrics"]
    assert score("captioning", stored) == recorded
    values = {k.removeprefix("values:"): v for k, v in stored.items() if k.startswith("values:")}
    assert {f"omnibench-captioning@{d}/meteor" for d in unit.decodings} < values.keys()
    for key, each in values.items():
        assert each.shape == (10,)
        assert each.mean() == pytest.approx(recorded[key])


def test_the_model_learns_which_caption_is_which(make: Any) -> None:
    (actual,) = outcomes(*make(**LEARNING))
    for decoding in ("b1-t12", "b4-t12"):
        texts = actual.predictions[f"test_text@{decoding}"]
        assert (texts == TRUTH).mean() >= 0.8
        assert actual.metrics[f"omnibench-captioning@{decoding}/bleu-4"] > 0.7


def test_a_training_cut_short_ends_with_the_same_texts(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = outcomes(*make(place="whole", epochs=3))
    unit, context = make(place="cut", epochs=3)
    save = Checkpoints.save

    def killed(self: Any, step: Any, state: Any) -> None:
        save(self, step, state)
        if len(state["history"]) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        outcomes(unit, context)
    monkeypatch.setattr(Checkpoints, "save", save)
    (resumed,) = outcomes(unit, context)
    assert same(whole, resumed)
    assert whole.metrics == resumed.metrics
    assert whole.notes["chosen"] == resumed.notes["chosen"]


def test_repetitions_share_one_token_pass_and_are_the_same_alone(
    make: Any, token_passes: list[int]
) -> None:
    company = outcomes(*make(place="company", repetitions=(0, 1, 2)))
    # 24 + 8 + 10 images in micro-batches of 4, and a look at one image: its FLOPs.
    assert token_passes == [1] + [4] * (6 + 2 + 3)
    (alone,) = outcomes(*make(place="alone", repetitions=(2,)))
    assert len(token_passes) == 12  # the second run found them in the store
    assert same(alone, company[2])
    assert alone.notes["chosen"] == company[2].notes["chosen"]
    assert company[0].notes["chosen"]["val_loss"] != company[1].notes["chosen"]["val_loss"]


def test_tokens_held_in_memory_are_those_of_the_store(make: Any, token_passes: list[int]) -> None:
    (stored,) = outcomes(*make(place="stored"))
    unit, context = make(place="held")
    slow = context.data.parent / "slow"
    slow.mkdir()
    (slow / "disk.json").write_text('{"bytes_per_s": 1}')
    (held,) = outcomes(unit, replace(context, data=slow))
    assert len(token_passes) == 2 * 12
    assert not list(slow.rglob("*.rows"))
    assert same(stored, held)


def test_lora_trains_fewer_parameters_and_leaves_the_base(
    make: Any, tmp_path: Path, trained: list[Any]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    saved = save_folder(folder)
    whole_unit = make("folder", "whole", options={"path": str(folder)})
    lora_unit = make("folder", "lora", options={"path": str(folder), "r": 2, "alpha": 4})
    assert lora_unit[0].short == "folder-r2-a4-mine"
    (whole,) = outcomes(*whole_unit)
    (lora,) = outcomes(*lora_unit)
    assert whole.digests["language"] == lora.digests["language"] == tensors_digest(saved)
    assert lora.cost["trainable_parameters"] < whole.cost["trainable_parameters"] / 2
    assert lora.cost["total_parameters"] > whole.cost["total_parameters"]
    (full, full_before), (model, before) = trained
    base = saved.state_dict()
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed
    assert {n for n in changed if n.startswith("bart")} <= {n for n in before if ".lora_" in n}
    assert any(".lora_B." in name for name in changed)
    assert {"project.weight", "merger.queries"} <= changed
    kept = {
        name.removeprefix("bart.").replace(".base_layer", ""): value
        for name, value in model.named_parameters()
        if name.startswith("bart") and ".lora_" not in name
    }
    assert kept
    assert all(torch.equal(base[name], value) for name, value in kept.items())
    of_full = {n for n, p in full.named_parameters() if not torch.equal(p, full_before[n])}
    assert {n for n in full_before if n.endswith(("fc1.weight", "shared.weight"))} <= of_full


def test_a_rank_without_its_scale_is_refused(make: Any) -> None:
    with pytest.raises(RequestError, match="r and alpha of LoRA go together"):
        make(options={"r": 2})


def test_the_mergers_scale_is_the_options(make: Any, trained: list[Any]) -> None:
    outcomes(*make(place="a", epochs=1, decodings=("b1-t4",)))
    outcomes(*make(place="b", epochs=1, decodings=("b1-t4",), options={"merger_scale": "none"}))
    assert [model.merger.factor for model, _ in trained] == [1 / 4, 1]  # of width 16
    assert [len(model.merger.queries) for model, _ in trained] == [4, 4]


def test_bfloat16_learns_which_caption_is_which(make: Any) -> None:
    """Training under autocast, generation in bfloat16 outright, tokens kept as 16 bits."""
    (actual,) = outcomes(*make(precision="bf16", decodings=("b4-t12",), **LEARNING))
    assert (actual.predictions["test_text@b4-t12"] == TRUTH).mean() >= 0.8


def test_a_dataset_without_captions_is_refused(
    make: Any, tmp_path: Path, token_passes: list[int]
) -> None:
    arrays: dict[str, Any] = {}
    for split in SPLITS:
        arrays[f"{split}_images"] = np.zeros((8, 16, 16), np.uint8)
        arrays[f"{split}_labels"] = np.arange(8)[:, None] % 2
    np.savez(tmp_path / "labels.npz", **arrays)
    unit, context = make(dataset=npz_card(tmp_path / "labels.npz"))
    said = execute_unit(unit, context).repetitions[0]
    assert said is not None
    assert said.endswith("train of 'npz-labels' has no captions; add them or name another dataset")
    assert token_passes == []


def test_an_absent_folder_fails_the_cell_by_name(make: Any, tmp_path: Path) -> None:
    unit, context = make("folder", options={"path": str(tmp_path / "nowhere")})
    said = execute_unit(unit, context).repetitions[0]
    assert said is not None
    assert f"{tmp_path / 'nowhere'} has no config.json" in said
    record = RecordStore(context.results).read(unit.cells[0])
    assert record is not None
    assert (record["status"], record["error"]["kind"]) == ("failed", "weights")


def test_without_wordnet_all_but_meteor_is_there(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (full,) = outcomes(*make(place="full"))
    monkeypatch.setattr(metrics, "meteor", meteor)
    fresh = LazyCorpusLoader("wordnet", WordNetCorpusReader, None)
    monkeypatch.setattr(nltk.corpus, "wordnet", fresh)
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setenv("OMNIBENCH_DATA", str(tmp_path))
    (actual,) = outcomes(*make(place="without"))
    absent = {key for key, value in actual.metrics.items() if value is None}
    assert absent - {k for k, v in full.metrics.items() if v is None} == {
        f"{id_}@{decoding}/meteor"
        for id_ in ("omnirad-captioning", "omnibench-captioning")
        for decoding in ("b1-t12", "b4-t12")
    }
    assert actual.metrics.keys() == full.metrics.keys()
    assert not [key for key in actual.predictions if key.endswith("/meteor")]
    assert actual.files["captions.png"].startswith(b"\x89PNG")


def test_more_tokens_than_the_model_has_positions_are_refused(make: Any) -> None:
    unit, context = make()
    unit = replace(unit, decodings=("b1-t64", "b1-t2000"))
    reason = execute_unit(unit, context).repetitions[0]
    assert reason is not None
    assert "positions and 2001 are asked for" in reason


def test_a_label_budget_leaves_fewer_captions_to_learn_words_and_sentences_from(make: Any) -> None:
    unit, context = make(selection="matched-val")
    (whole,) = outcomes(unit, context)
    (few,) = outcomes(replace(unit, labels="25%"), context)
    assert whole.notes["subset"]["images"] == SPLITS["train"]
    images = LabelBudget.from_text("25%").of(SPLITS["train"])
    assert few.notes["subset"]["images"] == few.notes["batch_used"] == images
    assert few.notes["subset"]["validation"] == LabelBudget.from_text("25%").of(SPLITS["val"])
    assert few.notes["captions_cut"].keys() == {"train", "val", "test"}
    for name in ("test_case", "test_reference"):
        assert np.array_equal(few.predictions[name], whole.predictions[name])
