"""Flip single bits of every kind of file that is read back: `python -m benchmarks.flip_bits`.

After each flip what reads the file must give what it gave before, or tell that it can't: refuse
it in a sentence, count it as missing, or heal it. Prints a table by kind; exit status 1 where a
flip is silently wrong or a traceback.
"""

import argparse
import hashlib
import json
import logging
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import timm
import torch
from safetensors.torch import save

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Cell, Unit, canonical
from omnibench.data.checksums import MEMORY, sha256_of
from omnibench.encoders.build import load_encoder
from omnibench.errors import OmnibenchError
from omnibench.features import FeatureKey, FeatureStore
from omnibench.index import Index
from omnibench.leases import Leases
from omnibench.record import blank
from omnibench.record_files import read_predictions
from omnibench.store import RecordStore
from omnibench.training.checkpoint import Checkpoints

SETTLED_SECONDS = 2.2  # younger files are looked at anew each time
MISSING, HEALED = "missing", "healed"
OUTCOMES = ("same", "refused", MISSING, HEALED, "wrong", "traceback")


class Target(NamedTuple):
    """A file whose bits are flipped, and what reads it.

    Attributes:
        answer: what is made of the file, MISSING, or HEALED; raises where it is refused.
    """

    path: Path
    answer: Callable[[], object]


def unit() -> Unit:
    """Return a unit that nothing is loaded for."""
    return Unit(
        task="classification",
        dataset=DatasetCard(id="d", reader="a:b", tasks=("classification",)),
        backbone=BackboneCard(id="b", source="random:test_vit"),
        adaptation="linear",
        short="linear",
        options={},
        recipe={"epochs": 3},
        suite_seed=0,
        sources={"dataset": "x", "backbone": "y"},
        repetitions=(0, 1),
    )


def done(cell: Cell) -> dict[str, Any]:
    """Return a record as a run would leave it."""
    return {
        **blank(cell),
        "status": "done",
        "metrics": {"omnirad-classification/accuracy": 0.8125, "omnirad-classification/auc": None},
        "cost": {"wall_s": 1.5, "trainable_parameters": 1000},
        "digests": {"backbone": hashlib.sha256(b"w").hexdigest()},
        "started": "2026-01-01T00:00:00.000+00:00",
        "finished": "2026-01-01T00:00:01.000+00:00",
    }


def record(place: Path) -> Target:
    """A record."""
    store, cell = RecordStore(place), unit().cells[0]
    path = store.write(cell, done(cell), {"test_logits": np.zeros((3, 2), np.float32)})
    return Target(path, lambda: _or_missing(store.read(cell)))


def arrays(place: Path) -> Target:
    """Predictions that are arrays."""
    rng = np.random.default_rng(0)
    return _predictions(place, "npz", {"test_logits": rng.normal(size=(99, 3)).astype("f4")})


def texts(place: Path) -> Target:
    """Predictions that are texts."""
    words = np.array([f"a lesion of {k} mm, größer" for k in range(40)], object)
    return _predictions(place, "jsonl", {"test_case": np.arange(40), "test_text@b1-t64": words})


def checkpoint(place: Path) -> Target:
    """The newest of two checkpoints; the older one heals it."""
    folder = place / "checkpoints" / "cell"
    states: dict[int, dict[str, Any]] = {
        step: {"step": step, "model": {"w": torch.full((40,), float(step))}, "history": [{}, {}]}
        for step in (1, 2)
    }
    for step, state in states.items():
        Checkpoints(folder).save(step, state)

    def answer() -> object:
        state = Checkpoints(folder).load()
        if state is None:
            return MISSING
        older = repr(state) == repr(states[1])
        return HEALED if older else repr({**state, "model": state["model"]["w"].tolist()})

    return Target(folder / "step-000000002.pt", answer)


def manifest(place: Path) -> Target:
    """The manifest of a feature entry."""
    return _features(place, "manifest.json")


def shard(place: Path) -> Target:
    """A shard of a feature entry."""
    return _features(place, "00001.rows")


def index(place: Path) -> Target:
    """The index of records."""
    store = RecordStore(place)
    for cell in unit().cells:
        store.write(cell, done(cell), {"test_logits": np.zeros((3, 2), np.float32)})
    time.sleep(SETTLED_SECONDS)
    made = Index(store)
    made.summaries(unit())
    made.save()

    def answer() -> object:
        known = Index(store).summaries(unit())
        return [(s and (s["digest"], s["status"], s["finished"], s["error"])) for s in known]

    return Target(next((place / "index").rglob("*.index")), answer)


def lease(place: Path) -> Target:
    """A lease that is held: none else may take its unit while its holder believes to hold it."""
    held = Leases(place).take("unit")
    assert held is not None

    def answer() -> object:
        others = Leases(place)
        taken = others.take("unit")
        if taken is not None:
            others.release(taken)
        believed = held.is_held()
        return (taken is not None, believed) if believed else MISSING

    return Target(held.path, answer)


def memory(place: Path) -> Target:
    """The memory of files' checksums."""
    file = place / "file"
    file.write_bytes(b"x" * 1000)
    time.sleep(SETTLED_SECONDS)
    sha256_of(file, place)
    return Target(place / MEMORY, lambda: sha256_of(file, place))


