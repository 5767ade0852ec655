"""The dataset as a runner sees it."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from omnibench.data import Split
from omnibench.data.phantom import CARD
from omnibench.data.phantom.reader import generate, read
from tests.target_values import captions_of, labels_of, masks_of

# Raise VERSION, then this, when pixels change on purpose.
FIRST_THIRTY = "5dc6dfa7e991813c"


def test_the_card_is_read(tmp_path: Path) -> None:
    card = CARD.model_copy(update={"splits": {"train": 12, "val": 5, "test": 7}, "resolution": 32})
    dataset = read(card, tmp_path)
    assert {name: len(split) for name, split in dataset.splits.items()} == card.splits
    for split in dataset.splits.values():
        assert split.groups is not None
        assert split.images.shape == masks_of(split).shape == (len(split), 32, 32)
        assert labels_of(split).dtype == np.int64
        assert len(labels_of(split)) == len(captions_of(split)) == len(split.groups) == len(split)
    train = dataset.splits["train"].images.read(0, 12)
    assert train.dtype == np.uint8
    assert dataset.digests["train_images"] == f"sha256:{hashlib.sha256(train.data).hexdigest()}"
    assert set(dataset.digests) == {f"{s}_{k}" for s in card.splits for k in ("images", "masks")}
    assert read(card, tmp_path).digests == dataset.digests


def test_an_image_does_not_depend_on_how_many_are_drawn() -> None:
    few, many = generate("val", 4, 48), generate("val", 9, 48)
    assert np.array_equal(few.images.read(0, 4), many.images.read(0, 4))
    assert captions_of(few) == captions_of(many)[:4]


def test_pixels_are_those_of_this_version() -> None:
    images = generate("train", 30, 64).images.read(0, 30)
    assert hashlib.sha256(images.data).hexdigest()[:16] == FIRST_THIRTY


def test_registering_is_light() -> None:
    code = (
        "import sys; before = set(sys.modules) | {'numpy'}; import omnibench.data;"
        "known = set(sys.modules); import omnibench.data.phantom;"
        "print([m for m in set(sys.modules) - known if m.startswith(('numpy', 'scipy', 'torch'))"
        " or m.startswith('omnibench.data.phantom.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_class_is_in_the_lesion_and_not_in_the_raw_pixels() -> None:
    train, test = generate("train", 300, 32), generate("test", 150, 32)

    def auc(features: np.ndarray, probes: np.ndarray) -> float:
        centre, scale = features.mean(0), features.std(0) + 1e-6
        model = LogisticRegression(C=0.01, max_iter=300)
        model.fit((features - centre) / scale, labels_of(train))
        scores = model.predict_proba((probes - centre) / scale)
        return float(roc_auc_score(labels_of(test), scores, multi_class="ovr"))

    assert auc(pixels_of(train), pixels_of(test)) < 0.62
    assert auc(lesion_features(train), lesion_features(test)) > 0.75


def pixels_of(split: Split) -> np.ndarray:
    return split.images.read(0, len(split)).reshape(len(split), -1) / 255


def lesion_features(split: Split) -> np.ndarray:
    """Lesion against organ: presence, mean, darkest, brightest, spread."""
    rows = []
    pairs = zip(
        split.images.read(0, len(split)),
        masks_of(split).read(0, len(split)),
        strict=True,
    )
    for image, mask in pairs:
        lesion = image[mask == 2] / 255
        if lesion.size == 0:
            rows.append([0.0] * 6)
            continue
        organ = np.median(image[mask == 1]) / 255
        mean = lesion.mean() - organ
        extremes = [lesion.min() - organ, lesion.max() - organ]
        rows.append([1.0, mean, abs(mean), lesion.std(), *extremes])
    return np.array(rows)
