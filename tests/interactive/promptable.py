"""Promptable models of tests: tiny ones of transformers, and objects with a method `predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

SIDE = 32


def tiny_sam() -> Any:
    """Return a SamModel with random weights that sees 32 x 32 pixels."""
    from transformers import (
        SamConfig,
        SamMaskDecoderConfig,
        SamModel,
        SamPromptEncoderConfig,
        SamVisionConfig,
    )

    vision = SamVisionConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=8,
        output_channels=16,
        num_pos_feats=8,
        window_size=2,
        global_attn_indexes=[0],
        mlp_ratio=1.0,
    )
    prompt = SamPromptEncoderConfig(
        hidden_size=16, image_size=SIDE, patch_size=8, mask_input_channels=4
    )
    decoder = SamMaskDecoderConfig(
        hidden_size=16, mlp_dim=16, num_attention_heads=2, iou_head_hidden_dim=16
    )
    config = SamConfig(
        vision_config=vision.to_dict(),
        prompt_encoder_config=prompt.to_dict(),
        mask_decoder_config=decoder.to_dict(),
    )
    torch.manual_seed(0)
    return SamModel(config).eval()


def tiny_sam2() -> Any:
    """Return a Sam2Model with random weights that sees 64 x 64 pixels."""
    from transformers import (
        Sam2Config,
        Sam2HieraDetConfig,
        Sam2MaskDecoderConfig,
        Sam2Model,
        Sam2PromptEncoderConfig,
        Sam2VisionConfig,
    )

    hiera = Sam2HieraDetConfig(
        hidden_size=8,
        num_attention_heads=1,
        image_size=[64, 64],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[4, 4, 4, 2],
        global_attention_blocks=[3],
        window_positional_embedding_background_size=[2, 2],
    )
    vision = Sam2VisionConfig(
        backbone_config=hiera.to_dict(),
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=16,
    )
    prompt = Sam2PromptEncoderConfig(
        hidden_size=16, image_size=64, patch_size=16, mask_input_channels=4
    )
    decoder = Sam2MaskDecoderConfig(
        hidden_size=16, mlp_dim=16, num_attention_heads=2, iou_head_hidden_dim=16
    )
    config = Sam2Config(
        vision_config=vision.to_dict(),
        prompt_encoder_config=prompt.to_dict(),
        mask_decoder_config=decoder.to_dict(),
    )
    torch.manual_seed(0)
    return Sam2Model(config).eval()


TINY = {"sam": tiny_sam, "sam2": tiny_sam2}


def saved(kind: str, folder: Path) -> Any:
    """Save a tiny model as transformers does, and return it."""
    model = TINY[kind]()
    model.save_pretrained(folder)
    return model


class Oracle:
    """Answers with the brightest pixels, which are those of the object, from the second click on.

    Before that it answers with what was clicked alone.
    """

    def predict(
        self, image: NDArray[np.uint8], clicks: Sequence[Any], previous: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        if len(clicks) < 2:
            mask = np.zeros_like(previous)
            for row, column, sign in clicks:
                mask[row, column] = sign > 0
            return mask
        bright: NDArray[np.bool_] = image[..., 0] > 75
        return bright


class Wrong:
    """Answers with what is no mask of the image."""

    def __init__(self, how: str) -> None:
        self.how = how

    def predict(
        self, image: NDArray[np.uint8], clicks: Sequence[Any], previous: NDArray[np.bool_]
    ) -> Any:
        if self.how == "raises":
            raise ValueError("no answer\nat all")
        return {
            "size": np.zeros((8, 8), np.bool_),
            "nan": np.full(previous.shape, np.nan),
            "probabilities": np.full(previous.shape, 0.7),
            "constant": np.ones_like(previous),
            "nothing": None,
            "words": np.full(previous.shape, "a"),
        }[self.how]


class Learnt(nn.Module):
    """A module with weights, which answers with a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(75.0))

    def predict(self, image: Any, clicks: Any, previous: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(Image.fromarray(image).convert("L"))) > self.threshold


def nothing_to_click_at() -> object:
    return object()
