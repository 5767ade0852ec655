"""Folders in transformers' format: the library's own model, or its settings in a timm model."""

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from omnibench.cards import BackboneCard
from omnibench.encoders.checkpoints import read_weights
from omnibench.encoders.coverage import Coverage, refuse_non_finite
from omnibench.errors import WeightsError

# hidden_act of transformers -> timm's class.
ACTIVATIONS = {
    "gelu": "GELU",
    "quick_gelu": "QuickGELU",
    "gelu_pytorch_tanh": "GELUTanh",
    "gelu_new": "GELUTanh",
    "relu": "ReLU",
    "silu": "SiLU",
}


def load_transformers(
    card: BackboneCard, weights: Path, by: str = "AutoModel"
) -> tuple[Any, Coverage]:
    """Load the model of a folder as transformers does, and refuse what does not fit.

    Args:
        weights: the weights file of the folder, or the index of its shards.
        by: the class of transformers that chooses the model's.

    Raises:
        WeightsError: the files are damaged, hold code, or do not fit the configuration beside them.
    """
    import transformers

    if card.weights_key is not None:
        raise WeightsError(
            f"{card.id}: transformers itself reads all of {weights.parent}; remove weights_key "
            "from the card, or set architecture= (the timm name it fits)"
        )
    state = read_weights(weights)  # before transformers reads it: with our refusals
    if typed := [
        key
        for key, value in state.items()
        if key.endswith((".weight", ".bias")) and not value.is_floating_point()
    ]:
        raise WeightsError(
            f"{card.id}: {weights} holds {typed[0]} as {str(state[typed[0]].dtype).split('.')[-1]} "
            "where floating-point numbers are due; take weights that are not quantised"
        )
    refuse_non_finite(state, str(weights))
    del state
    folder = weights.parent
    try:
        module, info = getattr(transformers, by).from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=card.trust_remote_code,
            output_loading_info=True,
        )
    except Exception as error:  # damaged or hostile files make it raise whatever they spell
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(f"{card.id}: {folder} cannot be loaded: {reason}") from error
    missing = [
        key
        for key in info["missing_keys"]
        if not any(fnmatch.fnmatchcase(key, glob) for glob in card.optional_keys)
    ]
    mismatched = [str(key) for key in info["mismatched_keys"]]
    if missing or mismatched:
        raise WeightsError(
            f"{card.id}: {folder} does not fit {type(module).__name__}: {len(missing)} missing "
            f"({', '.join(missing[:3])}), {len(mismatched)} of another shape; "
            "the card's optional_keys says which may be absent"
        )
    total = len(module.state_dict())
    absent = tuple(sorted(info["missing_keys"]))
    unexpected = tuple(sorted(info["unexpected_keys"]))
    return module, Coverage(
        total - len(absent), total, absent, unexpected, layout=type(module).__name__
    )


def adopt_settings(module: Any, config: Mapping[str, Any], origin: str) -> tuple[str, ...]:
    """Hold a timm ViT to what weights cannot tell: heads, activation and the norms' epsilon.

    Args:
        config: of transformers' folder, whose weights the ViT has.

    Returns:
        What was changed in the ViT, for its coverage.

    Raises:
        WeightsError: another number of heads, or another activation.
    """
    vision = config.get("vision_config")
    config = vision if isinstance(vision, dict) else config
    block = next(iter(getattr(module, "blocks", ())), None)
    heads, name = config.get("num_attention_heads"), config.get("hidden_act")
    own = getattr(getattr(block, "attn", None), "num_heads", heads)
    if heads is not None and heads != own:
        raise WeightsError(
            f"{origin} tells of {heads} attention heads where the architecture has {own}; correct "
            "the card's architecture"
        )
    act = getattr(getattr(block, "mlp", None), "act", None)
    gated = config.get("use_swiglu_ffn")  # these have SiLU, whatever hidden_act says
    if None not in (name, act) and not gated and ACTIVATIONS.get(str(name)) != type(act).__name__:
        raise WeightsError(
            f"{origin} tells of the activation {name} where the architecture has "
            f"{type(act).__name__}; take the architecture with that activation"
        )
    epsilon = config.get("layer_norm_eps")
    changed: tuple[str, ...] = ()
    for part in module.modules():
        norm = isinstance(part, nn.LayerNorm) and isinstance(epsilon, float)
        if norm and part.eps != epsilon:
            changed = (f"layer_norm_eps {part.eps} -> {epsilon}",)
            part.eps = epsilon
    return changed
