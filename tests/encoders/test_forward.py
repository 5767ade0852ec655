import numpy as np
import pytest
import torch

from omnibench.data import ArrayImages
from omnibench.encoders.forward import counted_flops, forward_rows

IMAGES = ArrayImages(np.arange(11 * 4, dtype=np.uint8).reshape(11, 2, 2))


def sums(block: torch.Tensor) -> torch.Tensor:
    return block.float().sum(dim=(1, 2))[:, None]


EXPECTED = IMAGES.array.sum(axis=(1, 2), dtype=np.float32)[:, None]


def test_every_micro_batch_is_full_and_padding_is_cut_off() -> None:
    sizes = []

    def apply(block: torch.Tensor) -> torch.Tensor:
        sizes.append(len(block))
        return sums(block)

    assert np.array_equal(forward_rows(IMAGES, 0, 11, 4, apply), EXPECTED)
    assert sizes == [4, 4, 4]
    assert np.array_equal(forward_rows(IMAGES, 5, 9, 4, apply), EXPECTED[5:9])


def test_out_of_memory_halves_the_micro_batch_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def apply(block: torch.Tensor) -> torch.Tensor:
        if len(block) > 2:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 GB")
        return sums(block)

    assert np.array_equal(forward_rows(IMAGES, 0, 11, 8, apply), EXPECTED)
    assert "goes on in batches of 2" in caplog.text


def test_another_error_is_not_taken_for_it() -> None:
    def apply(block: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        forward_rows(IMAGES, 0, 11, 8, apply)


def test_the_fused_attention_of_a_cpu_is_counted() -> None:
    query = torch.randn(1, 2, 16, 8)
    with counted_flops() as counter, torch.no_grad():
        torch.nn.functional.scaled_dot_product_attention(query, query, query)
    # Two products of 16 x 16 x 8 for each of two heads, two operations each.
    assert counter.get_total_flops() == 2 * 2 * (2 * 16 * 16 * 8)
