"""A folder that timm loads with `local-dir:`: config.json, model.safetensors, README.md."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.architecture.volume_vits import VOLUME_VITS
from omnibench.catalogue import tasks
from omnibench.errors import RequestError
from omnibench.files import being_written, write_atomically
from omnibench.options import WATCHING, places
from omnibench.pretrained import starting_card
from omnibench.record_files import WEIGHTS

# How the embedding of an image is taken.
POOLED = {"cls": "class token", "mean": "mean of the patch tokens"}


def export(record: Mapping[str, Any], weights: Path, folder: Path) -> str:
    """Write the folder; returns how to load it.

    Raises:
        RequestError: it is a network that timm does not build.
    """
    if weights.name.endswith(f".{WEIGHTS}"):
        return _export_classifier(record, weights, folder)
    if (name := record["notes"]["architecture"]) in VOLUME_VITS:
        raise RequestError(
            f"timm builds no {name}, a network of volumes; use it here, as "
            f"record:{record['digest'][:8]}"
        )
    config = json.dumps(_config(record), indent=1)
    model_card = _model_card(record)
    with weights.open("rb") as source, being_written(folder / "model.safetensors") as file:
        shutil.copyfileobj(source, file)
    write_atomically(folder / "config.json", config.encode())
    write_atomically(folder / "README.md", model_card.encode())
    return _how(folder)


def _how(folder: Path) -> str:
    return f'load it with timm.create_model("local-dir:{folder}", pretrained=True)'


def _export_classifier(record: Mapping[str, Any], weights: Path, folder: Path) -> str:
    """Write a classifier that kept its weights."""
    from omnibench.exporters.timm_classifier import classifier

    config, content = classifier(record, weights)
    spec = record["spec"]
    about = (
        f"---\nlibrary_name: timm\ntags: [image-classification, radiology]\n---\n\n"
        f"# {spec['backbone']} with {spec['short']}, of {spec['task']} on {spec['dataset']}\n\n"
        f"Record `{record['digest']}`. The licences of backbone and dataset may bind the weights.\n"
    )
    write_atomically(folder / "model.safetensors", content)
    write_atomically(folder / "config.json", json.dumps(config, indent=1).encode())
    write_atomically(folder / "README.md", about.encode())
    return _how(folder)


def _config(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what timm's hub and `local-dir:` loading read."""
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


def _model_card(record: Mapping[str, Any]) -> str:
    spec, notes, recipe = record["spec"], record["notes"], record["spec"]["recipe"]
    adaptation = tasks.get(spec["task"]).adaptations[spec["adaptation"]]
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
        f"without labels on the training images of {images}.",
        "",
        "| | |",
        "| --- | --- |",
        f"| record | `{record['digest']}` |",
        f"| features | {POOLED[adaptation.pool]} |",
        *[f"| recipe: {name} | {value} |" for name, value in recipe.items()],
        *[f"| {name} | {value:.3f} |" for name, value in measured.items()],
        *[f"| watched by the validation split of | {name} |" for name in _watching(spec)],
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


def _watching(spec: Mapping[str, Any]) -> list[str]:
    """Return the datasets by which the training was watched."""
    options = tasks.get(spec["task"]).adaptations[spec["adaptation"]].options
    names = [name for name, kind in places(options).items() if kind == WATCHING]
    return [spec["options"][name] for name in names if spec["options"][name] is not None]
