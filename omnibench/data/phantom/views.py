"""What of the body is looked at, by which modality, and how hard that is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from numpy.random import Generator

from omnibench.data.phantom import frontal, sections, sonography
from omnibench.data.phantom.anatomy import Part


@dataclass(frozen=True)
class View:
    """A part of the body as one modality shows it.

    Attributes:
        build: draws its parts.
        width: of the image, in mm.
        techniques: how it may be acquired, as a caption says it.
        radii: least and largest lesion radius, in units of the image (-1..1).
        freedom: how far poses differ, 0..1.
        fan: seen by a curved probe.
    """

    modality: str
    region: str
    plane: str
    organ: str
    build: Callable[[Generator], tuple[Part, ...]]
    width: float
    techniques: tuple[str, ...]
    radii: tuple[float, float] = (0.14, 0.26)
    freedom: float = 1.0
    fan: bool = False


PHASES = ("unenhanced", "contrast-enhanced")
WEIGHTS = ("T1-weighted", "T2-weighted")
VIEWS = {
    "CT": (
        View("CT", "chest", "axial", "lung", sections.chest, 380, PHASES),
        View("CT", "abdomen", "axial", "liver", sections.abdomen, 380, PHASES),
        View("CT", "abdomen", "axial", "kidney", sections.kidneys, 380, PHASES, (0.12, 0.20)),
        View("CT", "head", "axial", "brain", sections.brain, 240, PHASES),
    ),
    "MR": (
        View("MR", "abdomen", "axial", "liver", sections.abdomen, 380, WEIGHTS),
        View("MR", "abdomen", "axial", "kidney", sections.kidneys, 380, WEIGHTS, (0.12, 0.20)),
        View("MR", "head", "axial", "brain", sections.brain, 240, WEIGHTS),
    ),
    "ultrasound": (
        View("ultrasound", "abdomen", "oblique", "liver", sonography.liver_window, 160,
             ("B-mode",), freedom=0.4, fan=True),
        View("ultrasound", "flank", "longitudinal", "kidney", sonography.kidney_window, 150,
             ("B-mode",), freedom=0.4, fan=True),
        View("ultrasound", "breast", "transverse", "breast", sonography.breast_window, 50,
             ("B-mode",), freedom=0.3),
    ),
    "radiograph": (
        View("radiograph", "chest", "frontal", "lung", frontal.frontal_chest, 380,
             ("digital",), freedom=0.7),
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Setting:
    """How hard images are to read.

    Attributes:
        views: modality -> its views, which take turns.
        opacity: least and largest share of the organ's tissue that a lesion replaces, 0..1.
        noise, display: the part of 0..1 from which a case's noise, and its gain and level, are
            drawn.
        wordings: how many of the three wordings of a fact captions take.
    """

    views: Mapping[str, tuple[View, ...]]
    opacity: tuple[float, float] = (0.7, 1.0)
    noise: tuple[float, float] = (0.0, 1.0)
    display: tuple[float, float] = (0.0, 1.0)
    wordings: int = 3


PLAIN = Setting(VIEWS)


def _easy(modality: str, organ: str, radii: tuple[float, float]) -> View:
    """Return a view with other radii of lesions, held still."""
    view = next(view for view in VIEWS[modality] if view.organ == organ)
    return replace(view, radii=radii, freedom=0.3, techniques=view.techniques[-1:])


# One view a modality, large lesions, little noise.
EASY = Setting(
    {
        "CT": (_easy("CT", "liver", (0.24, 0.36)),),
        "MR": (_easy("MR", "brain", (0.24, 0.36)),),
        "ultrasound": (_easy("ultrasound", "breast", (0.24, 0.36)),),
        "radiograph": (_easy("radiograph", "lung", (0.24, 0.36)),),
    },
    opacity=(0.95, 1.0),
    noise=(0.0, 0.2),
    display=(0.4, 0.6),
    wordings=1,
)
