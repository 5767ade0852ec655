"""What a recipe's precision means for a model whose parameters stay in fp32."""

import torch

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: str, device: str) -> torch.autocast:
    """The autocast context of a precision on a device; for fp32 one that changes nothing."""
    dtype = DTYPES.get(precision)
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=dtype or torch.bfloat16, enabled=dtype is not None)
