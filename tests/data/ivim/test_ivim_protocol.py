"""How signals are measured: each wrong protocol is refused by a sentence."""

import math
from typing import Any

import pytest

from omnibench.data.ivim.protocol import Protocol
from omnibench.errors import RequestError


def test_values_become_numbers_and_sigma_is_one_over_the_snr() -> None:
    protocol = Protocol([0, 10, 200, 800, 800], 20)  # type: ignore[arg-type]
    assert protocol == Protocol((0.0, 10.0, 200.0, 800.0, 800.0), 20.0)
    assert protocol.sigma == 0.05


@pytest.mark.parametrize(
    ("b_values", "snr", "sentence"),
    [
        ((10, 50, 400, 800), 30, "no b-value of 0, by which S0 is known; add 0"),
        (
            (0, 50, 400),
            30,
            r"has 3 different b-values where a voxel has 4 parameters \(s0, f, ",
        ),
        ((0, 50, 400, 400), 30, "3 different b-values"),
        ((), 30, "no b-value of 0"),
        ((0, -50, 400, 800), 30, "the b-value -50; b-values are 0 or more"),
        ((0, math.nan, 400, 800), 30, "a b-value of a protocol of IVIM is nan; give a finite"),
        ((0, "50", 400, 800), 30, "is '50'; give a finite number"),
        ("0 50 400 800", 30, "are '0 50 400 800'; give several numbers"),
        (800, 30, "are 800; give several numbers"),
        ((0, 50, 400, 800), 0, "an SNR of 0; give one above 0"),
        ((0, 50, 400, 800), -3, "an SNR of -3; give one above 0"),
        ((0, 50, 400, 800), math.inf, "the SNR of a protocol of IVIM is inf; give a finite"),
        ((0, 50, 400, 800), None, "the SNR of a protocol of IVIM is None"),
    ],
)
def test_wrong_protocols_are_refused_by_a_sentence(b_values: Any, snr: Any, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        Protocol(b_values, snr)
