"""How sets of contrasts are written, and which are tested."""

import math

import pytest

from omnibench.errors import RequestError
from omnibench.tasks.contrasts import ContrastsTask
from omnibench.tasks.contrasts.sets import listed, normalised, subsets_of

ADAPTATION = ContrastsTask.own["contrast-tokens"]


def test_the_order_of_contrasts_and_sets_makes_no_other_list() -> None:
    for text in ("T2w+T1w,PD", "PD, T1w+T2w", " T1w + T2w , PD "):
        assert normalised(text) == "PD, T1w+T2w"
    assert listed("PD, T1w+T2w") == (("PD",), ("T1w", "T2w"))
    assert listed(normalised("")) == ()
    options = {"trained": ["T2w+T1w", "PD"], "subsets": ["PD"]}
    resolved = ADAPTATION.resolve_options(options, "matrix[0]")
    assert (resolved["trained"], resolved["subsets"]) == ("PD, T1w+T2w", "PD")


def test_all_sets_are_those_that_are_not_empty() -> None:
    for count in (2, 3, 4):
        contrasts = tuple("ABCD"[:count])
        every = subsets_of("all", contrasts)
        assert len(set(every)) == len(every) == 2**count - 1
        left_out = subsets_of("leave-one-out", contrasts)
        assert len(left_out) == math.comb(count, count - 1)
        assert {frozenset(contrasts) - set(own) for own in left_out} == {
            frozenset(name) for name in contrasts
        }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"trained": "T1w+T1w"}, "the set 'T1w+T1w' names T1w twice; name it once"),
        ({"then": "T1w+T2w, T2w+T1w"}, "the set T1w+T2w is listed twice"),
        ({"trained": "T1w+, PD"}, "has a set without a contrast's name"),
        ({"subsets": " "}, "no set is tested"),
        ({"subsets": "PD, PD"}, "the set PD is listed twice"),
        ({"tokenizer": "convolution"}, "'per-contrast', 'shared', 'dynamic' or 'zero-filled'"),
        ({"tokenisers": "shared"}, "tokenizer"),
    ],
    ids=["contrast-twice", "set-twice", "no-name", "empty", "tested-twice", "tokenizer", "unknown"],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        ADAPTATION.resolve_options(options, "matrix[0]")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
