"""The dataset `my-dataset`: no patient is in two splits, and a suite on it runs to its end."""

from pathlib import Path

import omnibench

HERE = Path(__file__).parent


def test_splits_are_as_the_card_says_and_share_no_patient() -> None:
    from my_dataset import COUNTS, read_split

    splits = {name: read_split(name) for name in COUNTS}
    patients = [set(split.groups) for split in splits.values() if split.groups is not None]
    assert {name: len(split) for name, split in splits.items()} == COUNTS
    assert len(set().union(*patients)) == sum(map(len, patients))


def test_every_cell_is_done(tmp_path: Path) -> None:
    cells = omnibench.run(
        HERE / "my_dataset.yaml",
        backbones="random-vit-nano",
        adaptations="linear",
        repetitions=[0],
        results=tmp_path,
    )
    assert list(cells["state"]) == ["done"], list(cells["error"])
