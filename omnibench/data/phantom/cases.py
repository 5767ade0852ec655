"""Who is in a split and what each image shows: everything but the pixels."""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import PCG64, Generator

from omnibench.data.phantom import KINDS, VERSION, frontal, sections, sonography
from omnibench.data.phantom.anatomy import Part, Pose, draw_pose, place_in
from omnibench.data.phantom.lesions import LESIONS, Lesion, Site
from omnibench.data.phantom.sonography import Sector


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


@dataclass(frozen=True)
class Case:
    """One image before it is drawn.

    Attributes:
        patient: the id that all images of one patient share.
        label: index into `KINDS`.
        technique: one of the view's.
        lesion: None if and only if the label is 0.
        site: where a lesion is or would be, drawn alike for every label.
        noise, gain, level: 0..1, what the modality makes of them; they say nothing of the label.
        name: of the streams of texture, noise and words that belong to the image.
    """

    name: str
    patient: str
    label: int
    view: View
    technique: str
    parts: tuple[Part, ...]
    pose: Pose
    fan: Sector | None
    lesion: Lesion | None
    site: Site
    noise: float
    gain: float
    level: float


def stream(*words: object) -> Generator:
    """Return the random stream that belongs to some words and to this version of the phantom."""
    text = "/".join(str(word) for word in ("phantom", VERSION, *words))
    return Generator(PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")))


ROUND = 6 * len(KINDS)  # images in which every kind has one patient each with 1, 2 and 3 images


@dataclass(frozen=True)
class _Patient:
    name: str
    label: int
    view: View
    technique: str


@functools.lru_cache(maxsize=8)
def _round(split: str, number: int) -> tuple[_Patient, ...]:
    """Return whom each image of one round shows.

    In a round every kind is seen in the same three views, so the view says nothing of the kind.
    """
    scenes = [_scene(split, 3 * number + turn) for turn in range(3)]
    patients = [(label, turn) for label in range(len(KINDS)) for turn in range(3)]
    order = stream(split, "round", number).permutation(len(patients))
    return tuple(
        _Patient(f"{split}-{number * len(patients) + place:05d}", label, *scenes[turn])
        for place, (label, turn) in enumerate(patients[who] for who in order)
        for _ in range(turn + 1)
    )


def _scene(split: str, turn: int) -> tuple[View, str]:
    """Return view and technique: modalities take turns, and so do the views of each."""
    block, place = divmod(turn, len(VIEWS))
    modality = tuple(VIEWS)[stream(split, "modality", block).permutation(len(VIEWS))[place]]
    views = VIEWS[modality]
    cycle, place = divmod(block, len(views))
    view = views[stream(split, modality, cycle).permutation(len(views))[place]]
    technique = stream(split, "technique", turn).integers(len(view.techniques))
    return view, view.techniques[technique]


def case(split: str, index: int) -> Case:
    """Return image `index` of a split; it depends on nothing else, whatever is asked besides."""
    patient = _round(split, index // ROUND)[index % ROUND]
    view, label = patient.view, patient.label
    body, image = stream(patient.name, "body"), stream(split, index, "image")
    parts = view.build(body)
    pose = draw_pose(body, image, view.freedom)
    fan = sonography.draw_sector(body) if view.fan else None
    radius, opacity = image.uniform(*view.radii), image.uniform(0.7, 1.0)
    noise, gain, level = (float(value) for value in image.uniform(size=3))
    x, y = place_in(parts, pose, fan, radius, image)
    site = Site(x, y, radius, opacity, airy=view.organ == "lung")
    lesion = LESIONS[KINDS[label]](site, stream(split, index, "lesion")) if label else None
    return Case(
        f"{split}/{index}", patient.name, label, view, patient.technique, parts, pose, fan, lesion,
        site, noise, gain, level,
    )  # fmt: skip
