"""What a captioner wrote of single test images, and how near it is to the reference."""

import numpy as np

from omnibench.samples import CaseAnswers
from omnibench.task import Predictions

TEXT = "test_text@"
MEASURES = {"meteor": "METEOR", "rouge-l": "ROUGE-L"}  # the first that is stored


def case_answers(predictions: Predictions) -> CaseAnswers | None:
    """Return references and generated captions; None where no text is stored with its scores.

    Args:
        predictions: with test_reference, "test_text@DECODING" and
            "values:omnibench-captioning@DECODING/meteor" or ".../rouge-l".
    """
    decodings = [name.removeprefix(TEXT) for name in predictions if name.startswith(TEXT)]
    for decoding in decodings[-1:]:
        for metric, name in MEASURES.items():
            scores = predictions.get(f"values:omnibench-captioning@{decoding}/{metric}")
            if scores is not None:
                values = np.asarray(scores, np.float64)
                texts = predictions[TEXT + decoding].tolist()
                return CaseAnswers(
                    f"{name} ({decoding})",
                    [str(text) for text in predictions["test_reference"].tolist()],
                    [
                        f"{text or '(nothing)'} ({name} {100 * value:.0f})"
                        for text, value in zip(texts, values.tolist(), strict=True)
                    ],
                    values,
                )
    return None
