"""Mutated inputs of each kind, and how omnibench uses them.

A maker writes one case into a folder and returns what uses it. What it brings along would make the
folder `canary` where it ran.
"""

import contextlib
import functools
import gzip
import io
import json
import math
import os
import pickle
import random
import stat
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import timm
import torch
import yaml
from PIL import Image
from safetensors.torch import save

from omnibench.catalogue import load_plugin
from omnibench.cli import main
from omnibench.data import sources
from omnibench.encoders.builders import build_module
from omnibench.encoders.loading import load_weights
from omnibench.errors import OmnibenchError
from omnibench.record import as_bytes, checksum
from omnibench.session import Places, Session
from omnibench.store import RecordStore
from tests.data.dicom.made import edited, enhanced, volume, write_series
from tests.data.nifti_files import STUDIES, write_studies
from tests.security.attack_tools import Bomb, done
from tests.security.mutations import HOSTILE, changed_arrays, changed_tree, damaged

# What stands where DICOM has a number of its own width.
NUMBERS: tuple[Any, ...] = (0, 1, 3, 8, 12, 32, 65535, 2**31 - 1, [1.0, 2.0, 3.0], [1e308] * 6)
# What stands in a NIfTI header where it has four bytes of something.
VALUES = tuple(struct.pack("<f", x) for x in (0, 1, -1, math.nan, math.inf, 1e38, 1e-38))
Use = Callable[[], object]
SUITE: dict[str, Any] = {
    "name": "attack",
    "seed": 0,
    "repetitions": 2,
    "backbones": [
        "random-vit-tiny",
        {"id": "v", "source": "random:test_vit", "pool": "cls", "pretraining": ["x"]},
        {"id": "f", "source": "file:w.safetensors", "architecture": "test_vit", "mean": [0, 0, 0]}
        | {"std": [1, 1, 1]},
        {"id": "p"}
        | {
            "pretrain": {
                "method": "dinov2-global",
                "architecture": "vit-tiny",
                "dataset": "phantom",
            }
        },
    ],
    "matrix": [
        {
            "task": "classification",
            "datasets": ["phantom", "npz:two.npz"],
            "adaptations": ["linear", {"lora": {"r": 8, "alpha": 16}}],
            "recipe": {"input_size": 64, "epochs": 2, "lr": 0.001},
        },
        {
            "task": "captioning",
            "datasets": ["phantom"],
            "adaptations": ["bart-small"],
            "backbones": ["v*"],
            "decodings": ["b1-t64"],
            "repetitions": 1,
        },
    ],
    "report": {"baseline": "v", "correction": "holm", "equivalence_margin": 1.0},
}
SMALL = (
    "name: attack\nbackbones: [{{id: v, source: 'random:test_vit'}}, {{id: w, source: "
    "'random:test_vit@1'}}]\nmatrix: [{{task: {task}, datasets: ['{dataset}'], "
    "adaptations: [{adaptation}], recipe: {{input_size: 32}}}}]\n"
)


def suites(rng: random.Random, folder: Path, canary: Path) -> Use:
    """A suite with values, words or bytes changed, or one that asks for code to run."""
    (folder / "two.npz").write_bytes(_npz(_arrays()))
    (folder / "w.safetensors").write_bytes(_states()["safetensors"])
    tree = changed_tree(SUITE, rng)
    call = {"id": "e", "source": "os:makedirs", "arguments": {"name": str(canary)}}
    tag = f"!!python/object/apply:os.makedirs ['{canary}']"
    evil = rng.choice((call, tag)) if rng.random() < 0.15 else None
    if isinstance(evil, dict) and isinstance(tree.get("backbones"), list):
        tree["backbones"].append(evil)
    text = yaml.safe_dump(tree, sort_keys=False)
    if isinstance(evil, str):
        text += f"{rng.choice(('x', 'name', 'report'))}: {evil}\n"
    content = text.encode("utf-8", "surrogatepass")
    path = _file(folder / "attack.yaml", damaged(content, rng) if rng.random() < 0.4 else content)
    return lambda: _bench("plan", str(path))


