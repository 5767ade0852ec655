"""UMAP embeddings, each computed once: kept in a file under the digest of what they come from."""

import io
import logging
import sys
import warnings
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import digest_of
from omnibench.files import plain, read_regular, write_atomically

log = logging.getLogger("omnibench")

Points = NDArray[np.float32]
# A fixed start and one seed make it deterministic.
UMAP = {"n_neighbors": 15, "min_dist": 0.1, "metric": "cosine", "init": "pca", "random_state": 0}


class Embeddings:
    """Embeddings of one report.

    Args:
        path: an npz file; absent or damaged, everything is computed again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept = _read(path)

    def of(self, features: NDArray[np.float32]) -> Points:
        """Return the UMAP of features [N, D], N > 15, as [N, 2]; without umap if it is kept.

        Raises:
            StoreError: the file cannot be written.
        """
        made_from = {
            "features": sha256(np.ascontiguousarray(features).data).hexdigest(),
            "shape": list(features.shape),
            "umap": {**UMAP, "version": version("umap-learn")},
        }
        digest = digest_of(made_from)
        if digest not in self._kept:
            self._kept[digest] = _umap(features)
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **self._kept)
            write_atomically(self.path, buffer.getvalue())
        return self._kept[digest]


def _read(path: Path) -> dict[str, Points]:
    try:
        with np.load(io.BytesIO(read_regular(plain(path))), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception:  # absent, or zipfile, zlib and numpy each raise their own
        return {}


def _umap(features: NDArray[np.float32]) -> Points:
    log.info("UMAP of %d images; the first one of a process takes longer", len(features))
    modules: dict[str, Any] = sys.modules
    # What `import umap` would load TensorFlow, Keras and torch for, where they are installed.
    modules["umap.parametric_umap"] = None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        import umap
    del modules["umap.parametric_umap"]
    return np.asarray(umap.UMAP(n_jobs=1, **UMAP).fit_transform(features), np.float32)
