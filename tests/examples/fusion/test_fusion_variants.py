"""Variants of images and texts of the example `fusion`."""

import zlib

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from omnibench import ArrayImages

TEXTS = ["Axial CT of the liver: a large cyst, 12 mm", "no focal lesion in the liver"]


@pytest.mark.parametrize("shape", [(3, 12, 10), (3, 12, 10, 3)])
def test_each_image_stands_before_its_variants_alone_or_in_company(shape: tuple[int, ...]) -> None:
    from fusion_variants import Variants

    clean = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    variants = Variants(ArrayImages(clean), 4)
    assert variants.shape == (12, *shape[1:])
    every = variants.read(0, 12)
    assert every.dtype == np.uint8
    assert np.array_equal(every[::4], clean)
    assert len({image.tobytes() for image in every}) == 12
    alone = [variants.read_rows(np.array([row]))[0] for row in range(12)]
    assert np.array_equal(every, np.stack(alone))


def test_the_answer_is_taken_out_of_a_text() -> None:
    from fusion_variants import words_of

    classes = ("no-lesion", "cyst", "solid-mass")
    assert " ".join(words_of(TEXTS[0], classes)) == "axial ct of the liver a large 12 mm"
    assert " ".join(words_of(TEXTS[1], classes)) == "focal in the liver"


def test_variants_of_a_text_lack_a_share_of_its_words() -> None:
    from fusion_variants import text_variants

    words = [f"word{index}" for index in range(50)]
    variants = text_variants(words, 400, 0.3, seed=1)
    assert variants[0] == words
    assert np.mean([len(variant) for variant in variants[1:]]) == pytest.approx(35, abs=0.6)
    assert all(variant == sorted(variant, key=words.index) for variant in variants)
    assert variants == text_variants(words, 400, 0.3, seed=1)
    assert variants != text_variants(words, 400, 0.3, seed=2)


def test_hashed_ngrams_are_those_of_scikit_learn() -> None:
    from fusion_variants import BUCKETS, hashed, words_of

    counter = CountVectorizer(ngram_range=(1, 2), token_pattern="[a-z0-9]+").fit(TEXTS)
    expected = np.zeros((len(TEXTS), BUCKETS))
    buckets = [zlib.crc32(gram.encode()) % BUCKETS for gram in counter.get_feature_names_out()]
    np.add.at(expected.T, buckets, counter.transform(TEXTS).toarray().T)
    expected /= np.sqrt((expected**2).mean(axis=1, keepdims=True))
    assert hashed([words_of(text) for text in TEXTS]) == pytest.approx(expected, rel=1e-5)
    assert not hashed([[]]).any()