def npz(rng: random.Random, folder: Path, canary: Path) -> Use:
    """Arrays of other shapes, types and names, pickles among them, or a damaged archive."""
    arrays = _arrays(masks=rng.random() < 0.3)
    if rng.random() < 0.8:
        arrays = changed_arrays(arrays, rng)
    if rng.random() < 0.15:
        arrays[rng.choice(("train_images", "val_labels", "x"))] = np.array(
            [Bomb(canary)] * 6, object
        )
    content = _npz(arrays)
    _file(folder / "x.npz", damaged(content, rng) if rng.random() < 0.4 else content, rng)
    return _dataset(folder, "npz:x.npz", "classification", "knn")


def jsonl(rng: random.Random, folder: Path, canary: Path) -> Use:
    """Lines with values or bytes changed, and images that are damaged."""
    lines: Any = []
    for number, split in enumerate(("train", "train", "val", "test")):
        picture = io.BytesIO()
        Image.fromarray(np.full((9, 9), 40 * number, np.uint8)).save(picture, "PNG")
        content = picture.getvalue()
        (folder / f"{number}.png").write_bytes(
            damaged(content, rng) if rng.random() < 0.1 else content
        )
        lines.append({"image": f"{number}.png", "caption": f"a lesion {number}", "split": split})
    lines = changed_tree(lines, rng) if rng.random() < 0.8 else lines
    content = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    _file(folder / "x.jsonl", damaged(content, rng) if rng.random() < 0.4 else content, rng)
    return _dataset(folder, "jsonl:x.jsonl", "captioning", "bart-small")


def dicom(rng: random.Random, folder: Path, canary: Path) -> Use:
    """Studies of DICOM files, two of them damaged or with elements changed, and their table."""
    root = folder / "d"
    contents = _studies()
    changed = rng.sample(sorted(contents), 2)
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in changed and rng.random() < 0.5:
            _file(path, damaged(content, rng), rng)
            continue
        path.write_bytes(content)
        if name in changed:
            with contextlib.suppress(Exception):  # what pydicom does not write is no case
                edited(path, lambda dataset: _change_element(dataset, rng))
    splits = ("train", "train", "val", "val", "test", "test", "train")
    rows = [f"s{number},{split},{number % 2}\n" for number, split in enumerate(splits)]
    table = f"study,split,label\n{''.join(rows)}".encode()
    _file(root / "labels.csv", damaged(table, rng) if rng.random() < 0.1 else table, rng)
    return _dataset(folder, "dicom:d", "volumes", "mean")


def nifti(rng: random.Random, folder: Path, canary: Path) -> Use:
    """Studies of NIfTI files, two of them damaged or with another header, and their table."""
    root = write_studies(folder / "n", "window: [100, 400]\nspacing: [1, 1, 2]\n")
    for study in rng.sample(STUDIES, 2):
        path = root / study / "axial.nii.gz"
        content = gzip.decompress(path.read_bytes())
        if rng.random() < 0.5:
            start = rng.randrange(40, 344)
            content = content[:start] + rng.choice(VALUES) + content[start + 4 :]
        else:
            content = damaged(content, rng)
        path.unlink()
        _file(path, gzip.compress(content) if rng.random() < 0.7 else content, rng)
    table = (root / "labels.csv").read_bytes()
    (root / "labels.csv").unlink()
    _file(root / "labels.csv", damaged(table, rng) if rng.random() < 0.1 else table, rng)
    return _dataset(folder, "nifti:n", "volumes", "mean")


@functools.cache
def _studies() -> dict[str, bytes]:
    """Return six studies of plain files and one of an enhanced file, by their names."""
    with tempfile.TemporaryDirectory() as place:
        for number in range(6):
            write_series(Path(place, f"s{number}"), volume((8, 8, 3)), PatientID=f"P{number}")
        study = Path(place, "s6")
        study.mkdir()
        enhanced(volume((8, 8, 3)), [1.0, 2.0, 1.0]).save_as(study / "all.dcm")
        files = sorted(Path(place).rglob("*"))
        return {str(f.relative_to(place)): f.read_bytes() for f in files if f.is_file()}


