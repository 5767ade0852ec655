from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.errors import OmnibenchError
from omnibench.execute import execute_unit
from omnibench.store import RecordStore
from tests.interactive.conftest import SIDE, Make, disc

INTERACTIVE = tasks.get("interactive")
BUILDERS = "tests.interactive.promptable"


def card(builder: str, **arguments: Any) -> BackboneCard:
    return BackboneCard(id="p", source=f"{BUILDERS}:{builder}", arguments=arguments)


def outcome(make: Make, backbone: BackboneCard, **given: Any) -> Any:
    unit, context = make(adaptation="prompt", backbone=backbone, **given)
    (outcome,) = INTERACTIVE.run(unit, context)
    return outcome


def test_an_object_that_predicts_is_clicked_at_until_its_mask_is_right(make: Make) -> None:
    masks = np.stack([disc(16, 16, 8), disc(0, 0, 5), disc(20, 9, 3)]).astype(np.uint8)
    result = outcome(make, card("Oracle"), masks=masks, clicks=21)
    iou, clicks = result.predictions["test_iou"], result.predictions["test_clicks"]
    assert (iou[:, 0] < 1).all()
    assert (iou[:, 1:] == 1).all()  # and no click is made that nothing calls for
    assert (clicks[:, 2:, 2] == 0).all()
    assert result.metrics["interactive/noc-90"] == 2
    assert result.metrics["interactive/nsd-20"] == 1
    assert result.cost["seconds_per_click"] > 0
    assert result.cost["trainable_parameters"] == 0


def test_a_module_with_weights_leaves_their_digest(make: Make) -> None:
    result = outcome(make, card("Learnt"), clicks=2)
    assert result.digests["backbone"].startswith("sha256:")
    assert result.cost["total_parameters"] == 1


def test_with_a_box_the_first_call_has_no_click(make: Make) -> None:
    result = outcome(make, card("Oracle"), clicks=2, start="box")
    assert (result.predictions["test_start"] == 0).all()
    assert (result.predictions["test_clicks"][:, 0, 2] == 1).all()


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (
            "size",
            r"p: its predict gave bool of shape \(8, 8\) for an image of 32 x 32 pixels; give",
        ),
        ("nan", r"p: its predict gave NaN in a mask; give bool"),
        ("probabilities", r"gave other numbers than 0 and 1 in a mask; .* probabilities > 0.5"),
        ("constant", r"p: each of its masks is all object or all background, whatever"),
        ("nothing", r"p: its predict gave object of shape \(\) for an image"),
        ("words", r"p: its predict gave <U1 of shape \(32, 32\) for an image"),
        ("raises", r"p: its predict failed with ValueError: no answer at all; correct it"),
    ],
)
def test_what_is_no_mask_of_the_image_is_one_sentence(make: Make, how: str, sentence: str) -> None:
    with pytest.raises(OmnibenchError, match=sentence) as error:
        outcome(make, card("Wrong", how=how), clicks=2)
    assert "\n" not in str(error.value)


def test_a_model_that_fails_leaves_a_failed_cell(make: Make) -> None:
    unit, context = make(adaptation="prompt", backbone=card("Wrong", how="size"), clicks=2)
    execute_unit(unit, context)
    record = RecordStore(context.results).read(unit.cells[0])
    assert record is not None
    assert record["status"] == "failed"
    assert record["error"]["kind"] == "extension"


def test_a_constant_mask_is_an_answer_where_objects_fill_their_images(make: Make) -> None:
    masks = np.ones((3, SIDE, SIDE), np.uint8)
    masks[:2, 0, 0] = 0  # a dataset needs a background; the third image has none
    result = outcome(make, card("Wrong", how="constant"), masks=masks, clicks=2)
    assert result.predictions["test_iou"][2].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("random:test_vit", r"`prompt` clicks at a promptable model; give a folder of SAM"),
        (
            "file:CONFIG",
            r"tells of the model type dinov2, and `prompt` knows sam, sam2, sam2_video",
        ),
        ("file:EMPTY", r"no config.json that can be read lies in"),
    ],
)
def test_a_backbone_that_takes_no_clicks_is_refused_by_plan_and_run(
    make: Make, tmp_path: Path, source: str, sentence: str
) -> None:
    (tmp_path / "CONFIG").mkdir()
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "CONFIG" / "config.json").write_text('{"model_type": "dinov2"}')
    source = source.replace("file:", f"file:{tmp_path}/")
    unit, context = make(adaptation="prompt", backbone=BackboneCard(id="p", source=source))
    (reason,) = INTERACTIVE.refusals(unit, {})
    assert reason.startswith("backbone p: ")
    with pytest.raises(OmnibenchError, match=sentence):
        list(INTERACTIVE.run(unit, context))


def test_a_builder_of_what_has_no_predict_is_refused(make: Make) -> None:
    with pytest.raises(OmnibenchError, match=r"built a object without a method predict\(image, cl"):
        outcome(make, card("nothing_to_click_at"))