def weights(place: Path) -> Target:
    """The weights that a pretraining left."""
    torch.manual_seed(0)
    module = timm.create_model("test_vit", num_classes=0)
    store = RecordStore(place)
    start = unit()
    made = Unit(**{**vars(start), "task": "pretraining"})
    cell = made.cells[0]
    notes: dict[str, Any] = {"architecture": "test_vit", "model_args": {}, "images": {"d": 1}}
    notes |= {"mean": [0.5] * 3, "std": [0.5] * 3}
    left = {"safetensors": save(module.state_dict())}
    path = store.write(cell, {**done(cell), "notes": notes}, {"loss": np.zeros(1)}, left)
    card = BackboneCard(id="made", source=f"record:{cell.digest}", pool="cls")
    recipe = {"input_size": 32, "normalization": "backbone", "precision": "fp32"}
    return Target(
        path.with_suffix(".safetensors"),
        lambda: load_encoder(card, recipe, "cpu", place, place).digest,
    )


KINDS: Mapping[str, Callable[[Path], Target]] = {
    kind.__name__: kind
    for kind in (
        *(record, arrays, texts, checkpoint, manifest, shard, index, lease, memory, weights),
    )
}


def flips(kind: str, count: int, seed: int) -> Iterator[tuple[str, int, str]]:
    """Yield what came of each flip, its bit, and what was read where that is wrong."""
    rng = random.Random(f"{kind} {seed}")
    with tempfile.TemporaryDirectory() as name:
        target = KINDS[kind](Path(name))
        content, status = target.path.read_bytes(), target.path.stat()
        expected = target.answer()
        bits = rng.sample(range(8 * len(content)), min(count, 8 * len(content)))
        bits += rng.choices(range(8 * len(content)), k=count - len(bits))
        beside = Path(f"{name}-before")
        shutil.copytree(name, beside)
        for bit in bits:
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            target.path.write_bytes(flipped)
            yield (*_outcome(target, expected, bit),)
            _restore(Path(name), beside)
        shutil.rmtree(beside)
        assert target.path.stat().st_size == status.st_size


def _outcome(target: Target, expected: object, bit: int) -> tuple[str, int, str]:
    try:
        answer = target.answer()
    except OmnibenchError:
        return "refused", bit, ""
    except Exception:
        return "traceback", bit, traceback.format_exc(limit=-2)
    if answer == expected:
        return "same", bit, ""
    if answer in (MISSING, HEALED):
        return str(answer), bit, ""
    return "wrong", bit, repr(answer)[:300]


def _restore(place: Path, before: Path) -> None:
    """Put back every file that a flip or its healing changed; none else, whose times count."""
    for path in before.rglob("*"):
        own = place / path.relative_to(before)
        if path.is_file() and (not own.is_file() or own.read_bytes() != path.read_bytes()):
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, own)


def _or_missing(record: Mapping[str, Any] | None) -> object:
    return MISSING if record is None else canonical(dict(record))


def _predictions(place: Path, ending: str, predictions: dict[str, Any]) -> Target:
    store, cell = RecordStore(place), unit().cells[0]
    path = store.write(cell, done(cell), predictions)

    def answer() -> object:
        if store.read(cell) is None:
            return MISSING
        return {name: array.tolist() for name, array in read_predictions(path).items()}

    return Target(path.with_suffix(f".predictions.{ending}"), answer)


def _features(place: Path, name: str) -> Target:
    key = FeatureKey({"dataset": "d", "backbone": "b"}, "test", 32, "backbone", "fp32", "embed")
    rows = np.random.default_rng(0).normal(size=(24, 12)).astype("f4")
    facts = {"digest": hashlib.sha256(b"w").hexdigest(), "mean": [0.5] * 3, "parameters": 1000}

    def answer() -> object:
        computed = []

        def compute(start: int, stop: int) -> Any:
            computed.append(start)
            return rows[start:stop]

        stored = FeatureStore(place).get(key, len(rows), lambda: facts, compute, 4)
        stored_facts = {fact: value for fact, value in stored.facts.items() if fact != "seconds"}
        if computed and stored.array().tobytes() == rows.tobytes() and stored_facts == facts:
            return HEALED
        return stored.array().tolist(), json.dumps(dict(stored.facts), sort_keys=True)

    answer()
    return Target(place / key.digest / name, answer)


def main() -> int:
    """Flip, and print a row a kind, and the first silently wrong flips of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--flips", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.getLogger("omnibench").setLevel(logging.CRITICAL)
    say = sys.stdout.write
    say(f"{'kind':10} {'flips':>6} {' '.join(f'{name:>9}' for name in OUTCOMES)}  seconds\n")
    bad: list[str] = []
    for kind in options.kinds:
        began, counts = time.perf_counter(), Counter[str]()
        for outcome, bit, detail in flips(kind, options.flips, options.seed):
            counts[outcome] += 1
            if detail and counts[outcome] <= 3:
                bad.append(f"{kind}, bit {bit}: {outcome}: {detail}")
        numbers = " ".join(f"{counts[name]:>9}" for name in OUTCOMES)
        say(f"{kind:10} {sum(counts.values()):>6} {numbers}  {time.perf_counter() - began:.0f}\n")
        sys.stdout.flush()
    say("".join(f"{line}\n" for line in bad))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