def _change_element(dataset: Any, rng: random.Random) -> None:
    """Change an element of a dataset, or of an item in one of its sequences."""
    keyword = rng.choice([element.keyword for element in dataset if element.keyword])
    value = dataset[keyword].value
    if isinstance(value, pydicom.Sequence) and value and rng.random() < 0.8:
        _change_element(rng.choice(value), rng)
    else:
        setattr(dataset, keyword, rng.choice((*NUMBERS, *HOSTILE)))


def records(rng: random.Random, folder: Path, canary: Path) -> Use:
    """A record with values changed under a right checksum, or it or its predictions damaged."""
    (folder / "two.npz").write_bytes(_npz(_arrays()))
    path = folder / "attack.yaml"
    path.write_text(SMALL.format(task="classification", dataset="npz:two.npz", adaptation="knn"))
    results = folder / "results"
    session = Session.open(Places(results=results, data=folder / "data"))
    store = RecordStore(results)
    written = [
        store.write(cell, *done(cell)) for u in session.suite(str(path))[1] for cell in u.cells
    ]
    target = rng.choice(written)
    record = json.loads(target.read_bytes())
    chance = rng.random()
    if chance < 0.6:
        changed = changed_tree(record, rng)
        try:
            content = as_bytes(changed)
        except (ValueError, TypeError, UnicodeEncodeError):  # NaN, which is written as it is
            content = json.dumps(changed).encode()
        target.write_bytes(content)
    elif chance < 0.8:
        target.write_bytes(damaged(target.read_bytes(), rng))
    else:
        other = target.with_suffix(".predictions.npz")
        content = _npz({"test_logits": np.array([Bomb(canary)], object)})
        other.write_bytes(content if rng.random() < 0.3 else damaged(other.read_bytes(), rng))
    if rng.random() < 0.3:  # beside the weights of a pretraining, every command reads it
        left = results / "records" / "pretraining" / "d" / "b" / "a" / target.name
        left.parent.mkdir(parents=True)
        left.write_bytes(target.read_bytes())
        left.with_suffix(".safetensors").write_bytes(b"x")

    def use() -> None:
        commands = ["plan", "status", "rescore", *(["report"] if rng.random() < 0.1 else [])]
        for command in commands:  # a report takes seconds
            _bench(command, str(path))

    return use


PLUGIN = '''
"""A backbone of one's own."""
import helper_of_{name}
from torch import nn
from omnibench import BackboneCard, register_backbone

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Conv2d(3, width, 16, 16)

    def forward(self, x):
        return self.layer(x)

def build(width=4):
    return Net(width)

register_backbone(BackboneCard(
    id="mine", source="{name}:build", arguments={{"width": 4}}, pool="mean", mean=(0, 0, 0),
    std=(1, 1, 1), pretraining=("x",), licence="MIT",
))
'''
LINES = (
    "1 / 0", "raise SystemExit(3)", "import no_such_module", "from omnibench import no_such_name",
    "raise ValueError('a\\nb')", "import sys; sys.exit()", "def f(:", "  x = 1", "assert False",
    "register_backbone(None)", "register_backbone(BackboneCard(id='../x', source='a:b'))",
    "raise RecursionError", "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
    "register_backbone(BackboneCard(id='dinov2-small', source='random:test_vit'))",
    "from . import x", "build = None", "del build", "raise Exception('\\x1b[31m')",
)  # fmt: skip


def plugins(rng: random.Random, folder: Path, canary: Path) -> Use:
    """A plug-in with lines changed, lost, doubled or put in; what it does itself is its right."""
    name = f"plugin_{rng.randrange(10**12)}"
    lines = PLUGIN.format(name=name).splitlines()
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(lines))
        action = rng.choice(("delete", "double", "insert", "word", "bytes"))
        if action == "delete":
            del lines[at]
        elif action == "double":
            lines.insert(at, lines[at])
        elif action == "insert":
            lines.insert(at, rng.choice(LINES))
        elif action == "word" and lines[at].split():
            words = lines[at].split(" ")
            words[rng.randrange(len(words))] = rng.choice(("None", "3", "x", "'y'", "(", ""))
            lines[at] = " ".join(words)
        else:
            lines[at] = damaged(lines[at].encode(), rng).decode("latin-1")
    path = folder / f"{name}.py"
    path.write_text("\n".join(lines), encoding="utf-8")
    helper = folder / f"helper_of_{name}.py"
    helper.write_bytes(damaged(b"number = 3\n", rng) if rng.random() < 0.2 else b"number = 3\n")
    suite = folder / "attack.yaml"
    suite.write_text(
        f"name: attack\nplugins: [{name}.py]\nbackbones: [mine]\nmatrix: [{{task: classification, "
        "datasets: [phantom], adaptations: [knn]}]\n"
    )

    def use() -> None:
        load_plugin(path)
        _bench("plan", str(suite))
        card = Session.open(Places()).suite(str(suite))[0].backbones[0]
        build_module(card)

    return use


