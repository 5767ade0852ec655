"""Who is in a split and what each image shows: everything but the pixels."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from numpy.random import PCG64, Generator

from omnibench.data.phantom import KINDS, VERSION, sonography
from omnibench.data.phantom.anatomy import Part, Pose, draw_pose, place_in
from omnibench.data.phantom.lesions import LESIONS, Lesion, Site
from omnibench.data.phantom.sonography import Sector
from omnibench.data.phantom.views import PLAIN, Setting, View


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
def _round(split: str, number: int, setting: Setting) -> tuple[_Patient, ...]:
    """Return whom each image of one round shows.

    In a round every kind is seen in the same three views, so the view says nothing of the kind.
    """
    scenes = [_scene(split, 3 * number + turn, setting.views) for turn in range(3)]
    patients = [(label, turn) for label in range(len(KINDS)) for turn in range(3)]
    order = stream(split, "round", number).permutation(len(patients))
    return tuple(
        _Patient(f"{split}-{number * len(patients) + place:05d}", label, *scenes[turn])
        for place, (label, turn) in enumerate(patients[who] for who in order)
        for _ in range(turn + 1)
    )


def _scene(split: str, turn: int, every: Mapping[str, tuple[View, ...]]) -> tuple[View, str]:
    """Return view and technique: modalities take turns, and so do the views of each."""
    block, place = divmod(turn, len(every))
    modality = tuple(every)[stream(split, "modality", block).permutation(len(every))[place]]
    views = every[modality]
    cycle, place = divmod(block, len(views))
    view = views[stream(split, modality, cycle).permutation(len(views))[place]]
    technique = stream(split, "technique", turn).integers(len(view.techniques))
    return view, view.techniques[technique]


def case(split: str, index: int, setting: Setting = PLAIN) -> Case:
    """Return image `index` of a split; it depends on nothing else, whatever is asked besides."""
    patient = _round(split, index // ROUND, setting)[index % ROUND]
    view, label = patient.view, patient.label
    body, image = stream(patient.name, "body"), stream(split, index, "image")
    parts = view.build(body)
    pose = draw_pose(body, image, view.freedom)
    fan = sonography.draw_sector(body) if view.fan else None
    radius, opacity = image.uniform(*view.radii), image.uniform(*setting.opacity)
    spans = (setting.noise, setting.display, setting.display)
    noise, gain, level = (
        low + (high - low) * float(value)
        for (low, high), value in zip(spans, image.uniform(size=3), strict=True)
    )
    x, y = place_in(parts, pose, fan, radius, image)
    site = Site(x, y, radius, opacity, airy=view.organ == "lung")
    lesion = LESIONS[KINDS[label]](site, stream(split, index, "lesion")) if label else None
    return Case(
        f"{split}/{index}", patient.name, label, view, patient.technique, parts, pose, fan, lesion,
        site, noise, gain, level,
    )  # fmt: skip
