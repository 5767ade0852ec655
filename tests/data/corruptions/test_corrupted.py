"""What holds of every corruption of every set."""

import numpy as np
import pytest

from omnibench.data.corruptions import SEVERITIES, corrupted, corruption_named, view_names
from omnibench.errors import RequestError
from tests.data.corruptions.pictures import images

NAMES = view_names()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_images_keep_their_shape_and_are_changed_at_every_severity(
    name: str, channels: int
) -> None:
    before = images(channels=channels)
    clean = before.copy()
    for severity in SEVERITIES:
        after = corrupted(before, name, severity, np.arange(3))
        assert after.dtype == np.uint8
        assert after.shape == before.shape
        assert (after != before).any()
    assert (before == clean).all()


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_corrupted_alike_alone_and_in_any_company(name: str) -> None:
    batch, seeds = images(), np.array([5, 2**62, 7])
    together = corrupted(batch, name, 3, seeds)
    order = np.array([2, 0, 1])
    assert (corrupted(batch[order], name, 3, seeds[order]) == together[order]).all()
    assert (corrupted(batch[1:2], name, 3, seeds[1:2]) == together[1:2]).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_severity_lies_further_from_the_clean_image(name: str) -> None:
    clean = images(8, side=112)
    errors = [
        ((corrupted(clean, name, severity, np.arange(8)) - clean.astype(float)) ** 2).mean()
        for severity in SEVERITIES
    ]
    assert errors == sorted(errors)
    assert errors[0] < errors[-1]


@pytest.mark.parametrize("severity", [0, 6, -1])
def test_a_severity_beyond_five_is_refused(severity: int) -> None:
    with pytest.raises(RequestError, match=f"no severity {severity}; give one from 1 to 5"):
        corrupted(images(), "gaussian-noise", severity, np.arange(3))


def test_an_unknown_corruption_is_refused_with_near_matches() -> None:
    with pytest.raises(RequestError, match="did you mean gaussian-noise"):
        corruption_named("gausian-noise")
    with pytest.raises(RequestError, match=r"no corruption 'ct\.gaussian-noise'"):
        corruption_named("ct.gaussian-noise")
