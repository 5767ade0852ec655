"""Small ViTs, the files they are saved in, and what they give."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from omnibench.encoders.loading import load_weights
from omnibench.errors import WeightsError

SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3}
TIMM = {"embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 0}
PIXELS = torch.rand(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))


def vit(name: str = "vit_small_patch14_dinov2", seed: int = 0, **options: Any) -> Any:
    """A small timm ViT whose every tensor is drawn, so that no two names can be mixed up."""
    torch.manual_seed(seed)
    model = timm.create_model(name, **TIMM | {"img_size": 56} | options).eval()
    return drawn(model)


def drawn(model: Any) -> Any:
    with torch.no_grad():
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.5 if parameter.ndim == 1 else 0.0, 0.2)
    return model.eval()


def saved(path: Path, content: Any) -> Path:
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in content.items()}, path)
    else:
        torch.save(content, path)
    return path


def features(model: Any, pixels: Tensor = PIXELS) -> Tensor:
    """Tokens after the final norm."""
    with torch.no_grad():
        result: Tensor = (
            model.forward_features(pixels)
            if hasattr(model, "forward_features")
            else model(pixel_values=pixels).last_hidden_state
        )
    return result


def agree(original: Tensor, ours: Tensor) -> bool:
    return bool(original.std() > 0.1) and torch.allclose(original, ours, atol=1e-5, rtol=1e-5)


def refused(model: Any, path: Path, weights_key: str | None = None) -> str:
    """The sentence by which a file is refused; the model keeps its own weights."""
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_weights(model, path, weights_key)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    return sentence
