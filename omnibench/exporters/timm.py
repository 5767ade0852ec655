"""A folder that timm loads with `local-dir:`: config.json, model.safetensors, README.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.catalogue import tasks
from omnibench.errors import RequestError
from omnibench.files import write_atomically
from omnibench.options import WATCHING, places
from omnibench.pretrained import starting_card
from omnibench.record_files import WEIGHTS

# How the embedding of an image is taken.
POOLED = {"cls": "class token", "mean": "mean of the patch tokens"}


def export(record: Mapping[str, Any], weights: Path, folder: Path) -> str:
    """Write the folder; returns how to load it.

    Raises:
        RequestError: timm has no network that gives the same outputs, or it is one of volumes.
    """
    from omnibench.exporters.timm_network import timm_files

    is_backbone = not weights.name.endswith(f".{WEIGHTS}")
    card = _model_card(record) if is_backbone else _classifier_card(record)
    files = timm_files(record, weights)
    for file, content in {**files, "README.md": card.encode()}.items():
        write_atomically(folder / file, content)
    return f'load it with timm.create_model("local-dir:{folder}", pretrained=True)'


def _classifier_card(record: Mapping[str, Any]) -> str:
    spec = record["spec"]
    return (
        f"---\nlibrary_name: timm\ntags: [image-classification, radiology]\n---\n\n"
        f"# {spec['backbone']} with {spec['short']}, of {spec['task']} on {spec['dataset']}\n\n"
        f"Record `{record['digest']}`. The licences of backbone and dataset may bind the weights.\n"
    )


def _model_card(record: Mapping[str, Any]) -> str:
    spec, notes, recipe = record["spec"], record["notes"], record["spec"]["recipe"]
    adaptation = tasks.get(spec["task"]).adaptations[spec["adaptation"]]
    images = ", ".join(f"{name} ({count:,} images)" for name, count in notes["images"].items())
    measured = {name: value for name, value in record["metrics"].items() if value is not None}
    lines = [
        "---",
        "library_name: timm",
        "tags: [image-feature-extraction, radiology, self-supervised]",
        "---",
        "",
        f"# {notes['architecture']}, pretrained by {spec['adaptation']}",
        "",
        f"Started from `{spec['backbone']}` (licence of its weights: "
        f"{_licence(spec['backbone'])}) and trained "
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


def _licence(name: str) -> str:
    """Return the licence of what a pretraining started from."""
    try:
        return starting_card(name).licence
    except RequestError:  # of a plug-in or a suite that is not at hand
        return "unknown, as it is not registered here"


def _watching(spec: Mapping[str, Any]) -> list[str]:
    """Return the datasets by which the training was watched."""
    options = tasks.get(spec["task"]).adaptations[spec["adaptation"]].options
    names = [name for name, kind in places(options).items() if kind == WATCHING]
    return [spec["options"][name] for name in names if spec["options"][name] is not None]
