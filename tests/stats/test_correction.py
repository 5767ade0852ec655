import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from omnibench.stats.correction import CORRECTIONS


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_both_are_statsmodels(p: list[float]) -> None:
    for name, theirs in (("holm", "holm"), ("benjamini-hochberg", "fdr_bh")):
        expected = multipletests(p, method=theirs)[1]
        assert CORRECTIONS[name](np.array(p)) == pytest.approx(expected)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_refused_comparisons_do_not_count(name: str) -> None:
    correct = CORRECTIONS[name]
    adjusted = correct(np.array([np.nan, 0.01, np.nan, 0.04]))
    assert adjusted[[1, 3]] == pytest.approx([0.02, 0.04])
    assert np.isnan(adjusted[[0, 2]]).all()
    assert correct(np.array([])).shape == (0,)
    assert np.isnan(correct(np.array([np.nan]))).all()
