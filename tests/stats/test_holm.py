import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from omnibench.stats.correction import holm


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_is_statsmodels(p):
    assert np.allclose(holm(np.array(p)), multipletests(p, method="holm")[1])


def test_refused_comparisons_do_not_count():
    adjusted = holm(np.array([np.nan, 0.01, np.nan, 0.04]))
    assert adjusted[[1, 3]] == pytest.approx([0.02, 0.04])
    assert np.isnan(adjusted[[0, 2]]).all()


def test_empty_and_all_refused():
    assert holm(np.array([])).shape == (0,)
    assert np.isnan(holm(np.array([np.nan]))).all()
