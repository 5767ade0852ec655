"""What interactive segmentation refuses, a sentence each, for `plan` and for what computes."""

import json
from pathlib import Path
from typing import Any

from omnibench.cards import BackboneCard
from omnibench.files import read_regular

SAM_TYPES = ("sam", "sam2", "sam2_video")  # of a config.json; the image model is taken of the last
FILES = ("file", "transformers")


def prompt_refusal(card: BackboneCard) -> str:
    """Return the sentence that refuses a backbone that is no promptable model; "" for one."""
    if card.source_kind == "module":
        return ""
    if card.source_kind not in FILES:
        return (
            f"backbone {card.id}: `prompt` clicks at a promptable model; give a folder of SAM or "
            "SAM 2 (file:FOLDER, or transformers:OWNER/NAME), or module:attribute that builds an "
            "object with predict(image, clicks, previous)"
        )
    if card.source_kind == "file":
        return folder_refusal(card, Path(card.source_name))
    return ""


def folder_refusal(card: BackboneCard, folder: Path) -> str:
    """Return the sentence that refuses a folder whose config.json tells of no SAM; "" for one."""
    try:
        config: Any = json.loads(read_regular(folder / "config.json"))
    except (OSError, ValueError, RecursionError):
        return (
            f"backbone {card.id}: no config.json that can be read lies in {folder}; name the "
            "folder of a SAM or SAM 2 model as transformers saves it"
        )
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind in SAM_TYPES:
        return ""
    return (
        f"backbone {card.id}: the config.json in {folder} tells of the model type {kind}, and "
        f"`prompt` knows {', '.join(SAM_TYPES)}; give one of these, or module:attribute that "
        "builds an object with predict(image, clicks, previous)"
    )
