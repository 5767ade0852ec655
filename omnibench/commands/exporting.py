"""`export`: a pretrained backbone as a folder that timm loads."""

import json
import shutil
from pathlib import Path
from typing import Any

from omnibench.errors import RequestError
from omnibench.files import being_written, write_atomically
from omnibench.pretrained import starting_card
from omnibench.record_files import checked_file
from omnibench.session import Places, Session
from omnibench.terminal import echo
from omnibench.weights_record import find_weights_record

HEX = frozenset("0123456789abcdef")


def export(digest: str, folder: Path, places: Places) -> None:
    """Write the teacher of a pretraining cell: config.json, model.safetensors, README.md.

    Raises:
        RequestError: no such record, or the folder holds something already.
        StoreError: the weights are not as the training left them.
    """
    session = Session.open(places)
    digest = digest.removeprefix("record:").removeprefix("pretrain-")
    if len(digest) < 8 or not HEX.issuperset(digest):
        raise RequestError(
            f"'{digest}' is no digest; give 8 to 64 hex digits, as in pretrain-1234abcd of "
            "`bench.py list backbones`"
        )
    record = find_weights_record(session.results, digest)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} is not empty; name a new folder")
    weights = checked_file(record["path"], record, "safetensors")
    config = json.dumps(_config(record), indent=1)
    model_card = _model_card(record)
    with weights.open("rb") as source, being_written(folder / "model.safetensors") as file:
        shutil.copyfileobj(source, file)
    write_atomically(folder / "config.json", config.encode())
    write_atomically(folder / "README.md", model_card.encode())
    echo(f"written: {folder}")
    echo(f'load it with timm.create_model("local-dir:{folder}", pretrained=True)')


def _config(record: dict[str, Any]) -> dict[str, Any]:
    """What timm's hub and `local-dir:` loading read."""
    notes, recipe = record["notes"], record["spec"]["recipe"]
    side = recipe["input_size"]
    return {
        "architecture": notes["architecture"],
        "num_classes": 0,
        "global_pool": "token",
        "model_args": notes["model_args"],
        "pretrained_cfg": {
            "tag": f"pretrain_{record['digest'][:8]}",
            "custom_load": False,
            "input_size": [3, side, side],
            "fixed_input_size": True,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": notes["mean"],
            "std": notes["std"],
            "num_classes": 0,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }


def _model_card(record: dict[str, Any]) -> str:
    spec, notes, recipe = record["spec"], record["notes"], record["spec"]["recipe"]
    images = ", ".join(f"{name} ({count:,} images)" for name, count in notes["images"].items())
    measured = {name: value for name, value in record["metrics"].items() if value is not None}
    licence = starting_card(spec["backbone"]).licence
    lines = [
        "---",
        "library_name: timm",
        "tags: [image-feature-extraction, radiology, self-supervised]",
        "---",
        "",
        f"# {notes['architecture']}, pretrained by {spec['adaptation']}",
        "",
        f"Started from `{spec['backbone']}` (licence of its weights: {licence}) and trained "
        f"without labels on the training images of {images}. The weights are the teacher's.",
        "",
        "| | |",
        "| --- | --- |",
        f"| record | `{record['digest']}` |",
        f"| epochs x batch | {recipe['epochs']} x {recipe['batch']} |",
        f"| crop | {recipe['input_size']} px, {recipe['local_crops']} local crops |",
        f"| prototypes, centring | {recipe['prototypes']}, {recipe['centring']} |",
        *[f"| {name} | {value:.3f} |" for name, value in measured.items()],
        f"| dataset of the online kNN, validation split | {spec['options']['knn']} |",
        "",
        "Images of these datasets are in its pretraining: do not report its scores on them as "
        "those of unseen data. The licences of the datasets may bind the weights.",
        "",
        "```python",
        "import timm",
        "",
        'backbone = timm.create_model("local-dir:THIS_FOLDER", pretrained=True)',
        "```",
        "",
    ]
    return "\n".join(lines)
