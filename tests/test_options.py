from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from omnibench.options import (
    DatasetReference,
    LocalPath,
    WatchedBy,
    differing,
    located,
    places,
    portable,
    short,
)


class Colliding(BaseModel):
    rank: int | str = 4
    rate: int | str = 4


class Several(BaseModel):
    r: int
    alpha: float | int = 16
    head: str = "full"
    path: LocalPath | None = None
    teacher: DatasetReference | None = None
    knn: WatchedBy = None


def form(model: Any, **options: Any) -> Any:
    return short("x", model, model(**options).model_dump(mode="json"))


def test_options_of_one_initial_have_different_forms() -> None:
    assert form(Colliding, rank=8) == "x-r8"
    assert form(Colliding, rate=8) == "x-rate=8"
    assert form(Colliding, rank=8, rate=8) == "x-r8-rate=8"
    assert form(Colliding, rank="a+b") == "x-ra+b"  # as of LoRA's sites


def test_different_settings_never_have_one_form() -> None:
    values = [4, 8, -1, "8", "a8", "ate=8", "8-rate=8", "r8", "a b", "a/b", "A_b", "é", "x" * 99]
    settings = list(product(values, repeat=2))
    forms = {form(Colliding, rank=rank, rate=rate): (rank, rate) for rank, rate in settings}
    # 8 and "8" are one setting to a path; nothing else may be.
    assert len(forms) == len({(str(a), str(b)) for a, b in settings})


def test_a_choice_is_written_as_it_is_called() -> None:
    class Choosing(BaseModel):
        tokenizer: Literal["shared", "zero-filled"] = "shared"
        how: Literal["a-b", "a_b", "c"] = "c"

    assert form(Choosing, tokenizer="zero-filled") == "x-tzero_filled"
    assert form(Choosing, how="a_b") == "x-ha_b"
    assert form(Choosing, how="a-b").startswith("x-ha_b~")


def test_a_form_is_one_plain_part_of_a_path() -> None:
    for text in ("../../etc", "a/b", "a\\b", ".", "..", "", "a\nb", "\x1b[31m", "é" * 300):
        made = form(Several, r=1, head=text)
        assert len(made) < 80
        assert not set("/\\\n\x1b") & set(made)
        assert made.startswith("x-r1-h")


def test_an_option_that_joins_later_changes_no_form() -> None:
    class Before(BaseModel):
        rank: int = 4

    assert form(Before, rank=8) == form(Colliding, rank=8)


def test_a_path_and_a_dataset_are_told_by_their_type_not_by_their_name() -> None:
    assert {name: kind.holds for name, kind in places(Several).items()} == {
        "path": "path",
        "teacher": "dataset",
        "knn": "dataset",
    }
    assert form(Several, r=8, path="/data/my-bart", teacher="npz:/a/b.npz", knn="phantom") == (
        "x-r8-my-bart-npz_b.npz~" + form(Several, r=8, teacher="npz:/c/b.npz")[-6:]
    )


def test_paths_are_taken_from_the_suites_folder_and_lose_it_in_the_identity(tmp_path: Path) -> None:
    given = Several(r=8, path="bart", teacher="npz:b.npz", knn="phantom").model_dump()
    whole = located(Several, given, tmp_path)
    assert whole["path"] == f"{tmp_path}/bart"
    assert whole["teacher"] == f"npz:{tmp_path}/b.npz"
    assert whole["knn"] == "phantom"
    assert differing(Several, whole) == {
        "r": 8,
        "path": "bart",
        "teacher": "npz:b.npz",
        "knn": "phantom",
    }
    assert portable(None, "/not/a/place") == "/not/a/place"


@pytest.mark.parametrize(
    ("options", "changed"),
    [({"r": 8}, {"r": 8}), ({"r": 8, "alpha": 16.0}, {"r": 8}), ({"r": 8, "alpha": 2}, None)],
)
def test_what_is_at_its_default_decides_nothing(
    options: dict[str, Any], changed: dict[str, int] | None
) -> None:
    whole = Several(**options).model_dump(mode="json")
    assert differing(Several, whole) == (changed or {"r": 8, "alpha": 2})