def checkpoints(rng: random.Random, folder: Path, canary: Path) -> Use:
    """Weights in any format, damaged, of other shapes and names, or with code among them."""
    kind = rng.choice(("safetensors", "zip", "legacy", "pickle", "index"))
    path = folder / ("model.safetensors" if kind == "safetensors" else "model.pth")
    if rng.random() < 0.25 and kind not in ("safetensors", "index"):
        state: Any = {"a": Bomb(canary)}
        state = rng.choice((state, {"model": state}, {"epoch": 1, "args": Bomb(canary)}))
        content = _saved(state, kind)
    elif kind == "index":
        content = _states()["safetensors"]
        (folder / "part.safetensors").write_bytes(content)
        names = dict.fromkeys(_state(), "part.safetensors")
        tree = changed_tree({"metadata": {"total_size": 1}, "weight_map": names}, rng)
        path = folder / "model.safetensors.index.json"
        content = json.dumps(tree).encode()
    elif rng.random() < 0.5:
        state = _changed_state(rng)
        content = save(state) if kind == "safetensors" else _saved({"state_dict": state}, kind)
    else:
        content = _states()[kind]
    _file(path, damaged(content, rng) if rng.random() < 0.5 else content, rng)
    model = timm.create_model("test_vit", num_classes=0)
    return lambda: load_weights(model, path)


def bundles(rng: random.Random, folder: Path, canary: Path) -> Use:
    """A bundle with values of its manifest or a record changed, odd members, or damage."""
    (folder / "two.npz").write_bytes(_npz(_arrays()))
    suite = folder / "attack.yaml"
    suite.write_text(SMALL.format(task="classification", dataset="npz:two.npz", adaptation="knn"))
    session = Session.open(Places(results=folder / "made", data=folder / "data"))
    for unit in session.suite(str(suite))[1]:
        for cell in unit.cells:
            session.store.write(cell, *done(cell))
    path = folder / "x.zip"
    _bench("bundle", str(suite), str(path), "--results", str(folder / "made"))
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    _change_members(contents, rng)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name)
            if rng.random() < 0.05:
                kinds = (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFCHR)
                info.external_attr = rng.choice(kinds) << 16
            if rng.random() < 0.05:
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    if rng.random() < 0.3:
        _file(path, damaged(path.read_bytes(), rng))

    def use() -> None:
        before = {file for file in folder.rglob("*") if (folder / "results") not in file.parents}
        _bench("merge", str(path))
        _bench("status", str(suite))
        after = {file for file in folder.rglob("*") if (folder / "results") not in file.parents}
        assert after - before <= {folder / "results"}

    return use


