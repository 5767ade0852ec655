import pytest
from pydantic import ValidationError

from omnibench.cards import BackboneCard


@pytest.mark.parametrize("draw", ["two", "", "-1", "1.5", "1@2", "007", "\u0663", "1" * 30])
def test_a_draw_is_a_number_that_is_written_in_one_way(draw: str) -> None:
    with pytest.raises(ValidationError, match="is no number of a draw; write random:resnet18@0"):
        BackboneCard(id="x", source=f"random:resnet18@{draw}")
    assert BackboneCard(id="x", source="random:resnet18@7").source_name == "resnet18@7"


def test_a_draw_of_its_own_is_for_a_builder_alone() -> None:
    card = BackboneCard(id="x", source="nets:build", draw=3)
    assert card.has_random_weights
    assert not BackboneCard(id="x", source="nets:build").has_random_weights
    assert BackboneCard(id="x", source="random:resnet18").has_random_weights
    with pytest.raises(ValidationError, match="not for a random: source; write random:resnet18@3"):
        BackboneCard(id="x", source="random:resnet18@1", draw=3)
    with pytest.raises(ValidationError, match="draw is for a module:attribute builder, not for a"):
        BackboneCard(id="x", source="timm:resnet18", draw=3)
