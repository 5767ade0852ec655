"""What a trained backbone leaves beside a record, so that others load it by `record:DIGEST`."""

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from omnibench.cards import BackboneCard
from omnibench.encoders.build import Loaded, LoadedTrainable
from omnibench.encoders.timm_create import create_timm
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.errors import OmnibenchError, RequestError

CLOSE = 1e-3  # of the largest output: kernels and layouts may differ


def weights_of(module: nn.Module) -> bytes:
    """Return a module's weights as the content of a safetensors file."""
    state = module.state_dict()
    return save({name: value.contiguous().cpu() for name, value in state.items()})


def facts_of(loaded: LoadedTrainable, images: Mapping[str, int]) -> dict[str, Any]:
    """Return the notes by which a record tells what its weights are of.

    Args:
        images: of each dataset that they were trained on.
    """
    module: Any = loaded.encoder.module
    return {
        "architecture": str(module.pretrained_cfg["architecture"]),
        "model_args": dict(loaded.arguments),
        "mean": list(loaded.mean),
        "std": list(loaded.std),
        "images": dict(images),
    }


def require_rebuilt(loaded: Loaded | None, card: BackboneCard, size: int) -> LoadedTrainable:
    """Return what was loaded for a training, once timm has built the same network from its facts.

    Raises:
        RequestError: it does not, so that nobody could load what the training leaves.
    """
    module: Any = loaded.encoder.module if isinstance(loaded, LoadedTrainable) else None
    name = getattr(module, "pretrained_cfg", {}).get("architecture")
    if isinstance(loaded, LoadedTrainable) and name and _is_rebuilt(loaded, name, size):
        return loaded
    raise RequestError(
        f"{card.id}: timm does not build this network from the name of its architecture, so that "
        "nothing could load what its training leaves; start from another backbone"
    )


def _is_rebuilt(loaded: LoadedTrainable, name: str, size: int) -> bool:
    """Whether timm's network of this name gives, with the same weights, the same outputs."""
    own = loaded.encoder.module
    device = next(own.parameters()).device
    try:
        other = create_timm(name, loaded.arguments)
        fit_input_size(other, size, name)
        other.load_state_dict(own.state_dict())
    except (OmnibenchError, RuntimeError):  # torch's of other keys or shapes
        return False
    pixels = torch.linspace(-1, 1, 3 * size * size, device=device).view(1, 3, size, size)
    with torch.no_grad():
        outputs: list[Tensor] = [
            module.eval()(pixels) for module in (own, other.to(device=device, dtype=torch.float32))
        ]
    return bool((outputs[0] - outputs[1]).abs().max() <= CLOSE * outputs[0].abs().max())
