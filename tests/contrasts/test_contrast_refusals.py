"""What `plan` says of a unit that cannot be run."""

from typing import Any

import pytest

from omnibench.catalogue import backbones, datasets
from omnibench.cell import Unit
from omnibench.tasks.contrasts import ContrastsTask
from omnibench.tasks.contrasts.recipes import SMALL

ADAPTATION = ContrastsTask.own["contrast-tokens"]


def refused(
    dataset: str = "mni152-contrasts", backbone: str = "random-vit-nano", **changes: Any
) -> list[str]:
    recipe: dict[str, Any] = {
        name: changes.pop(name) for name in list(changes) if name in ("epochs", "input_size")
    }
    views = changes.pop("views", None)
    card = datasets.get(dataset)
    unit = Unit(
        task="contrasts",
        dataset=card if views is None else card.model_copy(update={"views": views}),
        backbone=backbones.get(backbone),
        adaptation="contrast-tokens",
        short="contrast-tokens",
        options=ADAPTATION.resolve_options(changes, "here"),
        recipe={**SMALL.model_dump(mode="json"), **recipe},
        suite_seed=0,
        sources={"dataset": "x", "backbone": "y"},
        repetitions=(0,),
    )
    return list(ContrastsTask().refusals(unit, {}))


def test_what_can_be_run_is_not_refused() -> None:
    assert refused() == []
    assert refused(trained="T1w, PD+T2w", then="FLAIR", subsets="leave-one-out") == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"trained": "T1w+T3w"},
            "options.trained: no study has the contrast 'T3w'; it is one of FLAIR, PD, T1w, T2w; "
            "did you mean T2w, T1w?",
        ),
        ({"then": "SWI"}, "options.then: no study has the contrast 'SWI'"),
        ({"subsets": "PD, dwi"}, "options.subsets: no study has the contrast 'dwi'"),
        ({"then": "PD", "epochs": 1}, "give the recipe at least 2"),
        ({"dataset": "mni152"}, "its studies have one contrast"),
        ({"backbone": "random-efficientnet-lite0"}, "no plain vision transformer"),
        ({"input_size": 168}, "recipe.input_size 168 is not a multiple of 32"),
        ({"views": tuple("ABCDEF")}, "all sets of 6 contrasts are 63, more than 31"),
    ],
    ids=["trained", "then", "subsets", "epochs", "one-contrast", "cnn", "size", "many"],
)
def test_what_cannot_is_refused_in_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    (reason,) = refused(**changes)
    assert sentence in reason
