"""Captions say what the case is, in more than one wording."""

from omnibench.data.phantom import KINDS
from omnibench.data.phantom.captions import PLACES, SIZES, caption, diameter, place
from omnibench.data.phantom.cases import case
from omnibench.data.phantom.views import VIEWS

CASES = [case("captions", index) for index in range(300)]


def test_every_view_has_names_for_its_places() -> None:
    views = [view for views in VIEWS.values() for view in views]
    assert {(view.modality, view.organ) for view in views} == set(PLACES)


def test_captions_name_the_facts() -> None:
    for shown in CASES:
        text = caption(shown)
        for word in (shown.view.modality, shown.view.organ, shown.view.plane, shown.technique):
            assert word.lower() in text.lower()
        kinds = [kind for kind in KINDS[1:] if kind.replace("-", " ") in text]
        if shown.label == 0:
            assert not kinds and "lesion" in text
        else:
            assert kinds == [KINDS[shown.label]]
            assert f"{diameter(shown)} mm" in text
            assert place(shown).lower() in text.lower()
            assert sum(size in text for size in SIZES) == 1


def test_sides_follow_the_image() -> None:
    """The patient's right lung is on the image's left."""
    for shown in CASES:
        if shown.view.organ == "lung" and abs(shown.site.x) > 0.15:
            assert ("right" if shown.site.x < 0 else "left") in place(shown)


def test_wordings_vary_and_are_fixed() -> None:
    texts = [caption(shown) for shown in CASES]
    assert texts == [caption(case("captions", index)) for index in range(300)]
    assert len({text.split()[0] for text in texts}) > 5
    assert len(set(texts)) > 250
