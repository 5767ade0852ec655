"""A few mutated inputs of each kind; `python -m tests.security.fuzz` gives more."""

from pathlib import Path
from typing import Any

import pytest

from tests.security.fuzz import attack
from tests.security.inputs import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_inputs_are_accepted_or_refused_in_one_sentence(kind: Any, tmp_path: Path) -> None:
    tally = attack(kind, 20, seed=0, place=tmp_path)
    assert [f"{kind} {case}: {what}\n{detail}" for case, what, detail in tally.findings] == []
    assert tally.counts["accepted"] + tally.counts["refused"] == 20
    # A damaged record is named and its cell counts as missing: nothing is refused for it.
    assert tally.counts["refused"] > 0 or kind == "records"
