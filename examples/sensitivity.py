"""A metric from outside: sensitivity at 90 % specificity, as screening is judged by it.

omnibench report SUITE --plugin sensitivity.py
"""

import numpy as np

from omnibench import Metric, Predictions, register_metric

SPECIFICITY = 0.9


def sensitivity(predictions: Predictions) -> float | None:
    """Return the share of positive images above the threshold that 90 % of the negative ones pass.

    Args:
        predictions: `test_logits` [N, 2] and `test_labels` [N], as classification stores them.

    Returns:
        None where there are not two classes, or the test images show one of them alone.
    """
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    if logits.shape[1] != 2 or labels.ndim != 1 or len(set(labels.tolist())) != 2:
        return None
    scores = logits[:, 1].astype(np.float64) - logits[:, 0]
    negative, positive = scores[labels == 0], scores[labels == 1]
    threshold = np.quantile(negative, SPECIFICITY, method="higher")
    return float((positive > threshold).mean())


register_metric("classification", Metric("screening/sensitivity-at-90", sensitivity))
