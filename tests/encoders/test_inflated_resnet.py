"""The inflated ResNet against torchvision's of its kernels' sums, and against plain loops."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import resnet152
from torchvision.models.resnet import Bottleneck, ResNet

from omnibench.cards import BackboneCard
from omnibench.encoders.inflated_resnet import InflatedResNet
from omnibench.encoders.module_encoder import ModuleEncoder
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError

DEPTH_SEEN = 18  # slices on either side that a last position of one bottleneck a stage sees


@pytest.fixture
def network() -> InflatedResNet:
    """One bottleneck a stage, with statistics of its own in each batch norm."""
    torch.manual_seed(0)
    network = InflatedResNet((1, 1, 1, 1)).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean):
                tensor.uniform_(0.5, 1.0)  # type: ignore[union-attr]
    return network


def test_inside_a_volume_of_equal_slices_it_is_torchvisions_with_kernels_summed_over_depth(
    network: InflatedResNet,
) -> None:
    flat = ResNet(Bottleneck, [1, 1, 1, 1]).eval()
    flat.fc = nn.Identity()
    state = {n: t.sum(2) if t.ndim == 5 else t for n, t in network.state_dict().items()}
    flat.load_state_dict(state)
    image = torch.rand(1, 3, 40, 40)
    depth = 64
    with torch.inference_mode():
        maps = network._maps(image[:, :, None].expand(-1, -1, depth, -1, -1))
        expected = flat(image)
    assert maps.shape == (1, 2048, depth // 16, 2, 2)
    inside = [z for z in range(4) if DEPTH_SEEN <= 16 * z < depth - DEPTH_SEEN]
    assert inside == [2]
    assert torch.allclose(maps[:, :, 2].mean(dim=(2, 3)), expected, rtol=1e-4, atol=1e-5)


def test_a_first_map_is_what_plain_loops_make_of_the_voxels(network: InflatedResNet) -> None:
    volume = torch.rand(3, 4, 9, 9, dtype=torch.float64)
    kernel = network.conv1.weight.detach().double()
    with torch.inference_mode():
        maps = network.conv1.double()(volume[None])[0]
    assert maps.shape == (64, 4, 5, 5)
    for z, y, x in itertools.product((0, 1, 3), (0, 2, 4), (0, 3)):
        total = torch.zeros(64, dtype=torch.float64)
        for dz, dy, dx in itertools.product(range(3), range(7), range(7)):
            at = z + dz - 1, 2 * y + dy - 3, 2 * x + dx - 3
            if all(0 <= place < side for place, side in zip(at, (4, 9, 9), strict=True)):
                total += kernel[:, :, dz, dy, dx] @ volume[:, at[0], at[1], at[2]]
        assert torch.allclose(maps[:, z, y, x], total)


def test_its_tensors_are_torchvisions_with_a_depth() -> None:
    with torch.device("meta"):
        own, flat = InflatedResNet((3, 8, 36, 3)).state_dict(), resnet152().state_dict()
    assert len(own) == 930
    assert list(own) == [name for name in flat if not name.startswith("fc.")]
    for name, tensor in own.items():
        shape = tuple(flat[name].shape)
        depth = (min(shape[2], 3),) if len(shape) == 4 else ()
        assert tensor.shape == (*shape[:2], *depth, *shape[2:])


def test_volumes_are_resized_slice_by_slice_and_a_volume_of_one_is_its_image(
    network: InflatedResNet,
) -> None:
    encoder = encoder_of(network)
    volumes = torch.randint(0, 256, (2, 5, 30, 24), dtype=torch.uint8)
    with torch.inference_mode():
        embedded = encoder.embed_volumes(volumes)
        slices = torch.stack([encoder.preprocess(volume) for volume in volumes])
        expected = network._maps(slices.transpose(1, 2)).mean(dim=(2, 3, 4))
        assert torch.allclose(embedded, expected, rtol=1e-5)
        alone, image = encoder.embed_volumes(volumes[:, :1]), encoder.embed(volumes[:, 0])
        assert torch.allclose(alone, image, rtol=1e-5)
        colour = volumes[..., None].expand(-1, -1, -1, -1, 3)
        assert torch.allclose(encoder.embed_volumes(colour), embedded, rtol=1e-4, atol=1e-5)


def test_a_module_without_forward_volumes_is_told_so() -> None:
    with pytest.raises(RequestError, match="it has no method forward_volumes"):
        encoder_of(nn.Flatten()).embed_volumes(torch.zeros(1, 2, 8, 8, dtype=torch.uint8))


def encoder_of(module: Any) -> ModuleEncoder:
    prepare = Preprocess(32, (0.5,) * 3, (0.25,) * 3, torch.device("cpu"), torch.float32)
    return ModuleEncoder(module, prepare, BackboneCard(id="mine", source="a:b", pool="mean"))