def _change_members(contents: dict[str, bytes], rng: random.Random) -> None:
    """Change a bundle's members, most often so that its checksums are right again."""
    records = sorted(name for name in contents if name.endswith(".json") and "/rep-" in name)
    name = rng.choice(records)
    action = rng.choice(("record", "record", "rename", "bytes", "manifest", "lose", "add", "suite"))
    if action == "record":
        changed = changed_tree(json.loads(contents[name]), rng)
        with contextlib.suppress(ValueError, TypeError, UnicodeEncodeError):
            contents[name] = as_bytes(changed)
    elif action == "rename":
        other = rng.choice(
            ("../x.json", "/tmp/x.json", "records/../../x.json", "a\\b", "records/x")
        )
        contents[rng.choice((other, name.replace("rep-0", "rep-1")))] = contents.pop(name)
    elif action == "bytes":
        victim = rng.choice(sorted(contents))
        contents[victim] = damaged(contents[victim], rng)
    elif action == "lose":
        del contents[rng.choice(sorted(contents))]
    elif action == "add":
        contents[rng.choice(("suites/../x.yaml", "monitoring/x.json", "x", "suites/x.py"))] = b"{}"
    elif action == "suite":
        contents["suites/attack.yaml"] = damaged(contents["suites/attack.yaml"], rng)
    if rng.random() < 0.8 and "manifest.json" in contents:
        with contextlib.suppress(ValueError):
            manifest = json.loads(contents["manifest.json"])
            manifest["files"] = {
                n: checksum(content) for n, content in contents.items() if n != "manifest.json"
            }
            manifest = changed_tree(manifest, rng) if action == "manifest" else manifest
            contents["manifest.json"] = json.dumps(manifest).encode()


KINDS: Mapping[str, Callable[[random.Random, Path, Path], Use]] = {
    "suites": suites,
    "npz": npz,
    "jsonl": jsonl,
    "dicom": dicom,
    "nifti": nifti,
    "records": records,
    "plugins": plugins,
    "checkpoints": checkpoints,
    "bundles": bundles,
}


def _file(path: Path, content: bytes, rng: random.Random | None = None) -> Path:
    """Write a file; now and then something stands in its place that is none."""
    chance = rng.random() if rng else 1.0
    if chance < 0.01:
        os.mkfifo(path)
    elif chance < 0.02:
        path.symlink_to("/dev/zero")
    elif chance < 0.03:
        path.mkdir()
    else:
        path.write_bytes(content)
    return path


def _bench(*arguments: str) -> None:
    """Give a command as people do; raises where it ends in an error's sentence."""
    sys.argv = ["omnibench", *arguments]
    try:
        main()
    except SystemExit as ended:
        if ended.code not in (0, 1, 2, None):
            raise
        if ended.code == 2:
            raise RefusedError from None


class RefusedError(OmnibenchError):
    """A command has printed one sentence."""


def _dataset(folder: Path, reference: str, task: str, adaptation: str) -> Use:
    suite = folder / "attack.yaml"
    suite.write_text(SMALL.format(task=task, dataset=reference, adaptation=adaptation))

    def use() -> None:
        try:
            _bench("plan", str(suite))
        finally:
            dataset = sources.load(sources.resolve(reference, folder), folder / "data")
            for split in dataset.splits.values():
                split.images.read(0, len(split))

    return use


def _arrays(masks: bool = False) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (6, 8, 8), dtype=np.uint8)
        labels = rng.integers(0, 2, (6, 8, 8), dtype=np.uint8) if masks else np.arange(6) % 2
        arrays[f"{split}_{'label' if masks else 'labels'}"] = labels
    return arrays


def _npz(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


@functools.cache
def _state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(timm.create_model("test_vit", num_classes=0).state_dict())


@functools.cache
def _states() -> dict[str, bytes]:
    formats = {kind: _saved({"state_dict": _state()}, kind) for kind in ("zip", "legacy", "pickle")}
    return {"safetensors": save(_state()), **formats}


def _saved(state: Any, kind: str) -> bytes:
    if kind == "pickle":
        return pickle.dumps(state)
    buffer = io.BytesIO()
    torch.save(state, buffer, _use_new_zipfile_serialization=kind == "zip")
    return buffer.getvalue()


def _changed_state(rng: random.Random) -> dict[str, torch.Tensor]:
    state = {name: value.clone() for name, value in _state().items()}
    for _ in range(rng.choice((1, 2, 20))):
        name = rng.choice(sorted(state))
        value = state[name]
        action = rng.randrange(7)
        if action == 0:
            del state[name]
        elif action == 1:
            state[f"{rng.choice(('module.', 'x.', 'teacher.'))}{name}"] = state.pop(name)
        else:
            state[name] = (
                value.half(),
                value.flatten()[:3].clone(),
                value.float() * float("nan"),
                value.to(torch.int8),
                value[None].clone(),
            )[action - 2]
    return state
