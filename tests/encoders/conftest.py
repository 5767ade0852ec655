"""A small timm ViT, and the weights of another draw of it."""

from typing import Any

import pytest
import timm
import torch
from torch import Tensor


@pytest.fixture
def model() -> Any:
    torch.manual_seed(1)
    return timm.create_model("test_vit", num_classes=0)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return timm.create_model("test_vit", num_classes=0).state_dict()
