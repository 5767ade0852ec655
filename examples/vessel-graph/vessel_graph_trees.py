"""The trees that `vessel-graph` traces too richly, in heat read out of a backbone's maps."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, convolve, distance_transform_edt, label
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from skimage.morphology import skeletonize
from torch import Tensor
from torch.nn import functional

import omnibench
from omnibench import Context, Dataset, Unit

SIGMA = 2.0  # pixels, of the heat around lines and of the ridges in it
TOLERANCE = 2.0  # pixels
REACHED = 0.95  # of the pixels of training lines lie in the masks that are traced
SQUARE = np.ones((3, 3), int)  # pixels touch through corners, too
Array = NDArray[Any]
Forest = tuple[dict[str, list["Tree"]], Dataset, dict[str, str]]


class Tree(NamedTuple):
    """A traced tree of B branches."""

    branches: Array  # int [H, W], b + 1 on branch b, 0 elsewhere and where three or more meet
    adjacency: Array  # bool [B, B], which branches meet, and each with itself
    truth: Array  # bool [H, W], the true lines
    present: Array  # bool [B], whether most of a branch's pixels are near them
    features: Tensor  # float32 [B, F], its mean maps, mean heat, and logarithm of its length


def trace(mask: Array) -> tuple[Array, Array]:
    """Return branches and adjacency of a mask's skeleton (Zhang & Suen 1984)."""
    thin = skeletonize(mask)
    meeting = thin & (convolve(thin.astype(int), SQUARE, mode="constant") > 3)
    branches, count = label(thin & ~meeting, SQUARE)
    places, number = label(meeting, SQUARE)
    adjacency = np.eye(count, dtype=bool)
    for place in range(1, number + 1):
        near = np.setdiff1d(branches[binary_dilation(places == place, SQUARE)], 0) - 1
        adjacency[np.ix_(near, near)] = True
    return branches, adjacency


def distance_to(lines: Array) -> Array:
    """Return each pixel's distance to the nearest line: infinite where there is none."""
    distance: Array = distance_transform_edt(~lines)
    return distance if lines.any() else np.full(lines.shape, np.inf)


def ridges(heat: Array) -> Array:
    """Return how sharply heat [H, W] falls off to both sides: minus its lowest curvature."""
    hessian = hessian_matrix(heat, sigma=SIGMA, use_gaussian_derivatives=False)
    sharpness: Array = -hessian_matrix_eigvals(hessian)[1]
    return sharpness


def grown(values: Array, level: float, truth: Array) -> Tree:
    """Return the tree of values [F, H, W], where ridges of the last are above a level."""
    branches, adjacency = trace(ridges(values[-1]) > level)
    on, near = branches > 0, distance_to(truth) <= TOLERANCE
    owner = np.eye(len(adjacency), dtype=np.float32)[branches[on] - 1]  # [pixels, B]
    means = np.concatenate([values, near[None]])[:, on] @ owner / owner.sum(axis=0)
    features = np.concatenate([means[:-1], np.log(owner.sum(axis=0))[None]]).T
    return Tree(branches, adjacency, truth, means[-1] > 0.5, torch.from_numpy(features).float())


def resized(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return maps [D, h, w] at another size."""
    return functional.interpolate(maps[None], size, mode="bilinear", align_corners=False)[0]


def trees_of(unit: Unit, context: Context) -> Forest:
    """Trace a tree in every image; return those of each split, the data and what was loaded.

    Heat is a least-squares read-out, fitted to the training images. What is traced are its ridges,
    above a level so low that nearly all pixels of true lines are.
    """
    data = omnibench.unit_dataset(unit, context)
    maps = omnibench.unit_maps(unit, data.splits, context)
    truth: dict[str, list[Array]] = {}
    for name, split in data.splits.items():
        masks = data.target(name, "masks", omnibench.Masks).images.read(0, len(split))
        if (most := masks.max()) != 1:
            raise omnibench.errors.DataError(f"masks of {name} reach {most}; write 1 on vessels")
        truth[name] = [skeletonize(mask == 1) for mask in masks]
    size = truth["train"][0].shape

    def columns(split: str, image: int) -> Tensor:
        """Return an image's maps, and a one: float32 [F + 1, h, w], at the size of the finest."""
        levels = [level[0].float() for level in maps.read(split, np.array([image]))]
        bias = torch.ones_like(levels[0][:1])
        return torch.cat([*(resized(level, bias.shape[1:]) for level in levels), bias])

    gram = moment = torch.zeros((), dtype=torch.float64)
    for image, lines in enumerate(truth["train"]):
        x = columns("train", image)
        y = torch.from_numpy(np.exp(-(distance_to(lines) ** 2) / (2 * SIGMA**2)))[None].float()
        y = functional.adaptive_avg_pool2d(y, (x.shape[1], x.shape[2])).flatten()
        x = x.flatten(1)
        gram, moment = gram + (x @ x.T).double(), moment + (x @ y).double()
    weights = torch.linalg.lstsq(gram, moment[:, None], driver="gelsd").solution[:, 0].float()

    def heated(split: str, image: int) -> Array:
        """Return an image's maps at its own size, and last its heat: float32 [F + 1, H, W]."""
        x = columns(split, image)
        heat = torch.einsum("f,fhw->hw", weights, x)[None]
        return resized(torch.cat([x[:-1], heat]), size).numpy()

    reached = [ridges(heated("train", i)[-1])[lines] for i, lines in enumerate(truth["train"])]
    level = np.quantile(np.concatenate(reached), 1 - REACHED)
    trees = {n: [grown(heated(n, i), level, own) for i, own in enumerate(truth[n])] for n in truth}
    return trees, data, {**data.digests, **maps.made.digests()}
