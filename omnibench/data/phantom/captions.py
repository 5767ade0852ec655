"""A caption grammar: says what a case shows as the first line of a report would."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnibench.data.phantom import KINDS
from omnibench.data.phantom.cases import Case, stream


@dataclass(frozen=True)
class Places:
    """How the parts of an organ are called in one kind of view.

    Attributes:
        whole: the organ as a whole.
        phrase: a part of it, with `{across}` and `{down}` filled in.
        across, down: words from left to right and from top to bottom of the image.
        cuts_across, cuts_down: where one word ends and the next begins, in the body's units.
    """

    whole: str
    phrase: str
    across: tuple[str, ...] = ("right", "left")  # the patient's right is on the image's left
    down: tuple[str, ...] = ("anterior", "posterior")
    cuts_across: tuple[float, ...] = (0.0,)
    cuts_down: tuple[float, ...] = (0.0,)


LIVER = Places(
    "the liver",
    "the {down} part of the {across} lobe of the liver",
    cuts_across=(-0.15,),
    cuts_down=(-0.05,),
)
KIDNEYS = Places("the kidneys", "the {down} part of the {across} kidney", cuts_down=(0.16,))
BRAIN = Places(
    "the brain",
    "the {down} region of the {across} brain hemisphere",
    down=("frontal", "central", "occipital"),
    cuts_down=(-0.22, 0.25),
)
PLACES = {
    ("CT", "lung"): Places(
        "the lungs",
        "the {down} part of the {across} lung",
        down=("anterior", "middle", "posterior"),
        cuts_down=(-0.12, 0.12),
    ),
    ("CT", "liver"): LIVER,
    ("CT", "kidney"): KIDNEYS,
    ("CT", "brain"): BRAIN,
    ("MR", "liver"): LIVER,
    ("MR", "kidney"): KIDNEYS,
    ("MR", "brain"): BRAIN,
    ("ultrasound", "liver"): Places(
        "the liver",
        "the {down} liver, on the {across} of the image",
        across=("left", "right"),
        down=("superficial", "deep"),
    ),
    ("ultrasound", "kidney"): Places(
        "the kidney",
        "the {across} of the kidney",
        across=("upper pole", "middle", "lower pole"),
        cuts_across=(-0.16, 0.16),
    ),
    ("ultrasound", "breast"): Places(
        "the breast",
        "the {down} glandular tissue of the breast, on the {across} of the image",
        across=("left", "right"),
        down=("superficial", "deep"),
        cuts_down=(-0.08,),
    ),
    ("radiograph", "lung"): Places(
        "the lungs",
        "the {down} zone of the {across} lung",
        down=("upper", "middle", "lower"),
        cuts_down=(-0.22, 0.12),
    ),
}
HEADS = (
    "{plane} {technique} {modality} of the {region}",
    "{technique} {modality} of the {region}, {plane} view",
    "{modality} of the {region} ({plane}, {technique})",
)
FINDINGS = (
    "a {size} {kind} in {place}, measuring {mm} mm",
    "there is a {size} {kind} of {mm} mm in {place}",
    "{place} contains a {size} {kind} of about {mm} mm",
)
NORMAL = (
    "no focal lesion in {whole}",
    "{whole} without a focal lesion",
    "no lesion is seen in {whole}",
)
SIZES = ("small", "medium-sized", "large")


def caption(case: Case, wordings: int = 3) -> str:
    """Return a sentence or two: modality, plane, technique, organ, side, place, lesion, size.

    The facts follow from the case; which of the first `wordings` says them is drawn for
    each image.
    """
    rng = stream(case.name, "words")
    head, found, normal = (int(choice) for choice in rng.integers(wordings, size=3))
    view = case.view
    places = PLACES[view.modality, view.organ]
    text = HEADS[head].format(
        plane=view.plane, technique=case.technique, modality=view.modality, region=view.region
    )
    if case.lesion is None:
        return f"{_capital(text)}. {_capital(NORMAL[normal].format(whole=places.whole))}."
    least, largest = view.radii
    size = SIZES[min(2, int(3 * (case.site.radius - least) / (largest - least)))]
    finding = FINDINGS[found].format(
        size=size,
        kind=KINDS[case.label].replace("-", " "),
        place=place(case),
        mm=diameter(case),
    )
    return f"{_capital(text)}. {_capital(finding)}."


def diameter(case: Case) -> int:
    """Return the mean diameter of the lesion in mm (the image spans two units of length)."""
    return round(case.site.radius * case.view.width)


def place(case: Case) -> str:
    """Return where the lesion is, in words."""
    places = PLACES[case.view.modality, case.view.organ]
    x, y = case.pose.to_body(np.array([case.site.x]), np.array([case.site.y]))
    return places.phrase.format(
        across=_word(float(x[0]), places.cuts_across, places.across),
        down=_word(float(y[0]), places.cuts_down, places.down),
    )


def _word(value: float, cuts: Sequence[float], words: Sequence[str]) -> str:
    return words[sum(value > cut for cut in cuts)]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
